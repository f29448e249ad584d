import { route } from '../route.js'
import { federationMediaAnswer } from './federation-media-answer.js'
import { askedThumbnail, DEFAULT_TIMEOUT_MS, thumbnailQuery } from './media-query.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1mediathumbnailmediaid */
export const federationGetContentThumbnail = route({
  id: 'getContentThumbnail',
  method: 'GET',
  paths: ['/_matrix/federation/v1/media/thumbnail/{mediaId}'],
  auth: 'server',
  rateLimit: 'federation',
  query: thumbnailQuery,
  async handler({ params, query, origin, request }, { media }) {
    const file = await media.thumbnail(media.serverName, params['mediaId']!, askedThumbnail(query), {
      by: 'server',
      server: origin,
      allowRemote: false,
      timeoutMs: query.timeout_ms ?? DEFAULT_TIMEOUT_MS,
      signal: request.signal,
    })
    return federationMediaAnswer(media, file)
  },
})
