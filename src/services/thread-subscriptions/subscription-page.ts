import type { JsonObject } from '../../core/json/value.js'
import {
  threadSubscriptionsBetween,
  type ThreadSubscriptionRow,
} from '../../storage/tables/thread-subscriptions.js'
import type { Tx } from '../../storage/tx.js'

/** Changes of the threads that a user follows, of each the last. */
export interface SubscriptionPage {
  /** `subscribed` and `unsubscribed`, where there are any. NOTSPEC: MSC4308. */
  readonly json: JsonObject
  /** Where the earlier ones begin that did not fit; undefined where all did. */
  readonly earlier: number | undefined
}

const grouped = (
  rows: readonly ThreadSubscriptionRow[],
  show: (row: ThreadSubscriptionRow) => JsonObject,
): JsonObject | undefined => {
  const rooms = new Map<string, [string, JsonObject][]>()
  for (const row of rows) {
    const threads = rooms.get(row.room_id) ?? []
    threads.push([row.root, show(row)])
    rooms.set(row.room_id, threads)
  }
  if (rooms.size === 0) return undefined
  return Object.fromEntries([...rooms].map(([roomId, threads]) => [roomId, Object.fromEntries(threads)]))
}

/** The latest changes after `from`, up to and with `to`. Who begins at 0 knows of no thread that is followed no more. */
export function* subscriptionPage(
  userId: string,
  from: number,
  to: number,
  limit: number,
): Tx<SubscriptionPage> {
  const found = yield* threadSubscriptionsBetween(userId, from, to, limit + 1)
  const rows = found.slice(0, limit)
  const subscribed = grouped(
    rows.filter((row) => row.subscribed === 1),
    (row) => ({ automatic: row.automatic === 1, bump_stamp: row.pos }),
  )
  const unsubscribed = grouped(
    rows.filter((row) => row.subscribed === 0 && from > 0),
    (row) => ({ bump_stamp: row.pos }),
  )
  return {
    json: {
      ...(subscribed === undefined ? {} : { subscribed }),
      ...(unsubscribed === undefined ? {} : { unsubscribed }),
    },
    earlier: found.length > limit ? rows.at(-1)!.pos - 1 : undefined,
  }
}
