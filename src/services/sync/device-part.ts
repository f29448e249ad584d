import { createLru } from '../../platform/lru.js'
import type { Store } from '../../storage/tx.js'
import { deviceNews } from '../../storage/tables/device-news.js'
import type { DeviceLists } from '../e2ee/device-list-stream.js'
import type { DeviceKeyCounts, E2ee } from '../e2ee/e2ee.js'
import type { ToDevice, ToDeviceBatch } from '../to-device/to-device.js'

export interface DeviceRange {
  readonly userId: string
  readonly deviceId: string
  /** Messages to the device after this position; undefined: none are asked for. */
  readonly toDeviceFrom: number | undefined
  /** Messages at most. */
  readonly limit?: number
  /** Changes of device lists after this position; undefined: none are asked for. */
  readonly listsFrom: number | undefined
  readonly upTo: number
}

/** What a device is told of encryption. */
export interface DevicePart {
  readonly batch: ToDeviceBatch
  readonly counts: DeviceKeyCounts
  readonly lists: DeviceLists
}

export interface DeviceParts {
  read(range: DeviceRange): Promise<DevicePart>
}

export function createDeviceParts(deps: {
  readonly store: Store
  readonly e2ee: Pick<E2ee, 'deviceListsBetween' | 'otkCounts'>
  readonly toDevice: Pick<ToDevice, 'toDeviceFor'>
}): DeviceParts {
  /** By user and device, with the position of which they are. */
  const keyCounts = createLru<string, DeviceKeyCounts>({ max: 10_000 })

  return {
    async read({ userId, deviceId, toDeviceFrom, limit, listsFrom, upTo }) {
      const device = `${userId} ${deviceId}`
      const found = await deps.store.read('sync.e2ee', function* () {
        const news = yield* deviceNews(userId, deviceId, toDeviceFrom ?? upTo, listsFrom ?? upTo, upTo)
        const known = keyCounts.get(device)
        return {
          batch:
            news.to_device === 1 && toDeviceFrom !== undefined
              ? yield* deps.toDevice.toDeviceFor(userId, deviceId, toDeviceFrom, upTo, limit)
              : { events: [], upTo, more: false },
          counts:
            known !== undefined && (known.pos ?? null) === news.counts_pos
              ? known
              : yield* deps.e2ee.otkCounts(userId, deviceId),
          lists:
            listsFrom === undefined || news.lists === 0
              ? { changed: [], left: [] }
              : yield* deps.e2ee.deviceListsBetween(userId, listsFrom, upTo),
        }
      })
      keyCounts.set(device, found.counts)
      return found
    },
  }
}
