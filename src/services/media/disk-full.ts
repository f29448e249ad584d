import { MatrixError } from '../../core/errors.js'
import { StorageError } from '../../storage/errors.js'

const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS'])

/** The `code` that the system gives its errors. */
export function faultCode(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}

/**
 * What file system and database say when they cannot take more, as an error that an uploader understands: M_UNKNOWN
 * with status 507. Any other error is given back as it is.
 */
export function storageFault(error: unknown): unknown {
  const code = faultCode(error)
  const full = error instanceof StorageError ? code === 'full' : typeof code === 'string' && NO_ROOM.has(code)
  return full ? new MatrixError('M_UNKNOWN', 'The media store of this server is full', {}, 507) : error
}
