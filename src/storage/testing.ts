import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqlite, type SqliteOptions } from './sqlite-store.js'
import type { Store } from './tx.js'

/**
 * A store for tests: a fresh folder, the program's schema, no syncs. `close` removes it.
 * With `durability: 'full'` it syncs as in earnest.
 */
export async function openTestStore(options: Partial<SqliteOptions> = {}): Promise<Store> {
  const folder = await mkdtemp(join(tmpdir(), 'chancery-store-'))
  const store = await openSqlite({ path: join(folder, 'test.db'), durability: 'none', ...options })
  return {
    ...store,
    async close() {
      await store.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
