import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A module of a build. */
export const load = (dist, path) => import(pathToFileURL(join(dist, path)).href)

/** The database of a node that was stopped, to be written into. `database`: the address of one on PostgreSQL. */
export async function openStore(dist, node, database) {
  if (database === undefined) {
    const { openSqlite } = await load(dist, 'storage/sqlite-store.js')
    return openSqlite({ path: node.databasePath })
  }
  const { openPostgres } = await load(dist, 'storage/postgres-store.js')
  return openPostgres({ connectionString: database })
}
