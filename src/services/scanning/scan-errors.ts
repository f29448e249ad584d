import { MatrixError } from '../../core/errors.js'

/**
 * Errors of the content scanner: `reason` and `info` are what its clients read, `errcode` and `error` what all others do.
 * NOTSPEC: the endpoints are those of matrix-content-scanner, which no specification has.
 */
export type ScanReason =
  | 'MCS_MEDIA_NOT_CLEAN'
  | 'MCS_MIME_TYPE_FORBIDDEN'
  | 'MCS_MEDIA_REQUEST_FAILED'
  | 'MCS_MEDIA_FAILED_TO_DECRYPT'
  | 'MCS_BAD_DECRYPTION'
  | 'MCS_MALFORMED_JSON'
  | 'MCS_MEDIA_ENCRYPTED'

const OF_REASON: Readonly<Record<ScanReason, readonly [errcode: string, status: number]>> = {
  MCS_MEDIA_NOT_CLEAN: ['M_FORBIDDEN', 403],
  MCS_MIME_TYPE_FORBIDDEN: ['M_FORBIDDEN', 403],
  MCS_MEDIA_ENCRYPTED: ['M_FORBIDDEN', 403],
  MCS_BAD_DECRYPTION: ['M_FORBIDDEN', 403],
  MCS_MEDIA_FAILED_TO_DECRYPT: ['M_UNKNOWN', 400],
  MCS_MALFORMED_JSON: ['M_BAD_JSON', 400],
  MCS_MEDIA_REQUEST_FAILED: ['M_UNKNOWN', 502],
}

export function scanError(reason: ScanReason, info: string): MatrixError {
  const [errcode, status] = OF_REASON[reason]
  return new MatrixError(errcode, info, { reason, info }, status)
}

export const NOT_CLEAN = 'The file is infected and is not given'
export const TOO_LARGE = 'The file is too large to be scanned, and is not given'
export const FORBIDDEN_TYPE = 'Files of this kind are not allowed here'
