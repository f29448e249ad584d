import type { Route } from '../route.js'
import { claimKeys } from './keys/claim-keys.js'
import { getKeysChanges } from './keys/get-keys-changes.js'
import { queryKeys } from './keys/query-keys.js'
import { uploadCrossSigningKeys } from './keys/upload-cross-signing-keys.js'
import { uploadCrossSigningSignatures } from './keys/upload-cross-signing-signatures.js'
import { uploadKeys } from './keys/upload-keys.js'
import { deleteRoomKeyBySessionId } from './room-keys/delete-room-key-by-session-id.js'
import { deleteRoomKeysByRoomId } from './room-keys/delete-room-keys-by-room-id.js'
import { deleteRoomKeysVersion } from './room-keys/delete-room-keys-version.js'
import { deleteRoomKeys } from './room-keys/delete-room-keys.js'
import { getRoomKeyBySessionId } from './room-keys/get-room-key-by-session-id.js'
import { getRoomKeysByRoomId } from './room-keys/get-room-keys-by-room-id.js'
import { getRoomKeysVersionCurrent } from './room-keys/get-room-keys-version-current.js'
import { getRoomKeysVersion } from './room-keys/get-room-keys-version.js'
import { getRoomKeys } from './room-keys/get-room-keys.js'
import { postRoomKeysVersion } from './room-keys/post-room-keys-version.js'
import { putRoomKeyBySessionId } from './room-keys/put-room-key-by-session-id.js'
import { putRoomKeysByRoomId } from './room-keys/put-room-keys-by-room-id.js'
import { putRoomKeysVersion } from './room-keys/put-room-keys-version.js'
import { putRoomKeys } from './room-keys/put-room-keys.js'
import { sendToDevice } from './send-to-device.js'

/** End-to-end encryption and messages to devices, as clients use them. */
export const e2eeRoutes: readonly Route[] = [
  uploadKeys,
  queryKeys,
  claimKeys,
  getKeysChanges,
  uploadCrossSigningKeys,
  uploadCrossSigningSignatures,
  sendToDevice,
  postRoomKeysVersion,
  getRoomKeysVersionCurrent,
  getRoomKeysVersion,
  putRoomKeysVersion,
  deleteRoomKeysVersion,
  putRoomKeys,
  putRoomKeysByRoomId,
  putRoomKeyBySessionId,
  getRoomKeys,
  getRoomKeysByRoomId,
  getRoomKeyBySessionId,
  deleteRoomKeys,
  deleteRoomKeysByRoomId,
  deleteRoomKeyBySessionId,
]
