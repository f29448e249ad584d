import { describe, expect, it } from '@jest/globals'
import { manualClock } from '../platform/clock.js'
import { StorageError, StorageFull } from './errors.js'
import type { Store } from './tx.js'
import { watchWrites } from './write-watch.js'

function brokenStore(): { store: Store; fail: (error: Error | undefined) => void } {
  let error: Error | undefined
  const store: Store = {
    dialect: 'sqlite',
    read: () => Promise.reject(new Error('not here')),
    write: () => (error === undefined ? Promise.resolve(undefined as never) : Promise.reject(error)),
    position: () => Promise.resolve(0),
    close: () => Promise.resolve(),
  }
  return { store, fail: (next) => (error = next) }
}

describe('the watch over writes', () => {
  it.each([new StorageFull(), new StorageError('io', 'EFBIG'), new StorageError('unknown-outcome', 'x')])(
    'remembers a fault of the disk (%s) until a write succeeds some seconds later',
    async (error) => {
      const { store, fail } = brokenStore()
      const clock = manualClock()
      const watch = watchWrites(store, clock)
      fail(error)
      await expect(watch.store.write('x', function* () {})).rejects.toBe(error)
      expect(watch.fault()).toBe(error.code)
      fail(undefined)
      await watch.store.write('x', function* () {})
      expect(watch.fault()).toBe(error.code)
      clock.advance(5_000)
      await watch.store.write('x', function* () {})
      expect(watch.fault()).toBeUndefined()
    },
  )

  it('takes a body that throws, or a broken rule, for no fault of the disk', async () => {
    const { store, fail } = brokenStore()
    const watch = watchWrites(store, manualClock())
    for (const error of [new Error('body'), new StorageError('unique', 'x'), new StorageError('busy', 'x')]) {
      fail(error)
      await expect(watch.store.write('x', function* () {})).rejects.toBe(error)
      expect(watch.fault()).toBeUndefined()
    }
  })
})
