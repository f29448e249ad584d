import type { JsonObject } from '../../core/json/value.js'
import { localDevicesOf } from '../../storage/tables/device-keys.js'
import { insertDeviceListChange, lastDeviceListChange } from '../../storage/tables/device-list-changes.js'
import { serversSharingRoomsWith } from '../../storage/tables/memberships.js'
import { enqueueEdus, type OutboxEdu } from '../../storage/tables/outbox.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import type { Tx } from '../../storage/tx.js'
import { ANOTHER_SERVER, localUserKeys } from './user-keys.js'

/** Whom to wake once a transaction is durable. */
export interface Wake {
  /** Their own syncs, and those of everybody here who shares a room with them. */
  readonly sharersOf: readonly string[]
  /** Their own syncs alone. */
  readonly users: readonly string[]
  readonly destinations: readonly string[]
}

export const NOBODY: Wake = { sharersOf: [], users: [], destinations: [] }

export const joinWakes = (a: Wake, b: Wake): Wake => ({
  sharersOf: [...new Set([...a.sharersOf, ...b.sharersOf])],
  users: [...new Set([...a.users, ...b.users])],
  destinations: [...new Set([...a.destinations, ...b.destinations])],
})

/**
 * One update for each destination at a time: what a server that was away missed in between shows as a gap in `prev_id`,
 * and it fetches the whole list. So a dead server costs one row for each user.
 */
const deviceListKey = (userId: string): string => `device_list ${userId}`

/** What `m.device_list_update` says of a device: its keys, or that it is gone. */
function* describeDevice(userId: string, deviceId: string, displayNames: boolean): Tx<JsonObject> {
  const exists = (yield* localDevicesOf([userId])).find((device) => device.device_id === deviceId)
  if (exists === undefined) return { user_id: userId, device_id: deviceId, deleted: true }
  const keys = (yield* localUserKeys([userId], ANOTHER_SERVER, false)).get(userId)?.devices.get(deviceId)
  return {
    user_id: userId,
    device_id: deviceId,
    deleted: false,
    ...(displayNames && exists.display_name !== null ? { device_display_name: exists.display_name } : {}),
    ...(keys === undefined ? {} : { keys }),
  }
}

function toEach(
  destinations: readonly string[],
  eduType: string,
  coalesceKey: string,
  content: JsonObject,
): OutboxEdu[] {
  const text = JSON.stringify(content)
  return destinations.map((destination) => ({ destination, eduType, coalesceKey, content: text }))
}

/**
 * Post: these devices of a local user are told as new, changed or deleted to everybody who shares a room with them, here
 * and, through the outbox, on other servers. Pre: the change itself was made in this body.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#device-management
 */
export function* publishDevices(
  userId: string,
  deviceIds: readonly string[],
  displayNames: boolean,
): Tx<Wake> {
  const last = deviceIds.at(-1)
  if (last === undefined) return NOBODY
  const destinations = yield* serversSharingRoomsWith(userId)
  const device = destinations.length === 0 ? undefined : yield* describeDevice(userId, last, displayNames)
  const previous = yield* lastDeviceListChange(userId)
  const pos = yield* allocatePosition()
  yield* insertDeviceListChange(userId, pos)
  if (device !== undefined) {
    // An update without predecessor makes its receiver fetch the list: one message for any number of devices.
    const prev = deviceIds.length > 1 || previous === undefined ? [] : [previous]
    const content = { ...device, stream_id: pos, prev_id: prev }
    yield* enqueueEdus(toEach(destinations, 'm.device_list_update', deviceListKey(userId), content))
  }
  return { sharersOf: [userId], users: [], destinations }
}

/** Post: as `publishDevices`, for the user's master and self-signing key. */
export function* publishSigningKeys(userId: string): Tx<Wake> {
  const destinations = yield* serversSharingRoomsWith(userId)
  if (destinations.length > 0) {
    const keys = (yield* localUserKeys([userId], ANOTHER_SERVER, false)).get(userId)
    const content: JsonObject = {
      user_id: userId,
      ...(keys?.master === undefined ? {} : { master_key: keys.master }),
      ...(keys?.selfSigning === undefined ? {} : { self_signing_key: keys.selfSigning }),
    }
    // Servers of before v1.1 know the second name alone.
    for (const type of ['m.signing_key_update', 'org.matrix.signing_key_update'])
      yield* enqueueEdus(toEach(destinations, type, `${type} ${userId}`, content))
  }
  const pos = yield* allocatePosition()
  yield* insertDeviceListChange(userId, pos)
  return { sharersOf: [userId], users: [], destinations }
}

/**
 * Post: servers that begin to share a room with a local user will fetch the user's devices.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#device-management
 */
export function* announceDevicesTo(
  userId: string,
  destinations: readonly string[],
  displayNames: boolean,
): Tx<void> {
  const streamId = yield* lastDeviceListChange(userId)
  const [device] = yield* localDevicesOf([userId])
  if (device === undefined || destinations.length === 0) return
  const content = {
    ...(yield* describeDevice(userId, device.device_id, displayNames)),
    // A list that has never changed is at its beginning.
    stream_id: streamId ?? 0,
    prev_id: [],
  }
  yield* enqueueEdus(toEach(destinations, 'm.device_list_update', deviceListKey(userId), content))
}
