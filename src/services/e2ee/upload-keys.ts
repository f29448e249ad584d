import { MatrixError, badJson, invalidParam, missingParam, notFound } from '../../core/errors.js'
import type { JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Notifier } from '../../platform/notifier.js'
import { crossSigningKeysOf, deleteSignaturesOn } from '../../storage/tables/cross-signing.js'
import { deviceKeysOf, upsertDeviceKeys } from '../../storage/tables/device-keys.js'
import { deviceById } from '../../storage/tables/devices.js'
import {
  insertOneTimeKeys,
  knownOneTimeKeys,
  oneTimeKeyCounts,
  recordKeyCountChange,
  saveFallbackKeys,
} from '../../storage/tables/one-time-keys.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { Requester } from '../requester.js'
import { NOBODY, publishDevices, type Wake } from './device-list-publisher.js'
import { readDeviceKeys, readOneTimeKeys, type KeyObject, type OneTimeKey } from './key-formats.js'
import { limits } from './limits.js'
import { record, type Checked } from './results.js'
import { sameKey } from './same-key.js'
import type { SharerWaker } from './sharer-waker.js'

export interface UploadKeysDeps {
  readonly store: Store
  readonly clock: Clock
  readonly notifier: Notifier
  readonly waker: SharerWaker
  readonly wakeSender: (destinations: readonly string[]) => void
  readonly displayNamesOverFederation: boolean
}

/** Unclaimed one-time keys by algorithm. */
export type KeyCounts = Readonly<Record<string, number>>

/** `signed_curve25519` is always named: clients upload more when they read that it is 0. */
export function* keyCounts(userId: string, deviceId: string): Tx<KeyCounts> {
  const counts = record<number>()
  counts['signed_curve25519'] = 0
  for (const row of yield* oneTimeKeyCounts(userId, deviceId)) counts[row.algorithm] = row.n
  return counts
}

function checked<T>(name: string, result: Checked<T>): T {
  if (!result.ok) throw badJson(`${name}: ${result.reason}`)
  return result.value
}

/** The keys of one device in a request, checked. */
export interface KeyUpload {
  readonly deviceKeys: KeyObject | undefined
  readonly oneTime: readonly OneTimeKey[]
  readonly fallback: readonly OneTimeKey[]
}

/** Throws M_BAD_JSON. */
export function readKeyUpload(userId: string, deviceId: string, body: JsonObject): KeyUpload {
  const has = (name: string): boolean => Object.hasOwn(body, name)
  const deviceKeys = has('device_keys')
    ? checked('device_keys', readDeviceKeys(body['device_keys'], userId, deviceId, true))
    : undefined
  const oneTime = has('one_time_keys') ? checked('one_time_keys', readOneTimeKeys(body['one_time_keys'])) : []
  const fallback = has('fallback_keys')
    ? checked('fallback_keys', readOneTimeKeys(body['fallback_keys']))
    : []
  if (new Set(fallback.map((key) => key.algorithm)).size < fallback.length)
    throw badJson('fallback_keys: more than one key of an algorithm')
  return { deviceKeys, oneTime, fallback }
}

/** Pre: the device is there. Post: all of it is stored; gives whom to tell once it is on disk. Throws M_INVALID_PARAM, M_FORBIDDEN. */
export function* storeKeyUpload(
  userId: string,
  deviceId: string,
  { deviceKeys, oneTime, fallback }: KeyUpload,
  displayNamesOverFederation: boolean,
): Tx<{ readonly wake: Wake; readonly counts: KeyCounts }> {
  const changed = deviceKeys !== undefined && (yield* storeDeviceKeys(userId, deviceId, deviceKeys))
  const added = yield* storeOneTimeKeys(userId, deviceId, oneTime)
  const replaced = yield* saveFallbackKeys(userId, deviceId, fallback)
  const counts = yield* keyCounts(userId, deviceId)
  const unclaimed = Object.values(counts).reduce((sum, n) => sum + n, 0)
  if (unclaimed > limits.unclaimedOneTimeKeys)
    throw invalidParam(`A device has at most ${limits.unclaimedOneTimeKeys} one-time keys`)
  const wake: Wake = changed ? yield* publishDevices(userId, [deviceId], displayNamesOverFederation) : NOBODY
  if (added + replaced > 0) yield* recordKeyCountChange([{ userId, deviceId }], yield* allocatePosition())
  return { wake, counts }
}

/**
 * `POST /keys/upload`: all of it or nothing. The same one-time key again is no error, another one under its id is.
 * Throws M_BAD_JSON, M_INVALID_PARAM, M_FORBIDDEN (the device id is a cross-signing key), M_NOT_FOUND (the device is gone).
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysupload
 */
export async function uploadKeys(
  deps: UploadKeysDeps,
  requester: Requester,
  body: JsonObject,
): Promise<{ one_time_key_counts: KeyCounts }> {
  const { userId, deviceId } = requester
  if (deviceId === undefined) throw missingParam('Keys belong to a device, and this session has none')
  const upload = readKeyUpload(userId, deviceId, body)
  if (upload.deviceKeys === undefined && upload.oneTime.length === 0 && upload.fallback.length === 0) {
    const counts = await deps.store.read('e2ee.keyCounts', () => keyCounts(userId, deviceId))
    return { one_time_key_counts: counts }
  }
  const { wake, counts } = await deps.store.write('e2ee.uploadKeys', function* () {
    if ((yield* deviceById(userId, deviceId)) === undefined)
      throw notFound('The device does not exist any more')
    return yield* storeKeyUpload(userId, deviceId, upload, deps.displayNamesOverFederation)
  })
  deps.notifier.notify([userId])
  deps.waker.wake(wake.sharersOf)
  deps.wakeSender(wake.destinations)
  return { one_time_key_counts: counts }
}

/** Post: true when others must be told. */
function* storeDeviceKeys(userId: string, deviceId: string, keys: KeyObject): Tx<boolean> {
  const crossSigning = yield* crossSigningKeysOf([userId])
  if (crossSigning.some((row) => row.public_key === deviceId))
    throw new MatrixError('M_FORBIDDEN', 'The device id is that of a cross-signing key')
  const before = yield* deviceKeysOf(userId, deviceId)
  // What was signed are the old keys.
  if (before !== undefined && !sameKey(before, keys.json)) yield* deleteSignaturesOn(userId, [deviceId])
  return yield* upsertDeviceKeys(userId, deviceId, keys.json)
}

/** Post: gives how many were added. */
function* storeOneTimeKeys(userId: string, deviceId: string, keys: readonly OneTimeKey[]): Tx<number> {
  if (keys.length === 0) return 0
  const known = new Map(
    (yield* knownOneTimeKeys(
      userId,
      deviceId,
      keys.map((key) => key.keyId),
    )).map((row) => [`${row.algorithm}:${row.key_id}`, row]),
  )
  const added = keys.filter((key) => {
    const name = `${key.algorithm}:${key.keyId}`
    const old = known.get(name)
    if (old === undefined) return true
    // The upload was repeated, perhaps after the key was handed out: it must not come back.
    if (sameKey(old.json, key.json)) return false
    if (old.claimed_ts !== null) return true
    // SDKs read this sentence, which is that of other servers, to tell a lost key store from other faults.
    throw invalidParam(`One time key ${name} already exists. Old key: ${old.json}; new key: ${key.json}`)
  })
  yield* insertOneTimeKeys(userId, deviceId, added)
  return added.length
}
