import { all, allPlannedAnew, many, one, run, type Store, type Tx } from '../tx.js'

/**
 * The index of what was said. `words` has the words of one event in order, each behind a letter for its key, and before them the room's
 * own word. The two databases keep an index of that column each in its own way and bring it up to date by themselves; they differ in
 * nothing but how `findSearchDocs` asks it.
 */
export interface SearchDocRow {
  /** What came later has the greater one: the position of a live event, below zero for what was fetched of the past. */
  readonly doc: number
  readonly nid: number
  readonly room_nid: number
  readonly words: string
}

/** Post: events that were there already stay as they are. Rows in ascending order of `doc` are cheaper. */
export function* insertSearchDocs(rows: readonly SearchDocRow[]): Tx<void> {
  yield* many(
    'INSERT INTO search_docs (doc, nid, room_nid, words) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
    rows.map((row) => [row.doc, row.nid, row.room_nid, row.words]),
  )
}

/** Post: these events are found no more, nor will be. */
export function* deleteSearchDocs(nids: readonly number[]): Tx<void> {
  if (nids.length === 0) return
  yield* run('DELETE FROM search_queue WHERE nid IN (??)', nids)
  yield* run('DELETE FROM search_docs WHERE nid IN (??)', nids)
}

/** Post: the events will be indexed soon. */
export function* queueForSearch(nids: readonly number[]): Tx<void> {
  yield* many(
    'INSERT INTO search_queue (nid) VALUES (?) ON CONFLICT DO NOTHING',
    nids.map((nid) => [nid]),
  )
}

/** An event as far as the index is concerned. */
export interface IndexableRow {
  readonly nid: number
  readonly room_nid: number
  readonly type: string
  readonly state_key: string | null
  readonly pos: number | null
  readonly json: string
}

const CAN_BE_FOUND = `e.type IN ('m.room.message', 'm.room.name', 'm.room.topic')
  AND e.ord IS NOT NULL AND e.rejected IS NULL AND e.soft_failed = 0 AND e.redacted_by IS NULL`
const INDEXABLE = 'e.nid, e.room_nid, e.type, e.state_key, e.pos, e.json'

/** Nids that wait to be indexed, the lowest first. */
export function* searchQueue(limit: number): Tx<readonly number[]> {
  const rows = yield* all<{ nid: number }>('SELECT nid FROM search_queue ORDER BY nid LIMIT ?', limit)
  return rows.map((row) => row.nid)
}

export function* indexableByNids(nids: readonly number[]): Tx<readonly IndexableRow[]> {
  return yield* all(`SELECT ${INDEXABLE} FROM events e WHERE e.nid IN (??) AND ${CAN_BE_FOUND}`, nids)
}

/** Events with nids in (from, to] that can be found. */
export function* indexableBetween(from: number, to: number): Tx<readonly IndexableRow[]> {
  return yield* all(
    `SELECT ${INDEXABLE} FROM events e WHERE e.nid > ? AND e.nid <= ? AND ${CAN_BE_FOUND}`,
    from,
    to,
  )
}

export function* dropFromSearchQueue(nids: readonly number[]): Tx<void> {
  yield* run('DELETE FROM search_queue WHERE nid IN (??)', nids)
}

export interface SearchQuery {
  /** One word of each list must be there. Words are of letters, digits and marks. */
  readonly words: readonly (readonly string[])[]
  /** Nids; undefined where `words` says which. */
  readonly rooms: readonly number[] | undefined
  /** Only what has a smaller `doc`. */
  readonly below: number
  readonly limit: number
}

export interface SearchDocs {
  /** The latest first. */
  readonly rows: readonly SearchDocRow[]
  /** Where to go on; undefined when there is nothing further. */
  readonly below: number | undefined
}

/** Entries of SQLite's index gone through in one query, which other requests wait for. */
const SCAN = 5_000

/** One page of what has the words, the latest first. A page may be short, or empty, with more behind it. */
export function* findSearchDocs(dialect: Store['dialect'], query: SearchQuery): Tx<SearchDocs> {
  return yield* dialect === 'sqlite' ? findInSqlite(query) : findInPostgres(query)
}

const COLUMNS = 'd.doc, d.nid, d.room_nid, d.words'
/** Neither query language has a sign that is a letter, a digit or a mark. */
const lettersOf = (word: string): string => word.replace(/[^\p{L}\p{N}\p{M}]/gu, '')

function* findInSqlite({ words, rooms, below, limit }: SearchQuery): Tx<SearchDocs> {
  const match = words
    .map((list) => `(${list.map((word) => `"${lettersOf(word)}"`).join(' OR ')})`)
    .join(' AND ')
  const scan = rooms === undefined ? limit : SCAN
  const rows = yield* all<SearchDocRow>(
    `SELECT ${COLUMNS} FROM (${LATEST}) s CROSS JOIN search_docs d ON d.doc = s.doc
     ${rooms === undefined ? '' : 'WHERE d.room_nid IN (??)'} ORDER BY s.doc DESC LIMIT ?`,
    match,
    below,
    scan,
    ...(rooms === undefined ? [] : [rooms]),
    limit,
  )
  if (rows.length === limit) return { rows, below: rows.at(-1)!.doc }
  if (rooms === undefined) return { rows, below: undefined }
  const scanned = yield* one<{ n: number; low: number | null }>(
    `SELECT COUNT(*) AS n, MIN(doc) AS low FROM (${LATEST}) s`,
    match,
    below,
    scan,
  )
  return { rows, below: scanned?.n === scan ? (scanned.low ?? undefined) : undefined }
}

const LATEST =
  'SELECT rowid AS doc FROM search_words WHERE search_words MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?'

function* findInPostgres({ words, rooms, below, limit }: SearchQuery): Tx<SearchDocs> {
  const match = words.map((list) => `(${list.map((word) => `'${lettersOf(word)}'`).join(' | ')})`).join(' & ')
  // A common word is best looked for from the latest entry back, a rare one in the index.
  const rows = yield* allPlannedAnew<SearchDocRow>(
    `SELECT ${COLUMNS} FROM search_docs d
     WHERE d.vector @@ CAST(? AS tsquery) AND d.doc < ?
     ${rooms === undefined ? '' : 'AND d.room_nid IN (??)'} ORDER BY d.doc DESC LIMIT ?`,
    match,
    below,
    ...(rooms === undefined ? [] : [rooms]),
    limit,
  )
  return { rows, below: rows.length < limit ? undefined : rows.at(-1)!.doc }
}
