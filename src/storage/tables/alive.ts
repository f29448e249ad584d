import { one, type Tx } from '../tx.js'

/** True from a database that answers. */
export function* isAlive(): Tx<boolean> {
  const row = yield* one<{ ok: number }>('SELECT 1 AS ok')
  return row?.ok === 1
}
