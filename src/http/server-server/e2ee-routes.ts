import type { Route } from '../route.js'
import { claimUserEncryptionKeys } from './claim-user-encryption-keys.js'
import { getUserDevices } from './get-user-devices.js'
import { queryUserEncryptionKeys } from './query-user-encryption-keys.js'

/** Keys of our users' devices, as other servers ask for them. */
export const e2eeFederationRoutes: readonly Route[] = [
  getUserDevices,
  queryUserEncryptionKeys,
  claimUserEncryptionKeys,
]
