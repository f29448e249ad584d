import type { JsonObject } from '../../core/json/value.js'
import { parseUserId } from '../../core/ids/user-id.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { Notifier } from '../../platform/notifier.js'
import type { Random } from '../../platform/random.js'
import { deleteSignaturesOn } from '../../storage/tables/cross-signing.js'
import {
  deleteDeviceKeys,
  followedMembersWithoutSharing,
  followedWithoutSharing,
  forgetRemoteUsers,
} from '../../storage/tables/device-keys.js'
import { serversSharingRoomsWith } from '../../storage/tables/memberships.js'
import {
  deleteClaimedOneTimeKeys,
  deleteKeysOfDevices,
  fallbackKeysOfDevice,
  keyCountPosition,
} from '../../storage/tables/one-time-keys.js'
import { deleteInBatches } from '../../storage/delete-in-batches.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { Requester } from '../requester.js'
import { claimKeys, claimKeysForServer, type KeyMap } from './claim-keys.js'
import { announceDevicesTo, publishDevices } from './device-list-publisher.js'
import { deviceListsBetween, type DeviceLists } from './device-list-stream.js'
import type { KeyBackupLimits } from './backup-sessions.js'
import { createKeyBackup, type KeyBackup } from './key-backup.js'
import { createKeyRequests, type KeyFederation } from './key-federation.js'
import { NO_KEY_OWNERS, type KeyOwners } from './key-owners.js'
import { times } from './limits.js'
import {
  queryKeys,
  queryKeysForServer,
  userDevices,
  type ClientKeysAnswer,
  type KeysAnswer,
  type UserDevicesAnswer,
} from './query-keys.js'
import { createRemoteDevices } from './remote-devices.js'
import { createSharerWaker } from './sharer-waker.js'
import { uploadCrossSigning, type ConfirmByUser } from './upload-cross-signing.js'
import { keyCounts, storeKeyUpload, uploadKeys, type KeyCounts, type KeyUpload } from './upload-keys.js'
import { uploadSignatures } from './upload-signatures.js'

export interface E2eeDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly notifier: Notifier
  readonly serverName: string
  readonly federation: KeyFederation
  /** After a durable write: something waits for these servers. */
  readonly wakeSender: (destinations: readonly string[]) => void
  readonly confirmByUser: ConfirmByUser
  /** The stream position in a `/sync` token; throws M_INVALID_PARAM for what is none. */
  readonly parsePosition: (token: string) => number
  /** Application services that are asked for keys of their users; default none. */
  readonly owners?: KeyOwners
  readonly options?: E2eeOptions
}

export interface E2eeOptions {
  /** Whether other servers learn the names that users give their devices. Default false: they say much about a person. */
  readonly displayNamesOverFederation?: boolean
  readonly keyBackup?: Partial<KeyBackupLimits>
}

/** What `/sync` says of a device's own keys. */
export interface DeviceKeyCounts {
  readonly counts: KeyCounts
  readonly unusedFallback: readonly string[]
  /** When either last changed; undefined for a device that has never uploaded such keys. */
  readonly pos: number | undefined
}

/**
 * Public keys for end-to-end encryption: upload, query, claim, signatures, device lists, backups.
 * Functions that return `Tx` are parts of a transaction of the caller.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#end-to-end-encryption
 */
export interface E2ee {
  uploadKeys(requester: Requester, body: JsonObject): Promise<{ one_time_key_counts: KeyCounts }>
  queryKeys(viewer: string, body: JsonObject): Promise<ClientKeysAnswer>
  claimKeys(body: JsonObject): Promise<{ one_time_keys: KeyMap; failures: Record<string, JsonObject> }>
  uploadSignatures(
    userId: string,
    body: JsonObject,
  ): Promise<{ failures: Record<string, Record<string, JsonObject>> }>
  uploadCrossSigning(requester: Requester, body: JsonObject, ip: string): Promise<Record<string, never>>
  /** `/keys/changes` between two tokens of `/sync`; the end is bounded by what is on disk. Throws what `parsePosition` throws. */
  keysChanges(userId: string, fromToken: string, toToken: string): Promise<DeviceLists>
  readonly keyBackup: KeyBackup

  /** For `/sync`: both within the range that ends at `toPos`. */
  deviceListsBetween(userId: string, fromPos: number, toPos: number): Tx<DeviceLists>
  otkCounts(userId: string, deviceId: string): Tx<DeviceKeyCounts>

  /** For the transaction that deletes devices: their keys go, and those who share rooms are told. */
  onDevicesDeleted(userId: string, deviceIds: readonly string[]): Tx<void>
  /** For the transaction that makes a device with keys, which `readKeyUpload` has checked. Throws M_INVALID_PARAM, M_FORBIDDEN. */
  storeKeys(userId: string, deviceId: string, upload: KeyUpload): Tx<void>
  /** For the transaction that renames or creates devices. */
  onDevicesChanged(userId: string, deviceIds: readonly string[]): Tx<void>
  /** After either is on disk: wakes those who are told. */
  afterDevicesChanged(userId: string): Promise<void>
  /** As both of the above, as a transaction of its own. */
  deviceListChanged(userId: string, deviceIds: readonly string[]): Promise<void>

  /**
   * For the transaction in which remote users leave a room, after memberships are written: devices of those who share no
   * room with a local user any more are forgotten, so that they are fetched anew when a room is shared again.
   */
  onRemoteUsersLeft(userIds: readonly string[]): Tx<void>
  /** For the transaction in which a room's last local user leaves: the same for all its members. */
  onRoomLeft(roomNid: number): Tx<void>
  /** For the transaction in which a local user joins a room with these servers in it: they are made to fetch the devices. */
  onLocalUserJoined(userId: string, servers: readonly string[]): Tx<void>

