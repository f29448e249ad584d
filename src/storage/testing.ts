import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqlite, type SqliteOptions } from './sqlite-store.js'
import type { Store } from './tx.js'

/**
 * A store for tests: a fresh folder, the program's schema, no syncs. `close` removes it.
 * With `durability: 'full'` it syncs as in earnest. `CHANCERY_TEST_STORE=postgres` gives PostgreSQL to every test
 * that asks for nothing particular.
 */
export async function openTestStore(options: Partial<SqliteOptions> = {}): Promise<Store> {
  if (process.env['CHANCERY_TEST_STORE'] === 'postgres' && options.path === undefined) {
    // Most tests need no PostgreSQL driver, and loading it takes time.
    const { openPostgresTestStore } = await import('./testing-postgres.js')
    const { clock, logger, migrations, observe } = options
    return openPostgresTestStore({
      ...(clock && { clock }),
      ...(logger && { logger }),
      ...(migrations && { migrations }),
      ...(observe && { observe }),
    })
  }
  return openSqliteTestStore(options)
}

/** The same on SQLite, whatever the environment says. */
export async function openSqliteTestStore(options: Partial<SqliteOptions> = {}): Promise<Store> {
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
