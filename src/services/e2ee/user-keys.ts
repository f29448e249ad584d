import { appendTo } from '../../core/append-to.js'
import { isObject, type JsonObject, ownValue } from '../../core/json/value.js'
import {
  crossSigningKeysOf,
  signaturesFor,
  type KeySignatureRow,
} from '../../storage/tables/cross-signing.js'
import { deviceKeysOfUsers, localDevicesOf, remoteDevicesOf } from '../../storage/tables/device-keys.js'
import type { Tx } from '../../storage/tx.js'

/** All keys of one user that somebody may see. */
export interface UserKeys {
  /** Devices with keys, by id; the name of a device in `unsigned.device_display_name`. */
  readonly devices: Map<string, JsonObject>
  master?: JsonObject
  selfSigning?: JsonObject
  userSigning?: JsonObject
}

/** No user has this id: another server looks, and sees the owners' signatures alone. */
export const ANOTHER_SERVER = ''

/** The object with this signature among its signatures. */
export function withSignature(
  object: JsonObject,
  row: Pick<KeySignatureRow, 'signer_user' | 'signer_key' | 'signature'>,
): JsonObject {
  const all = isObject(object['signatures']) ? object['signatures'] : {}
  const mine = ownValue(all, row.signer_user)
  return {
    ...object,
    signatures: {
      ...all,
      [row.signer_user]: { ...(isObject(mine) ? mine : {}), [row.signer_key]: row.signature },
    },
  }
}

interface DeviceJson {
  readonly user_id: string
  readonly device_id: string
  readonly display_name: string | null
  readonly json: string | null
}

function* assemble(
  userIds: readonly string[],
  viewer: string,
  devices: readonly DeviceJson[],
): Tx<Map<string, UserKeys>> {
  const crossSigning = yield* crossSigningKeysOf(userIds)
  const signatures = yield* signaturesFor(userIds, viewer)
  const byTarget = new Map<string, KeySignatureRow[]>()
  for (const row of signatures) {
    const target = `${row.target_user} ${row.target_key}`
    appendTo(byTarget, target, row)
  }
  const signed = (userId: string, key: string, json: string): JsonObject =>
    (byTarget.get(`${userId} ${key}`) ?? []).reduce(withSignature, JSON.parse(json) as JsonObject)

  const users = new Map<string, UserKeys>(userIds.map((userId) => [userId, { devices: new Map() }]))
  for (const row of devices) {
    if (row.json === null) continue
    const object = signed(row.user_id, row.device_id, row.json)
    const named =
      row.display_name === null ? object : { ...object, unsigned: { device_display_name: row.display_name } }
    users.get(row.user_id)?.devices.set(row.device_id, named)
  }
  for (const row of crossSigning) {
    const user = users.get(row.user_id)
    if (user === undefined) continue
    const object = signed(row.user_id, row.public_key, row.json)
    if (row.usage === 'master') user.master = object
    else if (row.usage === 'self_signing') user.selfSigning = object
    else if (row.user_id === viewer) user.userSigning = object
  }
  return users
}

/**
 * Keys of local users as `viewer` sees them: signatures by the owner and by the viewer, the user-signing key only
 * their own. Every user of the list has an entry.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#key-and-signature-security
 */
export function* localUserKeys(
  userIds: readonly string[],
  viewer: string,
  displayNames: boolean,
): Tx<Map<string, UserKeys>> {
  const keys = yield* deviceKeysOfUsers(userIds)
  const names = new Map<string, string | null>()
  if (displayNames) {
    for (const device of yield* localDevicesOf(userIds))
      names.set(`${device.user_id} ${device.device_id}`, device.display_name)
  }
  const devices = keys.map((row) => ({
    ...row,
    display_name: names.get(`${row.user_id} ${row.device_id}`) ?? null,
  }))
  return yield* assemble(userIds, viewer, devices)
}

/** Keys of remote users from the cache, as the local user `viewer` sees them. */
export function* cachedUserKeys(userIds: readonly string[], viewer: string): Tx<Map<string, UserKeys>> {
  return yield* assemble(userIds, viewer, yield* remoteDevicesOf(userIds))
}
