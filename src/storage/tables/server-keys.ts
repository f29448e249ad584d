import { all, many, one, run, type Tx } from '../tx.js'

export interface ServerKeyRow {
  readonly server_name: string
  readonly key_id: string
  readonly public_key: string
  readonly valid_until_ts: number
  readonly expired_ts: number | null
}

export interface ServerKeyDocumentRow {
  readonly server_name: string
  readonly document: string
  readonly valid_until_ts: number
  readonly fetched_ts: number
}

/** The most keys given, and kept, for one server. */
export const MAX_KEYS_PER_SERVER = 200

/** All keys known of a server, at most `MAX_KEYS_PER_SERVER`. */
export function* keysOfServer(serverName: string): Tx<readonly ServerKeyRow[]> {
  return yield* all<ServerKeyRow>(
    'SELECT server_name, key_id, public_key, valid_until_ts, expired_ts FROM server_keys WHERE server_name = ? ORDER BY key_id LIMIT ?',
    serverName,
    MAX_KEYS_PER_SERVER,
  )
}

export function* keyDocumentOfServer(serverName: string): Tx<ServerKeyDocumentRow | undefined> {
  return yield* one<ServerKeyDocumentRow>(
    'SELECT server_name, document, valid_until_ts, fetched_ts FROM server_key_documents WHERE server_name = ?',
    serverName,
  )
}

/**
 * Pre: no row names a key id that the table has with another public key.
 * Post: each row is stored; the public key of a known key id is unchanged in any case.
 */
export function* upsertServerKeys(rows: readonly ServerKeyRow[]): Tx<void> {
  yield* many(
    `INSERT INTO server_keys (server_name, key_id, public_key, valid_until_ts, expired_ts) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (server_name, key_id) DO UPDATE SET valid_until_ts = excluded.valid_until_ts, expired_ts = excluded.expired_ts`,
    rows.map((row) => [row.server_name, row.key_id, row.public_key, row.valid_until_ts, row.expired_ts]),
  )
}

/** Post: the server's document is this one. */
export function* upsertKeyDocument(row: ServerKeyDocumentRow): Tx<void> {
  yield* run(
    `INSERT INTO server_key_documents (server_name, document, valid_until_ts, fetched_ts) VALUES (?, ?, ?, ?)
     ON CONFLICT (server_name) DO UPDATE
     SET document = excluded.document, valid_until_ts = excluded.valid_until_ts, fetched_ts = excluded.fetched_ts`,
    row.server_name,
    row.document,
    row.valid_until_ts,
    row.fetched_ts,
  )
}
