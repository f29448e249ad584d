import { route } from '../route.js'
import { mediaAnswer } from '../media/media-answer.js'
import { askedThumbnail, thumbnailQuery } from '../media/media-query.js'
import { scanner, scannerAccess } from './access.js'

/** NOTSPEC: the content scanner of matrix-content-scanner, which no specification has. */
export const thumbnailScanned = route({
  id: 'thumbnailScanned',
  method: 'GET',
  paths: scanner('/thumbnail/{serverName}/{mediaId}'),
  auth: 'guest',
  rateLimit: 'media',
  query: thumbnailQuery,
  async handler({ params, query, request }, { scanning }) {
    const access = scannerAccess(request.signal, query.timeout_ms)
    const file = await scanning.thumbnail(
      params['serverName']!,
      params['mediaId']!,
      askedThumbnail(query),
      access,
    )
    return mediaAnswer(file, { headers: request.headers, anonymous: false })
  },
})
