import { SERVER, userActor, type Actor } from '../../core/audit/acts.js'
import { isDeviceId } from '../../core/ids/device-id.js'
import { isLegalText } from '../../core/ids/common.js'
import { invalidParam, MatrixError, notFound } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import type { Random } from '../../platform/random.js'
import * as rows from '../../storage/tables/devices.js'
import { deleteDeviceTokens } from '../../storage/tables/tokens.js'
import type { Store, Tx } from '../../storage/tx.js'
import { NO_AUDIT, type AuditTrail } from '../audit/trail.js'
import type { TokenCache } from './token-cache.js'

/** Runs inside the transaction that deletes or renames devices; no side effects but queries. */
export type DeviceHook = (userId: string, deviceIds: readonly string[]) => Tx<void>

export interface DevicesDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly tokenCache: TokenCache
  /** Whoever keeps data of devices (keys, to-device messages, pushers) deletes them here. */
  readonly onDeleted: readonly DeviceHook[]
  readonly onRenamed: readonly DeviceHook[]
  /** After the commit of either: wake polls, tell other servers. */
  afterChange?(userId: string, deviceIds: readonly string[]): void
  readonly audit?: AuditTrail
  readonly options?: DeviceOptions
}

export interface DeviceOptions {
  /** A further log-in ends the session that was idle for longest. Default 300. */
  readonly maxPerUser?: number
}

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devices */
export interface Device {
  readonly device_id: string
  readonly display_name?: string
  readonly last_seen_ip?: string
  readonly last_seen_ts?: number
}

export interface Devices {
  list(userId: string): Promise<readonly Device[]>
  /** Throws M_NOT_FOUND. */
  get(userId: string, deviceId: string): Promise<Device>
  /** Throws M_NOT_FOUND, M_TOO_LARGE. An undefined name changes nothing. */
  rename(userId: string, deviceId: string, displayName: string | undefined): Promise<void>
  /** For application services: creates or renames; gives true when the device is new. */
  createOrRename(userId: string, deviceId: string, displayName: string | undefined): Promise<boolean>
  /** Deletes those that exist, with their tokens and all that hooks hold of them. `by`: who, unless it is the user. */
  delete(userId: string, deviceIds: readonly string[], by?: Actor): Promise<void>

  /**
   * For a log-in: makes sure of the device and drops its old tokens; `deviceId` undefined picks one. The result goes to
   * `committed` once the transaction is on disk.
   */
  ensure(userId: string, device: DeviceWish): Tx<DeviceChange>
  /** Pre: part of a larger body. Post: the devices are gone; the result goes to `committed`. */
  remove(userId: string, deviceIds: readonly string[], by?: Actor): Tx<DeviceChange>
  /** All devices but one. */
  removeOthers(userId: string, keep: string | undefined, by?: Actor): Tx<DeviceChange>
  committed(change: DeviceChange): void
}

/** A device as a client asks for it at log-in; checked and shortened by `deviceWish`. */
export interface DeviceWish {
  readonly deviceId: string
  readonly displayName: string | null
}

export interface DeviceChange {
  readonly userId: string
  /** Devices whose cached tokens are void. */
  readonly forget: readonly string[]
  readonly deleted: readonly string[]
}

const MAX_NAME = 100
const MAX_DELETED_AT_ONCE = 1_000
/** Devices that an entry of the audit log names. */
const MAX_NAMED = 10

function checkName(name: string): void {
  if (name.length > MAX_NAME * 2 || Array.from(name).length > MAX_NAME)
    throw new MatrixError('M_TOO_LARGE', `A device name has at most ${MAX_NAME} characters`, {}, 400)
  if (!isLegalText(name)) throw invalidParam('The device name contains a NUL character')
}

export function checkDeviceId(deviceId: string): void {
  if (!isDeviceId(deviceId))
    throw invalidParam('The device id is empty, longer than 255 bytes or contains NUL')
}

