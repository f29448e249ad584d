import { one, run, type Tx } from '../tx.js'

/**
 * Allocates `count` stream positions and gives the last; the others are those right before it.
 * Pre: count ≥ 1, called as late in the body as possible: the row stays locked until the commit.
 * Post: no other transaction, of any process, is given the same positions, and they become visible in order.
 */
export function* allocatePosition(count = 1): Tx<number> {
  const row = yield* one<{ pos: number }>(
    'UPDATE stream_position SET pos = pos + ? WHERE id = 1 RETURNING pos',
    count,
  )
  return row!.pos
}

/** Writes what is there already: tells whether the store takes writes. */
export function* rewritePosition(): Tx<void> {
  yield* run('UPDATE stream_position SET pos = pos WHERE id = 1')
}

/** The last position that a transaction visible here allocated. Services ask `store.position()`, which knows what is on disk. */
export function* readPosition(): Tx<number> {
  const row = yield* one<{ pos: number }>('SELECT pos FROM stream_position WHERE id = 1')
  return row!.pos
}
