import { one, type Tx } from '../tx.js'

/** Reserves `count` consecutive nids of a kind and gives the first. */
export function* reserveNids(kind: 'event' | 'state-key' | 'room', count: number): Tx<number> {
  const row = yield* one<{ next: number }>(
    `INSERT INTO nid_allocators (kind, next) VALUES (?, 1 + ?)
     ON CONFLICT (kind) DO UPDATE SET next = nid_allocators.next + ? RETURNING next`,
    kind,
    count,
    count,
  )
  return row!.next - count
}
