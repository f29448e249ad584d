import { expect, it } from '@jest/globals'
import { deleteInBatches } from './delete-in-batches.js'
import { openTestStore } from './testing.js'
import type { Tx } from './tx.js'

it.each([
  [0, [3]],
  [2, [3]],
  [3, [3, 3]],
  [7, [3, 3, 3]],
])('%i rows are deleted in transactions of three, up to the one that is not full', async (rows, sizes) => {
  const store = await openTestStore()
  try {
    let left = rows
    const asked: number[] = []
    // oxlint-disable-next-line require-yield -- no query is needed to count
    function* remove(size: number): Tx<number> {
      asked.push(size)
      const gone = Math.min(left, size)
      left -= gone
      return gone
    }
    expect(await deleteInBatches(store, 'test', 3, remove)).toBe(rows)
    expect(asked).toEqual(sizes)
  } finally {
    await store.close()
  }
})
