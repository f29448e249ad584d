import type { Clock } from '../../platform/clock.js'
import { recordLastSeen, type LastSeen } from '../../storage/tables/devices.js'
import type { Store } from '../../storage/tx.js'

/** When and from where devices were seen, gathered in memory and written in batches: a request must not cost a write. */
export interface LastSeenRecorder {
  seen(userId: string, deviceId: string, ip: string, userAgent: string | undefined): void
  /** Writes what was gathered. To be called every minute or so, and before the end. */
  flush(): Promise<void>
}

const MAX_PENDING = 50_000
const BATCH = 500
const MAX_USER_AGENT = 500

export function createLastSeen(store: Store, clock: Pick<Clock, 'now'>): LastSeenRecorder {
  let pending = new Map<string, Map<string, LastSeen>>()
  let size = 0

  return {
    seen(userId, deviceId, ip, userAgent) {
      let devices = pending.get(userId)
      if (devices === undefined) pending.set(userId, (devices = new Map<string, LastSeen>()))
      if (!devices.has(deviceId)) {
        // Until the next flush the newcomers of a crowd are not noted; nothing but a date is lost.
        if (size >= MAX_PENDING) return
        size++
      }
      devices.set(deviceId, {
        userId,
        deviceId,
        ts: clock.now(),
        ip,
        userAgent: userAgent === undefined ? null : userAgent.slice(0, MAX_USER_AGENT),
      })
    },
    async flush() {
      const all = [...pending.values()].flatMap((devices) => [...devices.values()])
      pending = new Map()
      size = 0
      for (let at = 0; at < all.length; at += BATCH) {
        const batch = all.slice(at, at + BATCH)
        await store.write('sessions.lastSeen', () => recordLastSeen(batch))
      }
    },
  }
}
