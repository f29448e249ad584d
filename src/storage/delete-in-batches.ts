import type { Store, Tx } from './tx.js'

/**
 * Deletes with one transaction after another until there is nothing left to delete, so that none is long and others come in between.
 * `body` deletes at most `size` rows and gives how many it has. Gives how many there were in all.
 */
export async function deleteInBatches(
  store: Pick<Store, 'write'>,
  label: string,
  size: number,
  body: (size: number) => Tx<number>,
): Promise<number> {
  for (let total = 0; ;) {
    const deleted = await store.write(label, () => body(size))
    total += deleted
    if (deleted < size) return total
  }
}
