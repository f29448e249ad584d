import { all, one, runChanges, type Tx } from '../tx.js'

export interface AliasRow {
  readonly alias: string
  readonly room_id: string
  readonly creator: string
  readonly ts: number
}

/** False when the alias is taken. */
export function* insertAlias(row: AliasRow): Tx<boolean> {
  const changes = yield* runChanges(
    'INSERT INTO aliases (alias, room_id, creator, ts) VALUES (?, ?, ?, ?) ON CONFLICT (alias) DO NOTHING',
    row.alias,
    row.room_id,
    row.creator,
    row.ts,
  )
  return changes === 1
}

export function* aliasByName(alias: string): Tx<AliasRow | undefined> {
  return yield* one<AliasRow>('SELECT * FROM aliases WHERE alias = ?', alias)
}

export function* aliasesOf(roomId: string): Tx<readonly string[]> {
  const rows = yield* all<{ alias: string }>(
    'SELECT alias FROM aliases WHERE room_id = ? ORDER BY alias',
    roomId,
  )
  return rows.map((row) => row.alias)
}

export function* deleteAlias(alias: string): Tx<boolean> {
  return (yield* runChanges('DELETE FROM aliases WHERE alias = ?', alias)) === 1
}
