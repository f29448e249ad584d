import { isDeviceId } from '../../core/ids/device-id.js'
import { isKeyId, parseKeyId } from '../../core/ids/key-id.js'
import { isUserId } from '../../core/ids/user-id.js'
import { utf8Length } from '../../core/ids/common.js'
import { tryCanonicalJson } from '../../core/json/canonical.js'
import { isObject, type Json, type JsonObject, ownValue } from '../../core/json/value.js'
import type { KeyUsage } from '../../storage/tables/cross-signing.js'
import { limits } from './limits.js'
import { fault, type Checked } from './results.js'

/** A key object whose shape was checked: canonical JSON, with the signatures of its owner alone. */
export interface KeyObject {
  readonly object: JsonObject
  readonly json: string
}

const isShort = (value: Json | undefined): value is string =>
  typeof value === 'string' && value.length <= 1_024

/**
 * Checks `signatures`: a map of user ids to maps of key ids to strings. Gives the owner's part.
 * Others' signatures are left out: only `/keys/signatures/upload` stores these, after checking them.
 */
function ownSignatures(value: Json | undefined, userId: string): Checked<JsonObject | undefined> {
  if (value === undefined) return { ok: true, value: undefined }
  if (!isObject(value)) return fault('signatures is not an object')
  const users = Object.keys(value)
  if (users.length > limits.keysPerObject) return fault('too many signatures')
  for (const user of users) {
    const byKey = value[user]
    if (!isObject(byKey)) return fault('signatures of a user are not an object')
    const keys = Object.keys(byKey)
    if (keys.length > limits.keysPerObject) return fault('too many signatures')
    if (!isUserId(user) || !keys.every((key) => isKeyId(key) && isShort(byKey[key])))
      return fault('signatures has a member that is not a signature')
  }
  const mine = ownValue(value, userId)
  return { ok: true, value: isObject(mine) ? mine : undefined }
}

/** The canonical form of an object, with the given signatures and without `unsigned`. */
function store(
  object: JsonObject,
  userId: string,
  signatures: JsonObject | undefined,
  maxBytes: number,
): Checked<KeyObject> {
  const { signatures: _signatures, unsigned: _unsigned, ...rest } = object
  const clean: JsonObject =
    signatures === undefined ? rest : { ...rest, signatures: { [userId]: signatures } }
  const text = tryCanonicalJson(clean)
  if (!text.ok) return fault(text.reason)
  if (utf8Length(text.text) > maxBytes) return fault(`larger than ${maxBytes} bytes`)
  return { ok: true, value: { object: clean, json: text.text } }
}

/**
 * Checks the identity keys of a device. `strict` for our own users: other servers' objects may lack signatures, which
 * only clients judge.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#device-keys
 */
export function readDeviceKeys(
  value: Json | undefined,
  userId: string,
  deviceId: string,
  strict: boolean,
): Checked<KeyObject> {
  if (!isObject(value)) return fault('not an object')
  if (value['user_id'] !== userId) return fault('user_id is not that of the user')
  if (value['device_id'] !== deviceId) return fault('device_id is not that of the device')
  const algorithms = value['algorithms']
  if (!Array.isArray(algorithms) || algorithms.length > limits.keysPerObject || !algorithms.every(isShort))
    return fault('algorithms is not a list of strings')
  const keys = value['keys']
  if (!isObject(keys)) return fault('keys is not an object')
  const ids = Object.keys(keys)
  if (ids.length > limits.keysPerObject) return fault('too many keys')
  if (!ids.every((id) => isKeyId(id) && isShort(keys[id])))
    return fault('keys has a member that is not a key')
  if (strict && value['signatures'] === undefined) return fault('signatures is missing')
  const signatures = ownSignatures(value['signatures'], userId)
  if (!signatures.ok) return signatures
  return store(value, userId, signatures.value, limits.deviceKeysBytes)
}

export interface CrossSigningKey extends KeyObject {
  readonly publicKey: string
}

/**
 * Checks a cross-signing key for its use: one Ed25519 key, named by itself.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#cross-signing
 */
export function readCrossSigningKey(
  value: Json | undefined,
  userId: string,
  usage: KeyUsage,
): Checked<CrossSigningKey> {
  if (!isObject(value)) return fault('not an object')
  if (value['user_id'] !== userId) return fault('user_id is not that of the user')
  const uses = value['usage']
  if (!Array.isArray(uses) || uses.length > 10 || !uses.every(isShort) || !uses.includes(usage))
    return fault(`usage does not have ${usage}`)
  const keys = value['keys']
  const [id, ...more] = isObject(keys) ? Object.keys(keys) : []
  const keyId = id === undefined ? undefined : parseKeyId(id)
  if (!isObject(keys) || keyId?.algorithm !== 'ed25519' || more.length > 0)
    return fault('keys is not an object with one Ed25519 key')
  if (keys[id!] !== keyId.name) return fault('the key is not named by itself')
  const signatures = ownSignatures(value['signatures'], userId)
  if (!signatures.ok) return signatures
  const stored = store(value, userId, signatures.value, limits.crossSigningKeyBytes)
  return stored.ok ? { ok: true, value: { ...stored.value, publicKey: keyId.name } } : stored
}

export interface OneTimeKey {
  readonly algorithm: string
  readonly keyId: string
  readonly json: string
}

/**
 * Checks a map of `algorithm:id` to one-time or fallback keys: strings, or objects with `key` and `signatures`.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#one-time-and-fallback-keys
 */
export function readOneTimeKeys(value: Json | undefined): Checked<readonly OneTimeKey[]> {
  if (!isObject(value)) return fault('not an object')
  const names = Object.keys(value)
  if (names.length > limits.oneTimeKeysPerUpload)
    return fault(`more than ${limits.oneTimeKeysPerUpload} keys`)
  const keys: OneTimeKey[] = []
  for (const name of names) {
    const id = parseKeyId(name)
    if (id === undefined) return fault('a name is not of the form algorithm:id')
    const json = oneTimeKeyJson(value[name])
    if (json === undefined) return fault(`${name} is not a key`)
    keys.push({ algorithm: id.algorithm, keyId: id.name, json })
  }
  return { ok: true, value: keys }
}

/** Canonical JSON of a one-time key; undefined where it is none. */
export function oneTimeKeyJson(value: Json | undefined): string | undefined {
  if (typeof value !== 'string') {
    if (!isObject(value) || typeof value['key'] !== 'string' || !isObject(value['signatures']))
      return undefined
    for (const byKey of Object.values(value['signatures'])) {
      if (!isObject(byKey) || !Object.values(byKey).every(isShort)) return undefined
    }
  }
  const text = tryCanonicalJson(value)
  return text.ok && utf8Length(text.text) <= limits.oneTimeKeyBytes ? text.text : undefined
}

/** A map of user ids to maps of device ids, as several requests have it; the values are not looked at. */
export function readUserMap(value: Json | undefined): Checked<Map<string, JsonObject>> {
  if (!isObject(value)) return fault('not an object')
  const users = new Map<string, JsonObject>()
  for (const userId of Object.keys(value)) {
    const inner = value[userId]
    if (!isUserId(userId)) return fault('a member is not named by a user id')
    if (!isObject(inner)) return fault(`the member ${userId} is not an object`)
    if (!Object.keys(inner).every(isDeviceId))
      return fault(`the member ${userId} has a name that is no device id`)
    users.set(userId, inner)
  }
  return { ok: true, value: users }
}
