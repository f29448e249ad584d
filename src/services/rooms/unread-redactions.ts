import {
  lowerTally,
  putUnread,
  threadTally,
  unreadRows,
  type Counts,
  type UnreadRow,
} from '../../storage/tables/unread.js'
import type { Tx } from '../../storage/tx.js'
import type { Pending, UnreadRedaction } from './working-room.js'

/**
 * Takes what a batch redacts out of the counts of those who have not read it. Pre: nothing of the batch has been counted yet.
 * Post: the counts are as if the events had never come.
 */
export function* forgetRedacted(roomNid: number, pending: readonly Pending[]): Tx<void> {
  const threads = new Map<string, UnreadRedaction[]>()
  for (const { redaction } of pending) {
    const unread = redaction?.unread
    if (unread === undefined) continue
    const list = threads.get(unread.thread)
    if (list === undefined) threads.set(unread.thread, [unread])
    else if (list.every((other) => other.pos !== unread.pos)) list.push(unread)
  }
  for (const [thread, list] of threads) {
    const tally = yield* threadTally(roomNid, thread)
    if (tally === undefined) continue
    // The newest first: each is counted from the end of the tally as it was before any of them.
    for (const redaction of list.toSorted((a, b) => b.pos - a.pos))
      yield* forgetOne(roomNid, tally, redaction)
  }
}

function* forgetOne(roomNid: number, tally: Counts, redaction: UnreadRedaction): Tx<void> {
  const { thread, common, special, unreadBy } = redaction
  /** Which of the tally the event is. */
  const ordinal = tally.notify - redaction.after.notify
  // Counted by other rules than those of today: then it stays until the next receipt.
  if (common.notify && ordinal <= 0) return
  const lowered = { notify: Number(common.notify), highlight: Number(common.highlight) }
  const users = [...special.keys()]
  const rows = yield* unreadRows(roomNid, thread, users)
  yield* putUnread(
    rows.map((row): UnreadRow => {
      const outcome = unreadBy.has(row.user_id) ? special.get(row.user_id) : undefined
      return {
        ...row,
        // As the tally falls, so does where they stood in it: what they lose is told by the event's outcome for them alone.
        base: row.base - (row.own === 1 ? 0 : lowered.notify),
        base_highlight: row.base_highlight - (row.own === 1 ? 0 : lowered.highlight),
        notify: row.notify - Number(outcome?.notify === true),
        highlight: row.highlight - Number(outcome?.highlight === true),
      }
    }),
  )
  if (common.notify) yield* lowerTally(roomNid, thread, ordinal, lowered, users)
}
