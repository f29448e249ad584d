import { route } from '../route.js'
import { mediaAnswer } from '../media/media-answer.js'
import { downloadQuery } from '../media/media-query.js'
import { scanner, scannerAccess } from './access.js'

/** NOTSPEC: the content scanner of matrix-content-scanner, which no specification has. */
export const downloadScanned = route({
  id: 'downloadScanned',
  method: 'GET',
  paths: scanner('/download/{serverName}/{mediaId}'),
  auth: 'guest',
  rateLimit: 'media',
  query: downloadQuery,
  async handler({ params, query, request }, { scanning }) {
    const access = scannerAccess(request.signal, query.timeout_ms)
    const file = await scanning.download(params['serverName']!, params['mediaId']!, access)
    return mediaAnswer(file, { headers: request.headers, anonymous: false })
  },
})
