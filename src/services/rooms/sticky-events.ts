import { allocatePosition } from '../../storage/tables/positions.js'
import {
  deleteStickyUntil,
  hiddenStickyOf,
  showSticky,
  stickyUntilOf,
} from '../../storage/tables/sticky-events.js'
import { isAllowedNow } from './apply-event.js'
import type { RoomsContext } from './context.js'

/** Events that reach everybody for as long as they stick. NOTSPEC: MSC4354. */
export interface StickyEvents {
  /** Until when events stick, by nid; those that do not are left out. */
  untilOf(nids: readonly number[]): Promise<ReadonlyMap<number, number>>
  /** After these users have come into the room: what they said before, and may say as the room is now, is shown. Gives whether there is any. */
  judgeAnew(roomId: string, userIds: readonly string[]): Promise<boolean>
  /** Job: forgets what sticks no more. Gives how many there were. */
  prune(): Promise<number>
}

export function createStickyEvents(context: RoomsContext): StickyEvents {
  const { store, clock } = context

  return {
    async untilOf(nids) {
      const rows = await store.read('sticky.until', () => stickyUntilOf(nids))
      return new Map(rows.map((row) => [row.event_nid, row.until_ts]))
    },

    async judgeAnew(roomId, userIds) {
      const room = await context.loader.load(roomId)
      if (room === undefined) return false
      const hidden = await store.read('sticky.hidden', () => hiddenStickyOf(room.nid, userIds, clock.now()))
      if (hidden.length === 0) return false
      const events = await context.events.byNids(hidden)
      const allowed = await context.writer.write(roomId, async (working) => {
        const nids: number[] = []
        for (const [nid, { event }] of events)
          if (await isAllowedNow(working, event, context.local)) nids.push(nid)
        return nids
      })
      for (const nid of allowed) {
        await store.write('sticky.show', function* () {
          yield* showSticky(nid, yield* allocatePosition())
        })
      }
      return allowed.length > 0
    },

    prune: () => store.write('sticky.prune', () => deleteStickyUntil(clock.now())),
  }
}
