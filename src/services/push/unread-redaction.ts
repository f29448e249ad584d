import { setImmediate } from 'node:timers/promises'
import type { RoomEvent } from '../../core/event/types.js'
import { liveEventNids } from '../../storage/tables/events.js'
import { countsOf, threadTally, unreadRows } from '../../storage/tables/unread.js'
import type { Store } from '../../storage/tx.js'
import type { EventStore } from '../rooms/event-store.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { UnreadEffect, UnreadOutcome, UnreadRedaction, WorkingRoom } from '../rooms/working-room.js'

type Outcome = Omit<UnreadOutcome, 'lasting'>

export interface RedactionQuestion {
  readonly room: WorkingRoom
  readonly target: StoredEvent
  /** What the target would do to the counts if it came now. */
  readonly effect: UnreadEffect
  threadOf(event: RoomEvent): Promise<string>
  /** How an event concerns those who have no rules of their own and are not named by it. */
  common(event: RoomEvent): Outcome
  /** The same for one user. */
  judgeOf(userId: string): Promise<(event: RoomEvent) => Outcome>
}

/**
 * What is redacted after so many later events of the room keeps its place in the counts until the next receipt. A receipt counts no further
 * back either (`MAX_COUNTED` of `unread.ts`), so that beyond it no count is more than about right.
 */
const MAX_LOOKED_BACK = 2_000
/** Events looked at before others get their turn. */
const BATCH = 250
/**
 * Judgements, in all, for people whom the event concerns in a way of their own: for each as many as they have not read. Who comes after them
 * keeps it in the count until the next receipt.
 */
const MAX_JUDGED = 100_000

/**
 * Finds where an event stands among what is unread: which of the tally it is, counted from its end, so that who has read it is known without a
 * row for each event (docs/adr/0006-unread-tallies.md). Pre: the room has its turn.
 */
export function createUnreadRedaction(deps: {
  readonly store: Store
  readonly events: EventStore
}): (question: RedactionQuestion) => Promise<UnreadRedaction | undefined> {
  const { store, events } = deps

  /** Later events of the thread, newest first; undefined where they are too many. */
  async function laterInThread(question: RedactionQuestion): Promise<readonly RoomEvent[] | undefined> {
    const { room, target, effect } = question
    const later: RoomEvent[] = []
    let before = Number.MAX_SAFE_INTEGER
    for (let seen = 0; ; seen += BATCH) {
      if (seen >= MAX_LOOKED_BACK) return undefined
      const to = before
      const rows = await store.read('unread.later', () =>
        liveEventNids(room.base.nid, target.pos!, to, BATCH),
      )
      const found = await events.byNids(rows.map((row) => row.nid))
      for (const row of rows) {
        before = row.pos - 1
        const stored = found.get(row.nid)
        // What was redacted before counts no more.
        if (stored === undefined || stored.redactedBy !== undefined) continue
        if ((await question.threadOf(stored.event)) === effect.thread) later.push(stored.event)
      }
      if (rows.length < BATCH) return later
      await setImmediate()
    }
  }

  return async (question) => {
    const { room, target, effect } = question
    const { thread, common, special } = effect
    const told = [...special].filter(([, outcome]) => outcome.notify).map(([userId]) => userId)
    if (!common.notify && told.length === 0) return undefined
    const later = await laterInThread(question)
    if (later === undefined) return undefined
    const after = { notify: 0, highlight: 0 }
    for (const [i, event] of later.entries()) {
      if (i % BATCH === BATCH - 1) await setImmediate()
      const outcome = question.common(event)
      after.notify += Number(outcome.notify)
      after.highlight += Number(outcome.highlight)
    }
    const { rows, tally } = await store.read('unread.special', function* () {
      return {
        rows: yield* unreadRows(room.base.nid, thread, told),
        tally: yield* threadTally(room.base.nid, thread),
      }
    })
    const unreadBy = new Set<string>()
    let judged = 0
    for (const row of tally === undefined ? [] : rows) {
      const counted = countsOf(row, tally!).notify
      if (counted === 0 || judged >= MAX_JUDGED) continue
      const judge = await question.judgeOf(row.user_id)
      // They count the latest so many that notify them: the event is one of these where fewer came after it.
      let since = 0
      for (const event of later) {
        if (since === counted) break
        if (++judged % BATCH === 0) await setImmediate()
        since += Number(judge(event).notify)
      }
      if (since < counted) unreadBy.add(row.user_id)
    }
    return { pos: target.pos!, thread, common, after, special, unreadBy }
  }
}
