import { route } from '../route.js'
import { federationMediaAnswer } from './federation-media-answer.js'
import { DEFAULT_TIMEOUT_MS, downloadQuery } from './media-query.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1mediadownloadmediaid */
export const federationGetContent = route({
  id: 'getContent',
  method: 'GET',
  paths: ['/_matrix/federation/v1/media/download/{mediaId}'],
  auth: 'server',
  rateLimit: 'federation',
  query: downloadQuery,
  async handler({ params, query, origin, request }, { media }) {
    const file = await media.download(media.serverName, params['mediaId']!, {
      by: 'server',
      server: origin,
      allowRemote: false,
      timeoutMs: query.timeout_ms ?? DEFAULT_TIMEOUT_MS,
      signal: request.signal,
    })
    return federationMediaAnswer(media, file)
  },
})
