import { route, v1 } from '../route.js'
import { mediaAnswer } from './media-answer.js'
import { DEFAULT_TIMEOUT_MS, downloadQuery } from './media-query.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediadownloadservernamemediaidfilename */
export const getContentOverrideNameAuthed = route({
  id: 'getContentOverrideNameAuthed',
  method: 'GET',
  paths: v1('/media/download/{serverName}/{mediaId}/{fileName}'),
  auth: 'guest',
  rateLimit: 'media',
  query: downloadQuery,
  async handler({ params, query, request }, { media }) {
    const file = await media.download(params['serverName']!, params['mediaId']!, {
      by: 'user',
      allowRemote: true,
      timeoutMs: query.timeout_ms ?? DEFAULT_TIMEOUT_MS,
      signal: request.signal,
    })
    const { headers } = request
    return mediaAnswer(file, { headers, anonymous: false, fileName: params['fileName']! })
  },
})
