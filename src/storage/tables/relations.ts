import { all, many, one, run, type Tx } from '../tx.js'

/** A child event with what is asked of it. */
export interface RelationRow {
  readonly room_nid: number
  readonly parent: string
  readonly rel_type: string
  /** Place of the child in topological order. */
  readonly depth: number
  readonly ord: number
  readonly child: number
  readonly child_id: string
  readonly type: string
  readonly sender: string
  readonly ts: number
  /** 1: may replace its parent, if sender and type are the parent's. */
  readonly edit: number
}

const COLUMNS = 'room_nid, parent, rel_type, depth, ord, child, child_id, type, sender, ts, edit'
const THREAD = 'm.thread'

/**
 * Pre: none of the children has a row; each has its place in the room, accepted.
 * Post: the rows are there, and threads count them.
 */
export function* insertRelations(rows: readonly RelationRow[]): Tx<void> {
  yield* many(
    `INSERT INTO relations (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    rows.map((row) => [
      row.room_nid,
      row.parent,
      row.rel_type,
      row.depth,
      row.ord,
      row.child,
      row.child_id,
      row.type,
      row.sender,
      row.ts,
      row.edit,
    ]),
  )
  const replies = rows.filter((row) => row.rel_type === THREAD)
  if (replies.length > 0) yield* growThreads(replies)
}

const isLater = (a: RelationRow, b: RelationRow): boolean =>
  a.depth > b.depth || (a.depth === b.depth && a.ord > b.ord)

/** How many rows there are by a key, with the latest of them: no statement writes one row twice. */
function grouped(
  rows: readonly RelationRow[],
  keyOf: (row: RelationRow) => string,
): { readonly n: number; readonly latest: RelationRow }[] {
  const groups = new Map<string, { n: number; latest: RelationRow }>()
  for (const row of rows) {
    const key = keyOf(row)
    const group = groups.get(key)
    if (group === undefined) {
      groups.set(key, { n: 1, latest: row })
    } else {
      group.n++
      if (isLater(row, group.latest)) group.latest = row
    }
  }
  return [...groups.values()]
}

const byThread = (row: RelationRow): string => `${row.room_nid} ${row.parent}`
const bySender = (row: RelationRow): string => JSON.stringify([row.room_nid, row.parent, row.sender])

function* growThreads(replies: readonly RelationRow[]): Tx<void> {
  yield* many(
    `INSERT INTO threads (room_nid, root, n, depth, ord, latest) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (room_nid, root) DO UPDATE SET n = threads.n + excluded.n,
       depth = CASE WHEN (excluded.depth, excluded.ord) > (threads.depth, threads.ord) THEN excluded.depth ELSE threads.depth END,
       ord = CASE WHEN (excluded.depth, excluded.ord) > (threads.depth, threads.ord) THEN excluded.ord ELSE threads.ord END,
       latest = CASE WHEN (excluded.depth, excluded.ord) > (threads.depth, threads.ord) THEN excluded.latest ELSE threads.latest END`,
    grouped(replies, byThread).map(({ n, latest }) => [
      latest.room_nid,
      latest.parent,
      n,
      latest.depth,
      latest.ord,
      latest.child,
    ]),
  )
  yield* many(
    `INSERT INTO thread_senders (room_nid, root, sender, n) VALUES (?, ?, ?, ?)
     ON CONFLICT (room_nid, root, sender) DO UPDATE SET n = thread_senders.n + excluded.n`,
    grouped(replies, bySender).map(({ n, latest }) => [latest.room_nid, latest.parent, latest.sender, n]),
  )
}

/** Post: these events relate to nothing, and threads do not count them. */
export function* deleteRelationsOf(children: readonly number[]): Tx<void> {
  if (children.length === 0) return
  const gone = yield* all<RelationRow>(
    `DELETE FROM relations WHERE child IN (??) RETURNING ${COLUMNS}`,
    children,
  )
  const replies = gone.filter((row) => row.rel_type === THREAD)
  if (replies.length === 0) return
  yield* many(
    'UPDATE threads SET n = n - ? WHERE room_nid = ? AND root = ?',
    grouped(replies, byThread).map(({ n, latest }) => [n, latest.room_nid, latest.parent]),
  )
  yield* many(
    'UPDATE thread_senders SET n = n - ? WHERE room_nid = ? AND root = ? AND sender = ?',
    grouped(replies, bySender).map(({ n, latest }) => [n, latest.room_nid, latest.parent, latest.sender]),
  )
  const rooms = [...new Set(replies.map((row) => row.room_nid))]
  const roots = [...new Set(replies.map((row) => row.parent))]
  yield* run('DELETE FROM threads WHERE room_nid IN (??) AND root IN (??) AND n <= 0', rooms, roots)
  yield* run('DELETE FROM thread_senders WHERE room_nid IN (??) AND root IN (??) AND n <= 0', rooms, roots)
  yield* run(
    `UPDATE threads SET (depth, ord, latest) = (
       SELECT r.depth, r.ord, r.child FROM relations r
       WHERE r.room_nid = threads.room_nid AND r.parent = threads.root AND r.rel_type = 'm.thread'
       ORDER BY r.depth DESC, r.ord DESC LIMIT 1)
     WHERE room_nid IN (??) AND root IN (??) AND latest IN (??)`,
    rooms,
    roots,
    replies.map((row) => row.child),
  )
}

/** Of some events, what there is to aggregate. */
export interface Aggregated {
  readonly nid: number
  /** The latest edit; null for none, and for events that were redacted. */
  readonly edit: number | null
  /** 1: it is the root of a thread. */
  readonly threaded: number
  /** 1: something refers to it. */
  readonly referred: number
}

export function* aggregated(nids: readonly number[]): Tx<readonly Aggregated[]> {
  return yield* all<Aggregated>(
    `SELECT e.nid,
       CASE WHEN e.redacted_by IS NULL THEN (
         SELECT r.child FROM relations r
         WHERE r.room_nid = e.room_nid AND r.parent = e.event_id AND r.type = e.type AND r.sender = e.sender AND r.edit = 1
         ORDER BY r.ts DESC, r.child_id DESC LIMIT 1) END AS edit,
       CASE WHEN EXISTS (SELECT 1 FROM threads t WHERE t.room_nid = e.room_nid AND t.root = e.event_id)
         THEN 1 ELSE 0 END AS threaded,
       CASE WHEN EXISTS (SELECT 1 FROM relations r WHERE r.room_nid = e.room_nid AND r.parent = e.event_id AND r.rel_type = 'm.reference')
         THEN 1 ELSE 0 END AS referred
     FROM events e WHERE e.nid IN (??)`,
    nids,
  )
}

/** All edits of some events that are not redacted, the latest of each first, at most `limit` in all. */
export function* editsOf(
  nids: readonly number[],
  limit: number,
): Tx<readonly { readonly nid: number; readonly child: number }[]> {
  return yield* all(
    `SELECT e.nid, r.child FROM events e
     JOIN relations r ON r.room_nid = e.room_nid AND r.parent = e.event_id AND r.type = e.type AND r.sender = e.sender AND r.edit = 1
     WHERE e.nid IN (??) AND e.redacted_by IS NULL ORDER BY r.ts DESC, r.child_id DESC LIMIT ?`,
    nids,
    limit,
  )
}

/** Events that refer to some events, in topological order for each, at most `limit` in all. */
export function* referencesTo(
  roomNid: number,
  parents: readonly string[],
  limit: number,
): Tx<readonly RelationRow[]> {
  return yield* all<RelationRow>(
    `SELECT ${COLUMNS} FROM relations WHERE room_nid = ? AND parent IN (??) AND rel_type = 'm.reference'
     ORDER BY parent, depth, ord LIMIT ?`,
    roomNid,
    parents,
    limit,
  )
}

export interface ThreadRow {
  readonly root: string
  readonly n: number
  /** Place and nid of the latest event. */
  readonly depth: number
  readonly ord: number
  readonly latest: number
}

export function* threadsOf(roomNid: number, roots: readonly string[]): Tx<readonly ThreadRow[]> {
  return yield* all<ThreadRow>(
    'SELECT root, n, depth, ord, latest FROM threads WHERE room_nid = ? AND root IN (??)',
    roomNid,
    roots,
  )
}

/** How many events of some threads are by these users; those with none have no row. */
export function* threadSenders(
  roomNid: number,
  roots: readonly string[],
  senders: readonly string[],
): Tx<readonly { readonly root: string; readonly sender: string; readonly n: number }[]> {
  return yield* all(
    'SELECT root, sender, n FROM thread_senders WHERE room_nid = ? AND root IN (??) AND sender IN (??)',
    roomNid,
    roots,
    senders,
  )
}

/** A place in topological order: everything before it is meant. */
export interface Before {
  readonly depth: number
  readonly ord: number
}

/** The latest event of each thread before a place that none of `without` sent. */
export function* latestReplies(
  roomNid: number,
  roots: readonly string[],
  without: readonly string[],
  before: Before,
): Tx<readonly { readonly root: string; readonly child: number | null }[]> {
  return yield* all(
    `SELECT t.root, (
       SELECT r.child FROM relations r
       WHERE r.room_nid = t.room_nid AND r.parent = t.root AND r.rel_type = 'm.thread'
         AND (r.depth, r.ord) < (?, ?) AND r.sender NOT IN (??)
       ORDER BY r.depth DESC, r.ord DESC LIMIT 1) AS child
     FROM threads t WHERE t.room_nid = ? AND t.root IN (??)`,
    before.depth,
    before.ord,
    without,
    roomNid,
    roots,
  )
}

/** The same, each thread from its own place on: before the given children. */
export function* earlierReplies(
  children: readonly number[],
  without: readonly string[],
): Tx<readonly { readonly root: string; readonly child: number | null }[]> {
  return yield* all(
    `SELECT c.parent AS root, (
       SELECT r.child FROM relations r
       WHERE r.room_nid = c.room_nid AND r.parent = c.parent AND r.rel_type = 'm.thread'
         AND (r.depth, r.ord) < (c.depth, c.ord) AND r.sender NOT IN (??)
       ORDER BY r.depth DESC, r.ord DESC LIMIT 1) AS child
     FROM relations c WHERE c.child IN (??) AND c.rel_type = 'm.thread'`,
    without,
    children,
  )
}

/** How many events each thread has before a place, without those of some users; counting ends at `most`. */
export function* countReplies(
  roomNid: number,
  roots: readonly string[],
  without: readonly string[],
  before: Before,
  most: number,
): Tx<readonly { readonly root: string; readonly n: number }[]> {
  return yield* all(
    `SELECT t.root, (SELECT COUNT(*) FROM (
       SELECT 1 FROM relations r
       WHERE r.room_nid = t.room_nid AND r.parent = t.root AND r.rel_type = 'm.thread'
         AND (r.depth, r.ord) < (?, ?) AND r.sender NOT IN (??)
       LIMIT ?) counted) AS n
     FROM threads t WHERE t.room_nid = ? AND t.root IN (??)`,
    before.depth,
    before.ord,
    without,
    most,
    roomNid,
    roots,
  )
}

/** A page of a room's threads, the latest first, strictly before a place. `mine`: 1 where the user wrote in it. */
export function* threadPage(
  roomNid: number,
  before: Before,
  userId: string,
  limit: number,
): Tx<readonly (ThreadRow & { readonly mine: number })[]> {
  return yield* all(
    `SELECT t.root, t.n, t.depth, t.ord, t.latest,
       CASE WHEN EXISTS (SELECT 1 FROM thread_senders s WHERE s.room_nid = t.room_nid AND s.root = t.root AND s.sender = ?)
         THEN 1 ELSE 0 END AS mine
     FROM threads t WHERE t.room_nid = ? AND (t.depth, t.ord) < (?, ?)
     ORDER BY t.depth DESC, t.ord DESC LIMIT ?`,
    userId,
    roomNid,
    before.depth,
    before.ord,
    limit,
  )
}

export interface ChildQuery {
  readonly roomNid: number
  readonly parent: string
  readonly relType?: string | undefined
  readonly type?: string | undefined
}

const CHILDREN = `SELECT ${COLUMNS} FROM relations WHERE room_nid = ? AND parent = ?`

/** One page of an event's children in topological order; `b`: strictly before the place, newest first; `f`: from it on. */
export function* childPage(
  { roomNid, parent, relType, type }: ChildQuery,
  dir: 'f' | 'b',
  place: Before,
  limit: number,
): Tx<readonly RelationRow[]> {
  const order =
    dir === 'b'
      ? 'AND (depth, ord) < (?, ?) ORDER BY depth DESC, ord DESC LIMIT ?'
      : 'AND (depth, ord) >= (?, ?) ORDER BY depth, ord LIMIT ?'
  const { depth, ord } = place
  if (relType === undefined)
    return yield* all<RelationRow>(`${CHILDREN} ${order}`, roomNid, parent, depth, ord, limit)
  if (type === undefined) {
    const sql = `${CHILDREN} AND rel_type = ? ${order}`
    return yield* all<RelationRow>(sql, roomNid, parent, relType, depth, ord, limit)
  }
  const sql = `${CHILDREN} AND rel_type = ? AND type = ? ${order}`
  return yield* all<RelationRow>(sql, roomNid, parent, relType, type, depth, ord, limit)
}

/** Children of many events, in no order. */
export function* childrenOf(
  roomNid: number,
  parents: readonly string[],
  limit: number,
): Tx<readonly RelationRow[]> {
  return yield* all<RelationRow>(
    `SELECT ${COLUMNS} FROM relations WHERE room_nid = ? AND parent IN (??) LIMIT ?`,
    roomNid,
    parents,
    limit,
  )
}

/** Which of these events have a row. */
export function* withRelation(children: readonly number[]): Tx<readonly number[]> {
  const rows = yield* all<{ child: number }>('SELECT child FROM relations WHERE child IN (??)', children)
  return rows.map((row) => row.child)
}

/** A background fill that has something left to do. */
export interface FillRow {
  readonly done: number
  readonly last: number
}

export function* fillOf(name: string): Tx<FillRow | undefined> {
  return yield* one<FillRow>('SELECT done, last FROM background_fills WHERE name = ? AND done < last', name)
}

export function* advanceFill(name: string, done: number): Tx<void> {
  yield* run('UPDATE background_fills SET done = ? WHERE name = ?', done, name)
}

/** What somebody annotated an event with, by one type of events; the latest, for there are few unless another server made them. */
export function* annotationsBy(
  roomNid: number,
  parent: string,
  sender: string,
  type: string,
): Tx<readonly number[]> {
  const rows = yield* all<{ child: number }>(
    `SELECT child FROM relations WHERE room_nid = ? AND parent = ? AND rel_type = 'm.annotation' AND sender = ? AND type = ?
     ORDER BY depth DESC, ord DESC LIMIT 200`,
    roomNid,
    parent,
    sender,
    type,
  )
  return rows.map((row) => row.child)
}
