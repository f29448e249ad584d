import { all, many, one, run, type Tx } from '../tx.js'

/**
 * What users have not read. A message that notifies everybody raises one tally of its room and thread; a user's row says where the
 * tally stood when they had read all (`base`), and by how much they differ from everybody since then (`notify`); highlights the same way. So a message costs
 * one row, and one more for each user who differs, whatever the number of members.
 *
 * - Count of a user with a row: `tally − base + notify`; with `own`, for those whom common messages do not notify: `notify` alone.
 * - Without a row in a thread: 0 where nothing was counted there since `since_rev` of their row of the main timeline, else the whole tally.
 */
export interface UnreadRow {
  readonly room_nid: number
  /** The thread's root, or the empty string for the main timeline. */
  readonly thread: string
  readonly user_id: string
  readonly base: number
  readonly base_highlight: number
  readonly notify: number
  readonly highlight: number
  readonly own: number
}

export interface Tally {
  readonly thread: string
  readonly notify: number
  readonly highlight: number
  /** Revision of the room whose transaction raised it last. */
  readonly raised_rev: number
}

/** What a user has not read of one thread. */
export interface UnreadCount {
  readonly room_nid: number
  readonly thread: string
  readonly notify: number
  readonly highlight: number
}

export type Counts = Pick<UnreadCount, 'notify' | 'highlight'>

/** A user's counts, from their row and the tally. */
export const countsOf = (row: Omit<UnreadRow, 'room_nid' | 'thread' | 'user_id'>, tally: Counts): Counts =>
  row.own === 1
    ? { notify: row.notify, highlight: row.highlight }
    : {
        notify: Math.max(0, tally.notify - row.base + row.notify),
        highlight: Math.max(0, tally.highlight - row.base_highlight + row.highlight),
      }

/** Post: the thread has a tally, higher by so much. Gives what it was before. */
export function* raiseTally(roomNid: number, thread: string, by: Counts, rev: number): Tx<Tally> {
  // Of the main timeline nobody asks when it rose before: one statement does.
  const known = thread === '' && by.notify > 0 ? undefined : yield* tallyOf(roomNid, thread)
  if (known !== undefined && by.notify === 0) return known
  const after = yield* one<Counts>(
    `INSERT INTO unread_tallies (room_nid, thread, notify, highlight, raised_rev) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (room_nid, thread) DO UPDATE SET notify = unread_tallies.notify + excluded.notify,
       highlight = unread_tallies.highlight + excluded.highlight, raised_rev = excluded.raised_rev
     RETURNING notify, highlight`,
    roomNid,
    thread,
    by.notify,
    by.highlight,
    by.notify > 0 ? rev : 0,
  )
  return {
    thread,
    notify: after!.notify - by.notify,
    highlight: after!.highlight - by.highlight,
    raised_rev: known?.raised_rev ?? 0,
  }
}

/** What the tally of a thread stands at; undefined where it has none. */
export function* threadTally(roomNid: number, thread: string): Tx<Counts | undefined> {
  return yield* tallyOf(roomNid, thread)
}

/**
 * Takes one event, the `ordinal`th of the tally, out of it. Post: the tally is lower, and so is where those stood who have read the event, so
 * that their counts stay; all but `others`, whose rows the caller has changed. Who has read how far is told by `base − notify`: a receipt in the midst
 * of what is unread leaves `base` at the end, and what is unread in `notify`.
 */
export function* lowerTally(
  roomNid: number,
  thread: string,
  ordinal: number,
  by: Counts,
  others: readonly string[],
): Tx<void> {
  yield* run(
    `UPDATE unread SET base = base - ?, base_highlight = base_highlight - ?
     WHERE room_nid = ? AND thread = ? AND own = 0 AND base - notify >= ? AND user_id NOT IN (??)`,
    by.notify,
    by.highlight,
    roomNid,
    thread,
    ordinal,
    others,
  )
  yield* run(
    'UPDATE unread_tallies SET notify = notify - ?, highlight = highlight - ? WHERE room_nid = ? AND thread = ?',
    by.notify,
    by.highlight,
    roomNid,
    thread,
  )
}

function* tallyOf(roomNid: number, thread: string): Tx<Tally | undefined> {
  return yield* one<Tally>(
    'SELECT thread, notify, highlight, raised_rev FROM unread_tallies WHERE room_nid = ? AND thread = ?',
    roomNid,
    thread,
  )
}

/**
 * Gives those who came in, or read everything, since a thread's tally rose last a row that says so: it is about to rise again.
 * Pre: `before` is the tally as it stands.
 */
export function* settleArrivals(roomNid: number, before: Tally): Tx<void> {
  yield* run(
    `INSERT INTO unread (room_nid, thread, user_id, notify, highlight, base, base_highlight)
     SELECT room_nid, CAST(? AS TEXT), user_id, 0, 0, CAST(? AS BIGINT), CAST(? AS BIGINT) FROM unread
     WHERE room_nid = ? AND thread = '' AND since_rev >= ? ON CONFLICT DO NOTHING`,
    before.thread,
    before.notify,
    before.highlight,
    roomNid,
    before.raised_rev,
  )
}

/** The rows that these users have in a thread. */
export function* unreadRows(
  roomNid: number,
  thread: string,
  users: readonly string[],
): Tx<readonly UnreadRow[]> {
  return yield* all<UnreadRow>(
    `SELECT room_nid, thread, user_id, base, base_highlight, notify, highlight, own FROM unread
     WHERE room_nid = ? AND thread = ? AND user_id IN (??)`,
    roomNid,
    thread,
    users,
  )
}

