import { route } from '../route.js'
import { mediaAnswer } from './media-answer.js'
import { mediaPaths } from './media-paths.js'
import { DEFAULT_TIMEOUT_MS, legacyDownloadQuery } from './media-query.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3downloadservernamemediaidfilename */
export const getContentOverrideName = route({
  id: 'getContentOverrideName',
  method: 'GET',
  paths: mediaPaths('/download/{serverName}/{mediaId}/{fileName}'),
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
    return mediaAnswer(file, { headers: request.headers, anonymous, fileName: params['fileName']! })
  },
})
