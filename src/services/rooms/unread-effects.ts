import {
  countsOf,
  forgetUnread,
  markArrived,
  markThreadRead,
  putUnread,
  raiseTally,
  settleArrivals,
  unreadRows,
  type Counts,
  type UnreadRow,
} from '../../storage/tables/unread.js'
import type { Tx } from '../../storage/tx.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { memberChanges, type Pending, type UnreadEffect, type UnreadOutcome } from './working-room.js'

/** One thing that a batch does to a thread's counts, in order. */
type Step =
  | { readonly kind: 'event'; readonly effect: UnreadEffect }
  | { readonly kind: 'arrival'; readonly userId: string }

/** What somebody's row says, without its key. */
type Counted = Omit<UnreadRow, 'room_nid' | 'thread' | 'user_id'>

const readUpTo = (tally: Counts, own: number): Counted => ({
  base: tally.notify,
  base_highlight: tally.highlight,
  notify: 0,
  highlight: 0,
  own,
})
const NOTHING_READ = readUpTo({ notify: 0, highlight: 0 }, 0)

/** Keeps the counts of a user and changes how they are kept: as what everybody has, or as what they have alone. */
const switched = (row: Counted, tally: Counts): Counted => ({
  ...readUpTo(tally, row.own === 1 ? 0 : 1),
  ...countsOf(row, tally),
})

/** A user's row after an event. */
function counted(row: Counted, { common }: UnreadEffect, outcome: UnreadOutcome, tally: Counts): Counted {
  const isCommon = row.own === 0
  const notify = Number(outcome.notify) - Number(isCommon && common.notify)
  const highlight = Number(outcome.highlight) - Number(isCommon && common.highlight)
  if (notify === 0 && highlight === 0) return row
  const next = { ...row, notify: row.notify + notify, highlight: row.highlight + highlight }
  // Whoever has silenced a room differs at every message: once changed over, they cost nothing.
  return notify !== 0 && outcome.lasting && !outcome.highlight ? switched(next, tally) : next
}

function raise(counts: { notify: number; highlight: number }, by: UnreadEffect['common']): void {
  if (by.notify) counts.notify++
  if (by.highlight) counts.highlight++
}

/**
 * Writes what a batch of events does to the counts of local users, as one thread of one room.
 * Pre: the steps are in order, and arrivals among them.
 */
function* writeThread(roomNid: number, thread: string, steps: readonly Step[], rev: number): Tx<void> {
  const raised = { notify: 0, highlight: 0 }
  for (const step of steps) if (step.kind === 'event') raise(raised, step.effect.common)
  const before = yield* raiseTally(roomNid, thread, raised, rev)
  const special = new Set<string>()
  for (const step of steps) {
    if (step.kind === 'arrival') special.add(step.userId)
    else for (const userId of step.effect.special.keys()) special.add(userId)
  }
  const changes = raised.notify > 0 || special.size > 0
  if (thread !== '' && changes && before.notify > 0) yield* settleArrivals(roomNid, before)
  const known = special.size === 0 ? [] : yield* unreadRows(roomNid, thread, [...special])
  const rows = new Map<string, Counted>(known.map((row) => [row.user_id, row]))
  const changed = new Map<string, Counted>()
  const reads = new Map<string, Counts>()
  const tally = { notify: before.notify, highlight: before.highlight }
  for (const step of steps) {
    if (step.kind === 'arrival') {
      reads.delete(step.userId)
      changed.set(step.userId, readUpTo(tally, 0))
      continue
    }
    const { effect } = step
    raise(tally, effect.common)
    for (const [userId, outcome] of effect.special) {
      const row = changed.get(userId) ?? rows.get(userId) ?? NOTHING_READ
      const next = counted(row, effect, outcome, tally)
      if (next !== row) changed.set(userId, next)
    }
    if (effect.reader === undefined) continue
    // Who speaks has read. SPEC: client-server-api/#receiving-notifications (marking notifications as read)
    if (special.has(effect.reader)) {
      const own = (changed.get(effect.reader) ?? rows.get(effect.reader))?.own ?? 0
      changed.set(effect.reader, readUpTo(tally, own))
    } else reads.set(effect.reader, { ...tally })
  }
  yield* putUnread([...changed].map(([user_id, row]) => ({ room_nid: roomNid, thread, user_id, ...row })))
  yield* markThreadRead(
    roomNid,
    thread,
    [...reads].map(([userId, at]) => ({ userId, tally: at })),
  )
}

/**
 * Writes what a batch of events does to the counts of local users.
 * Post: those who were told of an event count it, who spoke or left has nothing unread, who came in counts what came after.
 */
export function* writeUnread(
  roomNid: number,
  pending: readonly Pending[],
  serverName: string,
  rev: number,
): Tx<void> {
  const threads = new Map<string, Step[]>()
  const arrivals = new Set<string>()
  const gone = new Set<string>()
  for (const { unread, stateChanges } of pending) {
    if (unread !== undefined) {
      let steps = threads.get(unread.thread)
      if (steps === undefined) {
        // Who has come in before counts nothing of a thread that begins to matter now.
        steps = [...arrivals].map((userId) => ({ kind: 'arrival', userId }))
        threads.set(unread.thread, steps)
      }
      steps.push({ kind: 'event', effect: unread })
    }
    for (const { userId, before, after } of memberChanges(stateChanges)) {
      if ((before === 'join') === (after === 'join') || serverNameOf(userId) !== serverName) continue
      if (before === 'join') {
        gone.add(userId)
        arrivals.delete(userId)
        continue
      }
      arrivals.add(userId)
      if (!threads.has('')) threads.set('', [])
      for (const steps of threads.values()) steps.push({ kind: 'arrival', userId })
    }
  }
  const left = [...gone].filter((userId) => !arrivals.has(userId))
  if (gone.size > 0) yield* forgetUnread(roomNid, [...gone])
  for (const [thread, steps] of threads) yield* writeThread(roomNid, thread, steps, rev)
  // What events of the batch did to the counts of somebody who left after them.
  if (left.length > 0 && threads.size > 0) yield* forgetUnread(roomNid, left)
  if (arrivals.size > 0) yield* markArrived(roomNid, [...arrivals], rev)
}
