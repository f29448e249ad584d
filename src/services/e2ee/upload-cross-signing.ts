import { MatrixError, forbidden, invalidParam, missingParam } from '../../core/errors.js'
import { isObject, type Json, type JsonObject, ownValue } from '../../core/json/value.js'
import { publicKey, verifySignatureAsync } from '../../platform/ed25519.js'
import type { Notifier } from '../../platform/notifier.js'
import {
  crossSigningKeysOf,
  deleteCrossSigningKeys,
  deleteSignaturesBy,
  deleteSignaturesOn,
  upsertCrossSigningKeys,
  type CrossSigningKeyRow,
  type KeyUsage,
} from '../../storage/tables/cross-signing.js'
import { insertUserSignatureChanges } from '../../storage/tables/device-list-changes.js'
import { devicesOfUser } from '../../storage/tables/devices.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import type { Store, Tx } from '../../storage/tx.js'
import { signedBytes } from './signed-json.js'
import type { Requester } from '../requester.js'
import { publishSigningKeys, type Wake } from './device-list-publisher.js'
import { readCrossSigningKey, type CrossSigningKey } from './key-formats.js'
import { sameKey } from './same-key.js'
import type { SharerWaker } from './sharer-waker.js'

/** Returns once the user has confirmed the request by interactive authentication; throws InteractiveAuthRequired until then. */
export type ConfirmByUser = (confirmation: {
  readonly userId: string
  /** Names the endpoint, so that no session serves another one. */
  readonly operation: string
  /** The request's `auth`, as received. */
  readonly auth: Json | undefined
  /** What must stay the same between the stages. */
  readonly bound: Json
  readonly ip: string
}) => Promise<void>

export interface UploadCrossSigningDeps {
  readonly store: Store
  readonly notifier: Notifier
  readonly waker: SharerWaker
  readonly wakeSender: (destinations: readonly string[]) => void
  readonly confirmByUser: ConfirmByUser
}

const FIELDS: readonly (readonly [KeyUsage, string])[] = [
  ['master', 'master_key'],
  ['self_signing', 'self_signing_key'],
  ['user_signing', 'user_signing_key'],
]

const invalidSignature = (message: string): MatrixError => new MatrixError('M_INVALID_SIGNATURE', message)

function readKeys(userId: string, body: JsonObject): Map<KeyUsage, CrossSigningKey> {
  const keys = new Map<KeyUsage, CrossSigningKey>()
  for (const [usage, field] of FIELDS) {
    const value = ownValue(body, field)
    if (value === undefined) continue
    const key = readCrossSigningKey(value, userId, usage)
    if (!key.ok) throw invalidParam(`${field}: ${key.reason}`)
    if (publicKey(key.value.publicKey) === undefined)
      throw invalidParam(`${field}: not an Ed25519 public key in unpadded base64`)
    keys.set(usage, key.value)
  }
  return keys
}

/** Throws M_INVALID_SIGNATURE unless the key is signed by the master key. */
async function checkSigned(
  userId: string,
  key: CrossSigningKey,
  master: string,
  field: string,
): Promise<void> {
  const signatures = ownValue(key.object, 'signatures')
  const mine = isObject(signatures) ? ownValue(signatures, userId) : undefined
  const signature = isObject(mine) ? ownValue(mine, `ed25519:${master}`) : undefined
  const bytes = signedBytes(key.object)
  const signer = publicKey(master)
  const valid =
    typeof signature === 'string' &&
    bytes !== undefined &&
    signer !== undefined &&
    (await verifySignatureAsync(signer, bytes, signature))
  if (!valid) throw invalidSignature(`${field} is not signed by the master key`)
}

/**
 * `POST /keys/device_signing/upload`. Interactive authentication is asked for unless the user has no master key yet or
 * the request brings nothing new.
 * Throws M_INVALID_PARAM, M_MISSING_PARAM (no master key), M_INVALID_SIGNATURE, M_FORBIDDEN (the key is a device id).
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload
 */
export async function uploadCrossSigning(
  deps: UploadCrossSigningDeps,
  requester: Requester,
  body: JsonObject,
  ip: string,
): Promise<Record<string, never>> {
  const { userId } = requester
  const keys = readKeys(userId, body)
  const known = await deps.store.read('e2ee.crossSigningKeys', () => crossSigningKeysOf([userId]))
  const before = new Map(known.map((row) => [row.usage, row]))
  const master = keys.get('master')?.publicKey ?? before.get('master')?.public_key
  if (master === undefined) throw missingParam('There is no master key, neither here nor in the request')
  for (const [usage, field] of FIELDS) {
    const key = keys.get(usage)
    if (usage !== 'master' && key !== undefined) await checkSigned(userId, key, master, field)
  }
  if (bringsNothingNew(keys, before)) return {}
  if (before.has('master') && requester.appserviceId === undefined) {
    const { auth, ...bound } = body
    await deps.confirmByUser({ userId, operation: 'uploadCrossSigningKeys', auth, bound, ip })
  }

  const wake = await deps.store.write('e2ee.uploadCrossSigning', () => storeKeys(userId, keys, before))
  deps.notifier.notify(wake.users)
  deps.waker.wake(wake.sharersOf)
  deps.wakeSender(wake.destinations)
  return {}
}

function bringsNothingNew(
  keys: ReadonlyMap<KeyUsage, CrossSigningKey>,
  before: ReadonlyMap<KeyUsage, CrossSigningKeyRow>,
): boolean {
  return [...keys].every(([usage, key]) => {
    const old = before.get(usage)
    return old !== undefined && sameKey(old.json, key.json)
  })
}

function* storeKeys(
  userId: string,
  keys: ReadonlyMap<KeyUsage, CrossSigningKey>,
  expected: ReadonlyMap<KeyUsage, CrossSigningKeyRow>,
): Tx<Wake> {
  const before = new Map((yield* crossSigningKeysOf([userId])).map((row) => [row.usage, row]))
  const oldMaster = before.get('master')
  // Two first uploads at once: the second would replace keys without having authenticated for it.
  if (oldMaster?.public_key !== expected.get('master')?.public_key)
    throw new MatrixError('M_UNKNOWN', 'Another session has changed the keys meanwhile; try again', {}, 409)
  const deviceIds = new Set((yield* devicesOfUser(userId)).map((row) => row.device_id))
  for (const key of keys.values()) {
    if (deviceIds.has(key.publicKey)) throw forbidden('The key is the id of one of your devices')
  }
  const newMaster = keys.get('master')
  if (newMaster !== undefined && oldMaster !== undefined && newMaster.publicKey !== oldMaster.public_key) {
    yield* deleteSignaturesOn(userId, [oldMaster.public_key])
    // They hang on the old master key.
    yield* deleteCrossSigningKeys(userId, ['self_signing', 'user_signing'])
  }
  for (const usage of ['self_signing', 'user_signing'] as const) {
    const old = before.get(usage)
    if (old !== undefined && keys.has(usage) && keys.get(usage)!.publicKey !== old.public_key)
      yield* deleteSignaturesBy(userId, `ed25519:${old.public_key}`)
  }
  yield* upsertCrossSigningKeys(
    [...keys].map(([usage, key]) => ({ user_id: userId, usage, public_key: key.publicKey, json: key.json })),
  )
  if (keys.has('master') || keys.has('self_signing')) return yield* publishSigningKeys(userId)
  // Nobody else sees the user-signing key.
  yield* insertUserSignatureChanges(userId, [userId], yield* allocatePosition())
  return { sharersOf: [], users: [userId], destinations: [] }
}