  queryKeysForServer(body: JsonObject): Promise<KeysAnswer>
  claimKeysForServer(body: JsonObject): Promise<{ one_time_keys: KeyMap }>
  userDevices(userId: string): Promise<UserDevicesAnswer>
  /** Takes EDUs about device lists and signing keys; true when the type was one of them. */
  onEdu(origin: string, type: string, content: JsonObject): Promise<boolean>

  /** Job, every few seconds: fetches remote device lists that are behind. */
  resyncDue(): Promise<void>
  /** Job, every hour: forgets claimed keys and deleted backups. */
  cleanUp(): Promise<void>
  /** Resolves when nothing runs in the background. */
  idle(): Promise<void>
}

const CLEAN_BATCH = 1_000

export function createE2ee(deps: E2eeDeps): E2ee {
  const { store, clock, wakeSender } = deps
  const displayNamesOverFederation = deps.options?.displayNamesOverFederation ?? false
  const requests = createKeyRequests(deps)
  const waker = createSharerWaker(deps)
  const remote = createRemoteDevices({ ...deps, requests, waker })
  const shared = {
    ...deps,
    owners: deps.owners ?? NO_KEY_OWNERS,
    requests,
    waker,
    remote,
    displayNamesOverFederation,
  }
  const keyBackup = createKeyBackup({
    store,
    ...(deps.options?.keyBackup === undefined ? {} : { limits: deps.options.keyBackup }),
  })

  async function fetchMasterKey(viewer: string, userId: string): Promise<JsonObject | undefined> {
    if (parseUserId(userId)?.domain === deps.serverName) return undefined
    const answer = await queryKeys(shared, viewer, { device_keys: { [userId]: [] } })
    return answer.master_keys[userId]
  }

  function* publish(userId: string, deviceIds: readonly string[]): Tx<void> {
    yield* publishDevices(userId, deviceIds, displayNamesOverFederation)
  }

  async function afterDevicesChanged(userId: string): Promise<void> {
    waker.wake([userId])
    wakeSender(await store.read('e2ee.sharingServers', () => serversSharingRoomsWith(userId)))
  }

  return {
    keyBackup,
    uploadKeys: (requester, body) => uploadKeys(shared, requester, body),
    queryKeys: (viewer, body) => queryKeys(shared, viewer, body),
    claimKeys: (body) => claimKeys(shared, body),
    uploadSignatures: (userId, body) => uploadSignatures({ ...shared, fetchMasterKey }, userId, body),
    uploadCrossSigning: (requester, body, ip) => uploadCrossSigning(shared, requester, body, ip),
    async keysChanges(userId, fromToken, toToken) {
      const from = deps.parsePosition(fromToken)
      const bound = Math.min(deps.parsePosition(toToken), await store.position())
      return await store.read('e2ee.keysChanges', () => deviceListsBetween(userId, from, bound))
    },
    deviceListsBetween,
    *otkCounts(userId, deviceId) {
      const counts = yield* keyCounts(userId, deviceId)
      const fallback = yield* fallbackKeysOfDevice(userId, deviceId)
      return {
        counts,
        unusedFallback: fallback.filter((key) => key.used === 0).map((key) => key.algorithm),
        pos: yield* keyCountPosition(userId, deviceId),
      }
    },

    *onDevicesDeleted(userId, deviceIds) {
      yield* deleteDeviceKeys(userId, deviceIds)
      yield* deleteKeysOfDevices(userId, deviceIds)
      yield* deleteSignaturesOn(userId, deviceIds)
      yield* publish(userId, deviceIds)
    },
    *storeKeys(userId, deviceId, upload) {
      yield* storeKeyUpload(userId, deviceId, upload, displayNamesOverFederation)
    },
    onDevicesChanged: publish,
    afterDevicesChanged,
    async deviceListChanged(userId, deviceIds) {
      await store.write('e2ee.deviceListChanged', () => publish(userId, deviceIds))
      await afterDevicesChanged(userId)
    },

    *onRemoteUsersLeft(userIds) {
      yield* forgetRemoteUsers(yield* followedWithoutSharing(userIds))
    },
    *onRoomLeft(roomNid) {
      yield* forgetRemoteUsers(yield* followedMembersWithoutSharing(roomNid))
    },
    onLocalUserJoined: (userId, servers) => announceDevicesTo(userId, servers, displayNamesOverFederation),

    queryKeysForServer: (body) => queryKeysForServer(shared, body),
    claimKeysForServer: (body) => claimKeysForServer(shared, body),
    userDevices: (userId) => userDevices(shared, userId),
    async onEdu(origin, type, content) {
      switch (type) {
        case 'm.device_list_update':
          await remote.onDeviceListUpdate(origin, content)
          return true
        case 'm.signing_key_update':
        case 'org.matrix.signing_key_update':
          await remote.onSigningKeyUpdate(origin, content)
          return true
        default:
          return false
      }
    },

    resyncDue: () => remote.resyncDue(),
    async cleanUp() {
      const before = clock.now() - times.claimedKeysKept
      await deleteInBatches(store, 'e2ee.forgetClaimed', CLEAN_BATCH, (size) =>
        deleteClaimedOneTimeKeys(before, size),
      )
      await keyBackup.sweep()
    },
    async idle() {
      await remote.idle()
      await waker.idle()
    },
  }
}