/** Checks the device that a client names at log-in. Throws M_INVALID_PARAM. A name too long is cut, not refused. */
export function deviceWish(
  random: Random,
  deviceId: string | undefined,
  displayName: string | undefined,
): DeviceWish {
  if (deviceId !== undefined) checkDeviceId(deviceId)
  return {
    deviceId: deviceId ?? random.string(10, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'),
    displayName:
      displayName === undefined
        ? null
        : Array.from(displayName.replaceAll('\0', '')).slice(0, MAX_NAME).join(''),
  }
}

function toDevice(row: rows.DeviceRow): Device {
  return {
    device_id: row.device_id,
    ...(row.display_name === null ? {} : { display_name: row.display_name }),
    ...(row.last_seen_ip === null ? {} : { last_seen_ip: row.last_seen_ip }),
    ...(row.last_seen_ts === null ? {} : { last_seen_ts: row.last_seen_ts }),
  }
}

export function createDevices(deps: DevicesDeps): Devices {
  const { store, clock, tokenCache, onDeleted, onRenamed, audit = NO_AUDIT } = deps
  const maxPerUser = deps.options?.maxPerUser ?? 300

  function* remove(
    userId: string,
    deviceIds: readonly string[],
    by: Actor = userActor(userId),
  ): Tx<DeviceChange> {
    const existing = yield* rows.existingDeviceIds(userId, deviceIds)
    if (existing.length > 0) {
      yield* deleteDeviceTokens(userId, existing)
      yield* rows.deleteDeviceRows(userId, existing)
      for (const hook of onDeleted) yield* hook(userId, existing)
      const devices = existing.slice(0, MAX_NAMED).join(' ')
      yield* audit.record({
        act: 'session.ended',
        by,
        on: userId,
        details: { sessions: existing.length, devices },
      })
    }
    return { userId, forget: existing, deleted: existing }
  }

  function* renameIn(userId: string, deviceId: string, displayName: string): Tx<boolean> {
    if (!(yield* rows.renameDevice(userId, deviceId, displayName))) return false
    for (const hook of onRenamed) yield* hook(userId, [deviceId])
    return true
  }

  const devices: Devices = {
    async list(userId) {
      const found = await store.read('devices.list', () => rows.devicesOfUser(userId))
      return found.map(toDevice)
    },
    async get(userId, deviceId) {
      checkDeviceId(deviceId)
      const row = await store.read('devices.get', () => rows.deviceById(userId, deviceId))
      if (row === undefined) throw notFound('No such device')
      return toDevice(row)
    },
    async rename(userId, deviceId, displayName) {
      if (displayName === undefined) {
        await devices.get(userId, deviceId)
        return
      }
      checkDeviceId(deviceId)
      checkName(displayName)
      const known = await store.write('devices.rename', () => renameIn(userId, deviceId, displayName))
      if (!known) throw notFound('No such device')
      deps.afterChange?.(userId, [deviceId])
    },
    async createOrRename(userId, deviceId, displayName) {
      checkDeviceId(deviceId)
      if (displayName !== undefined) checkName(displayName)
      const created = await store.write('devices.createOrRename', function* () {
        const isNew = yield* rows.insertDevice({
          userId,
          deviceId,
          displayName: displayName ?? null,
          createdTs: clock.now(),
        })
        if (!isNew && displayName !== undefined) yield* renameIn(userId, deviceId, displayName)
        return isNew
      })
      deps.afterChange?.(userId, [deviceId])
      return created
    },
    async delete(userId, deviceIds, by) {
      if (deviceIds.length > MAX_DELETED_AT_ONCE)
        throw invalidParam(`At most ${MAX_DELETED_AT_ONCE} devices can be deleted at once`)
      for (const deviceId of deviceIds) checkDeviceId(deviceId)
      devices.committed(await store.write('devices.delete', () => remove(userId, deviceIds, by)))
    },
    *ensure(userId, wish) {
      const isNew = yield* rows.insertDevice({ userId, ...wish, createdTs: clock.now() })
      if (!isNew) {
        yield* deleteDeviceTokens(userId, [wish.deviceId])
        return { userId, forget: [wish.deviceId], deleted: [] }
      }
      const surplus = yield* rows.surplusDevices(userId, maxPerUser, wish.deviceId)
      return yield* remove(userId, surplus, SERVER)
    },
    remove,
    *removeOthers(userId, keep, by) {
      const all = yield* rows.devicesOfUser(userId)
      return yield* remove(
        userId,
        all.map((row) => row.device_id).filter((id) => id !== keep),
        by,
      )
    },
    committed(change) {
      if (change.forget.length > 0) tokenCache.forget(change.userId, change.forget)
      if (change.deleted.length > 0) deps.afterChange?.(change.userId, change.deleted)
    },
  }
  return devices
}
