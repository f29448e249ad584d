import { route, v1 } from '../route.js'
import { mediaAnswer } from './media-answer.js'
import { askedThumbnail, DEFAULT_TIMEOUT_MS, thumbnailQuery } from './media-query.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediathumbnailservernamemediaid */
export const getContentThumbnailAuthed = route({
  id: 'getContentThumbnailAuthed',
  method: 'GET',
  paths: v1('/media/thumbnail/{serverName}/{mediaId}'),
  auth: 'guest',
  rateLimit: 'media',
  query: thumbnailQuery,
  async handler({ params, query, request }, { media }) {
    const asked = askedThumbnail(query)
    const file = await media.thumbnail(params['serverName']!, params['mediaId']!, asked, {
      by: 'user',
      allowRemote: true,
      timeoutMs: query.timeout_ms ?? DEFAULT_TIMEOUT_MS,
      signal: request.signal,
    })
    return mediaAnswer(file, { headers: request.headers, anonymous: false })
  },
})
