import type { Readable } from 'node:stream'
import type { IncomingHttpHeaders } from 'node:http'
import { MatrixError } from '../../core/errors.js'
import type { Requester } from '../../services/requester.js'
import type { UploadRequest } from '../../services/media/uploads.js'

/**
 * The service's form of an upload. Throws M_UNKNOWN (415) for an encoded body: it would be stored as something other
 * than what the client means.
 */
export function uploadRequest(
  requester: Requester,
  request: { readonly headers: IncomingHttpHeaders; readonly stream: Readable },
  fileName: string | undefined,
): UploadRequest {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
  if (encoding !== 'identity') {
    throw new MatrixError('M_UNKNOWN', 'Uploads must not be encoded', {}, 415)
  }
  return {
    userId: requester.userId,
    body: request.stream,
    declaredLength: request.headers['content-length'],
    contentType: request.headers['content-type'],
    fileName,
  }
}
