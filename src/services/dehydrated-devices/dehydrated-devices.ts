import { badJson, forbidden, invalidParam, MatrixError, notFound } from '../../core/errors.js'
import { tryCanonicalJson } from '../../core/json/canonical.js'
import { parseJson } from '../../core/json/parse.js'
import { isObject, type Json, type JsonObject } from '../../core/json/value.js'
import type { Notifier } from '../../platform/notifier.js'
import type { Random } from '../../platform/random.js'
import {
  dehydratedDeviceOf,
  insertDehydratedDevice,
  type DehydratedDeviceRow,
} from '../../storage/tables/dehydrated-devices.js'
import { deviceById } from '../../storage/tables/devices.js'
import type { Store } from '../../storage/tx.js'
import { deviceWish, type Devices } from '../devices/devices.js'
import type { E2ee } from '../e2ee/e2ee.js'
import { readKeyUpload } from '../e2ee/upload-keys.js'
import type { Requester } from '../requester.js'
import type { ToDevice, ToDeviceEvent } from '../to-device/to-device.js'

/** A page of what was sent to a dehydrated device. */
export interface DehydratedEvents {
  readonly events: readonly ToDeviceEvent[]
  /** Where the next page begins. */
  readonly next_batch: string
  readonly more: boolean
}

/**
 * A device that a client has put here under a key of the user's, so that what others encrypt to it is there for whoever takes it over:
 * messages reach a user who is logged in nowhere. There is one for each user, a device like others to everybody else. NOTSPEC: MSC3814.
 */
export interface DehydratedDevices {
  /** In the place of the one before. Throws M_BAD_JSON, M_INVALID_PARAM, M_TOO_LARGE, M_FORBIDDEN (the id is that of another device). */
  put(requester: Requester, body: JsonObject): Promise<{ device_id: string }>
  /** Throws M_NOT_FOUND. */
  get(requester: Requester): Promise<{ device_id: string; device_data: JsonObject }>
  /** Throws M_NOT_FOUND. */
  delete(requester: Requester): Promise<{ device_id: string }>
  /**
   * What waits for it, the oldest first; nothing is deleted, so that another client may begin again. `from`: of an earlier page.
   * Throws M_FORBIDDEN where the device is not the user's dehydrated one, M_INVALID_PARAM.
   */
  events(requester: Requester, deviceId: string, from: string | undefined): Promise<DehydratedEvents>
}

/** Bytes; a device of a hundred keys has 5 KiB. */
const MAX_DATA = 65_536
const TOKEN = /^[0-9]{1,15}$/

export function createDehydratedDevices(deps: {
  readonly store: Store
  readonly random: Random
  readonly notifier: Notifier
  readonly devices: Pick<Devices, 'ensure' | 'remove' | 'committed'>
  readonly e2ee: Pick<E2ee, 'storeKeys' | 'afterDevicesChanged'>
  readonly toDevice: Pick<ToDevice, 'toDeviceFor'>
}): DehydratedDevices {
  const { store, random, notifier, devices, e2ee, toDevice } = deps

  async function existing({ userId }: Requester): Promise<DehydratedDeviceRow> {
    const row = await store.read('dehydrated.get', () => dehydratedDeviceOf(userId))
    if (row === undefined) throw notFound('There is no dehydrated device')
    return row
  }

  return {
    async put({ userId }, body) {
      const { device_id: deviceId, initial_device_display_name: name } = body
      if (typeof deviceId !== 'string') throw badJson('device_id must be a string')
      if (name !== undefined && name !== null && typeof name !== 'string')
        throw badJson('initial_device_display_name must be a string')
      const wish = deviceWish(random, deviceId, name ?? undefined)
      const data = readData(body['device_data'])
      const upload = readKeyUpload(userId, deviceId, body)
      if (upload.deviceKeys === undefined) throw badJson('device_keys: not an object')
      const changes = await store.write('dehydrated.put', function* () {
        const before = yield* dehydratedDeviceOf(userId)
        if (before?.device_id !== deviceId && (yield* deviceById(userId, deviceId)) !== undefined)
          throw forbidden('There is another device of this id')
        const removed = before === undefined ? [] : [yield* devices.remove(userId, [before.device_id])]
        const made = yield* devices.ensure(userId, wish)
        yield* insertDehydratedDevice(userId, { device_id: deviceId, data })
        yield* e2ee.storeKeys(userId, deviceId, upload)
        return [...removed, made]
      })
      for (const change of changes) devices.committed(change)
      notifier.notify([userId])
      await e2ee.afterDevicesChanged(userId)
      return { device_id: deviceId }
    },

    async get(requester) {
      const row = await existing(requester)
      const data = parseJson(row.data)
      if (!data.ok || !isObject(data.value)) throw new Error('a dehydrated device has no data')
      return { device_id: row.device_id, device_data: data.value }
    },

    async delete(requester) {
      const { device_id: deviceId } = await existing(requester)
      devices.committed(
        await store.write('dehydrated.delete', () => devices.remove(requester.userId, [deviceId])),
      )
      return { device_id: deviceId }
    },

    async events({ userId }, deviceId, from) {
      if (from !== undefined && !TOKEN.test(from)) throw invalidParam('from is no token of this endpoint')
      const upTo = await store.position()
      const batch = await store.read('dehydrated.events', function* () {
        if ((yield* dehydratedDeviceOf(userId))?.device_id !== deviceId) return undefined
        return yield* toDevice.toDeviceFor(userId, deviceId, Number(from ?? 0), upTo)
      })
      if (batch === undefined) throw forbidden('This is not your dehydrated device')
      return { events: batch.events, next_batch: String(batch.upTo), more: batch.more }
    },
  }
}

function readData(value: Json | undefined): string {
  if (!isObject(value)) throw badJson('device_data must be an object')
  if (typeof value['algorithm'] !== 'string') throw badJson('device_data has no algorithm')
  const text = tryCanonicalJson(value)
  if (!text.ok) throw badJson(`device_data: ${text.reason}`)
  if (Buffer.byteLength(text.text) > MAX_DATA)
    throw new MatrixError('M_TOO_LARGE', `device_data has at most ${MAX_DATA} bytes`)
  return text.text
}
