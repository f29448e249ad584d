import type { Route } from '../route.js'
import { downloadEncryptedMedia } from './download-encrypted-media.js'
import { downloadScanned } from './download-scanned.js'
import { getScannerPublicKey } from './get-scanner-public-key.js'
import { scanEncryptedMedia } from './scan-encrypted-media.js'
import { scanMedia } from './scan-media.js'
import { thumbnailScanned } from './thumbnail-scanned.js'

/** The content scanner, where its clients look for it: on this server. */
export const mediaProxyRoutes: readonly Route[] = [
  getScannerPublicKey,
  downloadScanned,
  thumbnailScanned,
  scanMedia,
  downloadEncryptedMedia,
  scanEncryptedMedia,
]
