import { badJson, invalidParam } from '../../core/errors.js'
import { isObject, type Json, type JsonObject, ownValue } from '../../core/json/value.js'
import { publicKey, verifySignatureAsync } from '../../platform/ed25519.js'
import type { Notifier } from '../../platform/notifier.js'
import {
  crossSigningKeysOf,
  upsertSignatures,
  type CrossSigningKeyRow,
  type KeySignatureRow,
} from '../../storage/tables/cross-signing.js'
import { deviceKeysOfUsers } from '../../storage/tables/device-keys.js'
import { insertUserSignatureChanges } from '../../storage/tables/device-list-changes.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { SharerWaker } from './sharer-waker.js'
import { signedBytes } from './signed-json.js'
import { joinWakes, NOBODY, publishDevices, publishSigningKeys, type Wake } from './device-list-publisher.js'
import { readUserMap } from './key-formats.js'
import { limits } from './limits.js'
import { chunks, record } from './results.js'

export interface UploadSignaturesDeps {
  readonly store: Store
  readonly notifier: Notifier
  readonly waker: SharerWaker
  readonly wakeSender: (destinations: readonly string[]) => void
  /** The master key of a user whose keys are not at hand: asks their server. */
  readonly fetchMasterKey: (viewer: string, userId: string) => Promise<JsonObject | undefined>
  readonly displayNamesOverFederation: boolean
}

interface Failure extends JsonObject {
  readonly errcode: string
  readonly error: string
}

const failure = (errcode: string, error: string): Failure => ({ errcode, error })
const notFound = failure('M_NOT_FOUND', 'There is no such key')
const invalid = failure('M_INVALID_SIGNATURE', 'Invalid signature')
const mismatch = failure('M_INVALID_SIGNATURE', 'The signed object is not the key that is stored')

type Outcome = { readonly signatures: readonly KeySignatureRow[] } | { readonly failure: Failure }

/** What the signer has here. */
interface SignerKeys {
  readonly userId: string
  readonly devices: ReadonlyMap<string, string>
  readonly crossSigning: readonly CrossSigningKeyRow[]
}

const usageOf = (keys: readonly CrossSigningKeyRow[], usage: string): CrossSigningKeyRow | undefined =>
  keys.find((row) => row.usage === usage)

/** The object's signatures by this user: key id → signature. */
function signaturesBy(object: JsonObject, userId: string): JsonObject {
  const all = ownValue(object, 'signatures')
  const mine = isObject(all) ? ownValue(all, userId) : undefined
  return isObject(mine) ? mine : {}
}

/** Whether both are the same key, but for signatures. */
function sameObject(signed: JsonObject, storedJson: string): boolean {
  const a = signedBytes(signed)
  const b = signedBytes(JSON.parse(storedJson) as JsonObject)
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0
}

async function verified(
  object: JsonObject,
  key: string | undefined,
  signature: Json | undefined,
): Promise<boolean> {
  const signer = key === undefined ? undefined : publicKey(key)
  const bytes = signedBytes(object)
  if (signer === undefined || bytes === undefined || typeof signature !== 'string') return false
  return await verifySignatureAsync(signer, bytes, signature)
}

const ed25519Of = (deviceJson: string, deviceId: string): string | undefined => {
  const keys = (JSON.parse(deviceJson) as JsonObject)['keys']
  const key = isObject(keys) ? ownValue(keys, `ed25519:${deviceId}`) : undefined
  return typeof key === 'string' ? key : undefined
}

/** A signature by the user's self-signing key over one of their devices. */
async function checkOwnDevice(me: SignerKeys, deviceId: string, signed: JsonObject): Promise<Outcome> {
  const stored = me.devices.get(deviceId)
  const signer = usageOf(me.crossSigning, 'self_signing')
  if (stored === undefined || signer === undefined) return { failure: notFound }
  if (!sameObject(signed, stored)) return { failure: mismatch }
  const keyId = `ed25519:${signer.public_key}`
  const signature = ownValue(signaturesBy(signed, me.userId), keyId)
  if (!(await verified(signed, signer.public_key, signature))) return { failure: invalid }
  return { signatures: [row(me.userId, deviceId, me.userId, keyId, signature as string)] }
}

/** Signatures by the user's devices over their own master key. */
async function checkOwnMaster(
  me: SignerKeys,
  master: CrossSigningKeyRow,
  signed: JsonObject,
): Promise<Outcome> {
  if (!sameObject(signed, master.json)) return { failure: mismatch }
  const found: KeySignatureRow[] = []
  const signatures = signaturesBy(signed, me.userId)
  for (const keyId of Object.keys(signatures).slice(0, limits.keysPerObject)) {
    const deviceId = keyId.startsWith('ed25519:') ? keyId.slice('ed25519:'.length) : ''
    const device = me.devices.get(deviceId)
    if (device === undefined) continue
    if (!(await verified(signed, ed25519Of(device, deviceId), signatures[keyId]))) return { failure: invalid }
    found.push(row(me.userId, master.public_key, me.userId, keyId, signatures[keyId] as string))
  }
  return found.length === 0 ? { failure: invalid } : { signatures: found }
}

