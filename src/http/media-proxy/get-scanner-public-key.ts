import { route } from '../route.js'
import { scanner } from './access.js'

/** NOTSPEC: the content scanner of matrix-content-scanner, which no specification has. */
export const getScannerPublicKey = route({
  id: 'getScannerPublicKey',
  method: 'GET',
  paths: scanner('/public_key'),
  auth: 'none',
  rateLimit: 'public',
  handler: (_, { scanning }) => Promise.resolve({ public_key: scanning.publicKey() }),
})
