import { isDeviceId } from '../../core/ids/device-id.js'
import { isLegalText } from '../../core/ids/common.js'
import { isObject, type Json, type JsonObject, ownValue } from '../../core/json/value.js'
import type { CrossSigningKeyRow, KeyUsage } from '../../storage/tables/cross-signing.js'
import type { RemoteDeviceRow } from '../../storage/tables/device-keys.js'
import { readCrossSigningKey, readDeviceKeys } from './key-formats.js'
import { limits } from './limits.js'
import type { UserKeys } from './user-keys.js'

/** A user's list as their server gave it, checked. */
export interface RemoteList {
  readonly streamId: number
  readonly devices: readonly RemoteDeviceRow[]
  readonly keys: readonly CrossSigningKeyRow[]
}

export const isStreamId = (value: Json | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0

/** A device's name as others may see it; null where it has none or it cannot be stored. */
export function displayNameOf(value: Json | undefined): string | null {
  if (typeof value !== 'string' || !isLegalText(value)) return null
  return Array.from(value.slice(0, 2 * limits.displayNameLength))
    .slice(0, limits.displayNameLength)
    .join('')
}

/** Keys of a device as they are stored: null for none, and for what is none. */
export function remoteDeviceKeys(value: Json | undefined, userId: string, deviceId: string): string | null {
  const keys = readDeviceKeys(value, userId, deviceId, false)
  return keys.ok ? keys.value.json : null
}

/** A cross-signing key as it is stored; undefined where there is none. */
export function remoteSigningKey(
  value: Json | undefined,
  userId: string,
  usage: KeyUsage,
): CrossSigningKeyRow | undefined {
  if (value === undefined) return undefined
  const key = readCrossSigningKey(value, userId, usage)
  if (!key.ok) return undefined
  return { user_id: userId, usage, public_key: key.value.publicKey, json: key.value.json }
}

/** The answer to `GET /user/devices/{userId}`; undefined where it is not usable. */
export function readUserDevices(answer: Json, userId: string): RemoteList | undefined {
  if (!isObject(answer)) return undefined
  const streamId = ownValue(answer, 'stream_id')
  const list = ownValue(answer, 'devices')
  if (!isStreamId(streamId) || !Array.isArray(list)) return undefined
  const devices = new Map<string, RemoteDeviceRow>()
  for (const device of list as readonly Json[]) {
    if (devices.size >= limits.remoteDevices) break
    if (!isObject(device)) continue
    const deviceId = ownValue(device, 'device_id')
    if (typeof deviceId !== 'string' || !isDeviceId(deviceId)) continue
    devices.set(deviceId, {
      user_id: userId,
      device_id: deviceId,
      display_name: displayNameOf(ownValue(device, 'device_display_name')),
      json: remoteDeviceKeys(ownValue(device, 'keys'), userId, deviceId),
    })
  }
  const keys = [
    remoteSigningKey(ownValue(answer, 'master_key'), userId, 'master'),
    remoteSigningKey(ownValue(answer, 'self_signing_key'), userId, 'self_signing'),
  ].filter((key) => key !== undefined)
  return { streamId, devices: [...devices.values()], keys }
}

/** The part about one user in an answer to `POST /user/keys/query`. */
export function readQueriedKeys(answer: Json, userId: string): UserKeys | undefined {
  if (!isObject(answer)) return undefined
  const part = (name: string): Json | undefined => {
    const users = ownValue(answer, name)
    return isObject(users) ? ownValue(users, userId) : undefined
  }
  const found: UserKeys = { devices: new Map() }
  const devices = part('device_keys')
  if (isObject(devices)) {
    for (const deviceId of Object.keys(devices).slice(0, limits.remoteDevices)) {
      const value = devices[deviceId]
      const keys = isDeviceId(deviceId) ? readDeviceKeys(value, userId, deviceId, false) : undefined
      if (keys?.ok !== true) continue
      found.devices.set(deviceId, withName(keys.value.object, value))
    }
  }
  const master = readCrossSigningKey(part('master_keys'), userId, 'master')
  if (master.ok) found.master = master.value.object
  const selfSigning = readCrossSigningKey(part('self_signing_keys'), userId, 'self_signing')
  if (selfSigning.ok) found.selfSigning = selfSigning.value.object
  return isObject(devices) || found.master !== undefined ? found : undefined
}

function withName(keys: JsonObject, given: Json | undefined): JsonObject {
  const unsigned = isObject(given) ? ownValue(given, 'unsigned') : undefined
  const name = isObject(unsigned) ? displayNameOf(ownValue(unsigned, 'device_display_name')) : null
  return name === null ? keys : { ...keys, unsigned: { device_display_name: name } }
}
