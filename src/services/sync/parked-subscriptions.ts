import type { Subscription } from '../../platform/notifier.js'
import type { Viewer } from '../timeline/client-view.js'

/**
 * Between two long polls of a device its subscription stays open. When the next poll comes with the token of the last
 * answer and nothing has woken the subscription meanwhile, there is nothing to compute: it can wait at once. That halves
 * the work of a client that always polls.
 */
export interface ParkedSubscriptions {
  /** What is kept under this token, taken out; undefined when the device has nothing or comes with another token. */
  take(viewer: Viewer, token: string): Parked | undefined
  /**
   * Pre: the subscription was opened before the answer was computed, and the answer holds all that there was up to `token`.
   * Keeps it until the device's next poll, or until many others were kept after it.
   */
  park(viewer: Viewer, parked: Parked): void
}

export interface Parked {
  /** The `next_batch` of the last answer. */
  readonly token: string
  readonly subscription: Subscription
  /** The last answer brought messages to the device, which the next request acknowledges. */
  readonly hadMessages: boolean
}

const MAX_PARKED = 20_000

export function createParkedSubscriptions(max = MAX_PARKED): ParkedSubscriptions {
  const byDevice = new Map<string, Parked>()
  const keyOf = ({ userId, deviceId }: Viewer): string => JSON.stringify([userId, deviceId])

  return {
    take(viewer, token) {
      const key = keyOf(viewer)
      const parked = byDevice.get(key)
      if (parked === undefined) return undefined
      byDevice.delete(key)
      if (parked.token === token) return parked
      parked.subscription.close()
      return undefined
    },
    park(viewer, parked) {
      const key = keyOf(viewer)
      byDevice.get(key)?.subscription.close()
      byDevice.delete(key)
      byDevice.set(key, parked)
      if (byDevice.size <= max) return
      const [oldest, gone] = byDevice.entries().next().value!
      byDevice.delete(oldest)
      gone.subscription.close()
    },
  }
}
