import { route } from '../route.js'
import { mediaAnswer } from './media-answer.js'
import { mediaPaths } from './media-paths.js'
import { DEFAULT_TIMEOUT_MS, legacyDownloadQuery } from './media-query.js'

/**
 * Needs no token; who sends one all the same is treated as on the newer endpoint.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3downloadservernamemediaid
 */
export const getContent = route({
  id: 'getContent',
  method: 'GET',
  paths: mediaPaths('/download/{serverName}/{mediaId}'),
  auth: 'optional-user',
  rateLimit: 'media',
  query: legacyDownloadQuery,
  async handler({ requester, params, query, request }, { media }) {
    const anonymous = requester === undefined
    const file = await media.download(params['serverName']!, params['mediaId']!, {
      by: anonymous ? 'anonymous' : 'user',
      allowRemote: query.allow_remote ?? true,
      timeoutMs: query.timeout_ms ?? DEFAULT_TIMEOUT_MS,
      signal: request.signal,
    })
    return mediaAnswer(file, { headers: request.headers, anonymous })
  },
})