/** A signature by the user's user-signing key over somebody else's master key. */
async function checkOthersMaster(
  me: SignerKeys,
  userId: string,
  keyName: string,
  master: { readonly publicKey: string; readonly json: string } | undefined,
  signed: JsonObject,
): Promise<Outcome> {
  const signer = usageOf(me.crossSigning, 'user_signing')
  if (signer === undefined || master === undefined || master.publicKey !== keyName)
    return { failure: notFound }
  if (!sameObject(signed, master.json)) return { failure: mismatch }
  const keyId = `ed25519:${signer.public_key}`
  const signature = ownValue(signaturesBy(signed, me.userId), keyId)
  if (!(await verified(signed, signer.public_key, signature))) return { failure: invalid }
  return { signatures: [row(userId, keyName, me.userId, keyId, signature as string)] }
}

const row = (
  targetUser: string,
  targetKey: string,
  signerUser: string,
  signerKey: string,
  signature: string,
): KeySignatureRow => ({
  target_user: targetUser,
  target_key: targetKey,
  signer_user: signerUser,
  signer_key: signerKey,
  signature,
})

/**
 * `POST /keys/signatures/upload`: keeps the signatures that hold, and names the others in `failures`.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keyssignaturesupload
 */
export async function uploadSignatures(
  deps: UploadSignaturesDeps,
  userId: string,
  body: JsonObject,
): Promise<{ failures: Record<string, Record<string, JsonObject>> }> {
  const users = readUserMap(body)
  if (!users.ok) throw badJson(users.reason)
  const total = [...users.value.values()].reduce((sum, keys) => sum + Object.keys(keys).length, 0)
  if (total > limits.signaturesPerUpload)
    throw invalidParam(`At most ${limits.signaturesPerUpload} keys can be signed at once`)

  const others = [...users.value.keys()].filter((other) => other !== userId)
  const { me, stored } = await deps.store.read('e2ee.signerKeys', function* () {
    const devices = yield* deviceKeysOfUsers([userId])
    const crossSigning = yield* crossSigningKeysOf([userId, ...others])
    const mine: SignerKeys = {
      userId,
      devices: new Map(devices.map((device) => [device.device_id, device.json])),
      crossSigning: crossSigning.filter((key) => key.user_id === userId),
    }
    return { me: mine, stored: crossSigning }
  })

  const failures = record<Record<string, JsonObject>>()
  const accepted: KeySignatureRow[] = []
  for (const [target, keys] of users.value) {
    const master = target === userId ? undefined : await masterOf(deps, stored, userId, target)
    for (const keyName of Object.keys(keys)) {
      const signed = keys[keyName]
      const outcome = await check(me, target, keyName, master, signed)
      if ('failure' in outcome) (failures[target] ??= record())[keyName] = outcome.failure
      else accepted.push(...outcome.signatures)
    }
  }
  let wake: Wake = NOBODY
  for (const part of chunks(accepted, 200)) {
    wake = joinWakes(
      wake,
      await deps.store.write('e2ee.uploadSignatures', () =>
        storeSignatures(userId, part, me.devices, deps.displayNamesOverFederation),
      ),
    )
  }
  deps.notifier.notify(wake.users)
  deps.waker.wake(wake.sharersOf)
  deps.wakeSender(wake.destinations)
  return { failures }
}

async function check(
  me: SignerKeys,
  target: string,
  keyName: string,
  master: { readonly publicKey: string; readonly json: string } | undefined,
  signed: Json | undefined,
): Promise<Outcome> {
  if (!isObject(signed)) return { failure: failure('M_BAD_JSON', 'Not an object') }
  if (target !== me.userId) return await checkOthersMaster(me, target, keyName, master, signed)
  const own = usageOf(me.crossSigning, 'master')
  if (own?.public_key === keyName) return await checkOwnMaster(me, own, signed)
  return await checkOwnDevice(me, keyName, signed)
}

async function masterOf(
  deps: UploadSignaturesDeps,
  stored: readonly CrossSigningKeyRow[],
  viewer: string,
  userId: string,
): Promise<{ readonly publicKey: string; readonly json: string } | undefined> {
  const known = stored.find((key) => key.user_id === userId && key.usage === 'master')
  if (known !== undefined) return { publicKey: known.public_key, json: known.json }
  const fetched = await deps.fetchMasterKey(viewer, userId)
  const keys = fetched?.['keys']
  const key = isObject(keys) ? Object.values(keys)[0] : undefined
  return typeof key === 'string' ? { publicKey: key, json: JSON.stringify(fetched) } : undefined
}

/** Post: the signatures are stored; those over own keys are told to everybody, those over others' to the signer alone. */
function* storeSignatures(
  userId: string,
  signatures: readonly KeySignatureRow[],
  devices: ReadonlyMap<string, string>,
  displayNames: boolean,
): Tx<Wake> {
  if ((yield* upsertSignatures(signatures)) === 0) return NOBODY
  let wake: Wake = { sharersOf: [], users: [userId], destinations: [] }
  const mine = signatures.filter((signature) => signature.target_user === userId)
  const others = signatures.filter((signature) => signature.target_user !== userId)
  const signedDevices = mine.map((signature) => signature.target_key).filter((key) => devices.has(key))
  if (signedDevices.length > 0)
    wake = joinWakes(wake, yield* publishDevices(userId, signedDevices, displayNames))
  if (mine.some((signature) => !devices.has(signature.target_key)))
    wake = joinWakes(wake, yield* publishSigningKeys(userId))
  if (others.length > 0) {
    const targets = [...new Set(others.map((signature) => signature.target_user))]
    yield* insertUserSignatureChanges(userId, targets, yield* allocatePosition())
  }
  return wake
}
