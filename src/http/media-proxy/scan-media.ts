import { route } from '../route.js'
import { downloadQuery } from '../media/media-query.js'
import { scanner, scannerAccess } from './access.js'

/** NOTSPEC: the content scanner of matrix-content-scanner, which no specification has. */
export const scanMedia = route({
  id: 'scanMedia',
  method: 'GET',
  paths: scanner('/scan/{serverName}/{mediaId}'),
  auth: 'guest',
  rateLimit: 'media',
  query: downloadQuery,
  handler: ({ params, query, request }, { scanning }) =>
    scanning.scan(params['serverName']!, params['mediaId']!, scannerAccess(request.signal, query.timeout_ms)),
})
