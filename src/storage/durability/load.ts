import type { Migration } from '../migrate.js'
import { positions } from '../migrations/0001-positions.js'
import { allocatePosition } from '../tables/positions.js'
import { many, run, type Tx } from '../tx.js'

/** What the process under test writes, and by what the checks know that it is whole. */
export const loadMigrations: readonly Migration[] = [
  positions,
  {
    id: 2,
    name: 'load',
    sql: `
      CREATE TABLE load_parts (
        id TEXT NOT NULL,
        part INTEGER NOT NULL,
        payload TEXT NOT NULL,
        PRIMARY KEY (id, part)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE load_heads (
        pos INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE
      ) STRICT;
    `,
  },
]

export const PARTS = 3

/** Three rows in one table, then one with a stream position in another. Gives the position. */
export function* writeLoad(id: string, bytes: number): Tx<number> {
  const rows = Array.from({ length: PARTS }, (_, part) => [id, part, payloadOf(id, part, bytes)])
  yield* many('INSERT INTO load_parts (id, part, payload) VALUES (?, ?, ?)', rows)
  const pos = yield* allocatePosition()
  yield* run('INSERT INTO load_heads (pos, id) VALUES (?, ?)', pos, id)
  return pos
}

export function payloadOf(id: string, part: number, bytes: number): string {
  return `${id}/${part}.`.repeat(Math.ceil(bytes / (id.length + 3))).slice(0, bytes)
}