/** Post: these rows stand, whatever they were; what the users' rows say of other threads stays. */
export function* putUnread(rows: readonly UnreadRow[]): Tx<void> {
  yield* many(
    `INSERT INTO unread (room_nid, thread, user_id, base, base_highlight, notify, highlight, own) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (room_nid, thread, user_id) DO UPDATE SET base = excluded.base, base_highlight = excluded.base_highlight, notify = excluded.notify,
       highlight = excluded.highlight, own = excluded.own`,
    rows.map((row) => [
      row.room_nid,
      row.thread,
      row.user_id,
      row.base,
      row.base_highlight,
      row.notify,
      row.highlight,
      row.own,
    ]),
  )
}

/** Post: each of these users has read the thread up to where its tally stands. */
export function* markThreadRead(
  roomNid: number,
  thread: string,
  reads: readonly { readonly userId: string; readonly tally: Counts }[],
): Tx<void> {
  yield* many(
    `INSERT INTO unread (room_nid, thread, user_id, base, base_highlight, notify, highlight) VALUES (?, ?, ?, ?, ?, 0, 0)
     ON CONFLICT (room_nid, thread, user_id) DO UPDATE SET base = excluded.base, base_highlight = excluded.base_highlight,
       notify = 0, highlight = 0
     WHERE unread.base <> excluded.base OR unread.notify <> 0 OR unread.highlight <> 0`,
    reads.map(({ userId, tally }) => [roomNid, thread, userId, tally.notify, tally.highlight]),
  )
}

/** Post: what was counted in any thread of the room up to revision `rev` counts no more for these users. */
export function* markArrived(roomNid: number, users: readonly string[], rev: number): Tx<void> {
  yield* run(
    `UPDATE unread SET since_rev = ? WHERE room_nid = ? AND thread = '' AND user_id IN (??)`,
    rev,
    roomNid,
    users,
  )
}

/** Post: nothing is kept for the users in this room: they have left. */
export function* forgetUnread(roomNid: number, users: readonly string[]): Tx<void> {
  yield* run('DELETE FROM unread WHERE room_nid = ? AND user_id IN (??)', roomNid, users)
}

/** Post: the user has read all of the room but these counts. */
export function* replaceUnread(
  roomNid: number,
  userId: string,
  counts: readonly Omit<UnreadCount, 'room_nid'>[],
): Tx<void> {
  const room = yield* one<{ rev: number }>('SELECT rev FROM rooms WHERE nid = ?', roomNid)
  yield* run(`DELETE FROM unread WHERE room_nid = ? AND user_id = ? AND thread <> ''`, roomNid, userId)
  const wanted = new Map(counts.map((count) => [count.thread, count]))
  if (!wanted.has('')) wanted.set('', { thread: '', notify: 0, highlight: 0 })
  const threads = [...wanted.keys()]
  const tallies = yield* all<Tally>(
    'SELECT thread, notify, highlight, raised_rev FROM unread_tallies WHERE room_nid = ? AND thread IN (??)',
    roomNid,
    threads,
  )
  const tally = new Map(tallies.map((row) => [row.thread, row]))
  for (const thread of threads)
    if (!tally.has(thread)) yield* raiseTally(roomNid, thread, { notify: 0, highlight: 0 }, 0)
  yield* many(
    `INSERT INTO unread (room_nid, thread, user_id, base, base_highlight, notify, highlight) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (room_nid, thread, user_id) DO UPDATE SET base = excluded.base, base_highlight = excluded.base_highlight,
       notify = excluded.notify, highlight = excluded.highlight`,
    [...wanted.values()].map(({ thread, notify, highlight }) => [
      roomNid,
      thread,
      userId,
      tally.get(thread)?.notify ?? 0,
      tally.get(thread)?.highlight ?? 0,
      notify,
      highlight,
    ]),
  )
  yield* markArrived(roomNid, [userId], room?.rev ?? 0)
}

/** All threads' counts of one user in some rooms that they have joined; threads without anything unread are left out. */
export function* unreadOf(userId: string, roomNids: readonly number[]): Tx<readonly UnreadCount[]> {
  const single = roomNids.length === 1 ? roomNids[0] : undefined
  const rows = yield* all<
    Tally & {
      readonly room_nid: number
      readonly base: number | null
      readonly base_highlight: number
      readonly own_notify: number
      readonly own_highlight: number
      readonly own: number
      readonly since_rev: number | null
    }
  >(
    `SELECT t.room_nid, t.thread, t.notify, t.highlight, t.raised_rev, u.base, u.base_highlight, u.notify AS own_notify,
       u.highlight AS own_highlight, u.own, m.since_rev
     FROM unread_tallies t
     LEFT JOIN unread u ON u.room_nid = t.room_nid AND u.thread = t.thread AND u.user_id = ?
     LEFT JOIN unread m ON m.room_nid = t.room_nid AND m.thread = '' AND m.user_id = ?
     WHERE t.room_nid ${single === undefined ? 'IN (??)' : '= ?'}`,
    userId,
    userId,
    single ?? roomNids,
  )
  const counts: UnreadCount[] = []
  for (const row of rows) {
    const { base, own_notify: notify, own_highlight: highlight } = row
    if (base === null && (row.since_rev ?? 0) >= row.raised_rev) continue
    const count = base === null ? row : countsOf({ ...row, base, notify, highlight }, row)
    if (count.notify > 0 || count.highlight > 0)
      counts.push({
        room_nid: row.room_nid,
        thread: row.thread,
        notify: count.notify,
        highlight: count.highlight,
      })
  }
  return counts
}
