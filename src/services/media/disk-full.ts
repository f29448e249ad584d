import { MatrixError } from '../../core/errors.js'

const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS'])

/** What the file system says when it cannot take more, as an error that an uploader understands; else the error itself. */
export function storageFault(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && NO_ROOM.has(code)
    ? new MatrixError('M_UNKNOWN', 'The media store of this server is full', {}, 507)
    : error
}
