import { contentDisposition } from '../../services/media/content-disposition.js'
import { reply, route } from '../route.js'
import { SAFETY } from '../media/media-answer.js'
import { scanner, scannerAccess } from './access.js'

/** NOTSPEC: the content scanner of matrix-content-scanner, which no specification has. */
export const downloadEncryptedMedia = route({
  id: 'downloadEncryptedMedia',
  method: 'POST',
  paths: scanner('/download_encrypted'),
  auth: 'guest',
  rateLimit: 'media',
  maxBody: 65_536,
  body: 'object',
  async handler({ body, request }, { scanning }) {
    const file = await scanning.downloadEncrypted(body, scannerAccess(request.signal))
    return reply({
      headers: {
        ...SAFETY,
        'Content-Type': file.contentType,
        'Content-Disposition': contentDisposition(file.contentType, null),
        // Decrypted: no cache on the way may keep it.
        'Cache-Control': 'no-store',
        'Content-Length': String(file.size),
      },
      body: await file.open(),
    })
  },
})
