import type { Config } from '../config/schema.js'
import { SELECT_STATE } from '../storage/migrate.js'
import { openSqlite } from '../storage/sqlite-store.js'
import { one, type Store } from '../storage/tx.js'

/** Opens the configured database and brings its schema up to date. Throws StorageError, `locked` while a node has it. */
export async function openConfiguredStore(database: Config['database']): Promise<Store> {
  if (database.driver === 'sqlite') return openSqlite({ path: database.path })
  const { openPostgres } = await import('../storage/postgres-store.js')
  return openPostgres({
    connectionString: database.url,
    // A tool reads one thing after the other, and a node may have most of the connections that the server allows.
    tuning: { readers: 1 },
  })
}

/** The number of the newest step that the schema has taken. */
export async function schemaVersion(store: Store): Promise<number> {
  const state = await store.read('cli.schema', () => one<{ version: number }>(SELECT_STATE))
  return state?.version ?? 0
}
