import { route } from '../route.js'
import { mediaAnswer } from './media-answer.js'
import { mediaPaths } from './media-paths.js'
import { askedThumbnail, DEFAULT_TIMEOUT_MS, legacyThumbnailQuery } from './media-query.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3thumbnailservernamemediaid */
export const getContentThumbnail = route({
  id: 'getContentThumbnail',
  method: 'GET',
  paths: mediaPaths('/thumbnail/{serverName}/{mediaId}'),
  auth: 'optional-user',
  rateLimit: 'media',
  query: legacyThumbnailQuery,
  async handler({ requester, params, query, request }, { media }) {
    const anonymous = requester === undefined
    const asked = askedThumbnail(query)
    const file = await media.thumbnail(params['serverName']!, params['mediaId']!, asked, {
      by: anonymous ? 'anonymous' : 'user',
      allowRemote: query.allow_remote ?? true,
      timeoutMs: query.timeout_ms ?? DEFAULT_TIMEOUT_MS,
      signal: request.signal,
    })
    return mediaAnswer(file, { headers: request.headers, anonymous })
  },
})
