import { route } from '../route.js'
import { scanner, scannerAccess } from './access.js'

/** NOTSPEC: the content scanner of matrix-content-scanner, which no specification has. */
export const scanEncryptedMedia = route({
  id: 'scanEncryptedMedia',
  method: 'POST',
  paths: scanner('/scan_encrypted'),
  auth: 'guest',
  rateLimit: 'media',
  maxBody: 65_536,
  body: 'object',
  handler: ({ body, request }, { scanning }) => scanning.scanEncrypted(body, scannerAccess(request.signal)),
})
