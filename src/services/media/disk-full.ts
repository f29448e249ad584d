import { MatrixError } from '../../core/errors.js'
import { StorageError } from '../../storage/errors.js'

const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS'])

/** What file system and database say when they cannot take more, as an error that an uploader understands; else the error itself. */
export function storageFault(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const full = error instanceof StorageError ? code === 'full' : typeof code === 'string' && NO_ROOM.has(code)
  return full ? new MatrixError('M_UNKNOWN', 'The media store of this server is full', {}, 507) : error
}
