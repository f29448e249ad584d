import { silentLogger } from '../../../../platform/logger.js'
import type { Clock } from '../../../../platform/clock.js'
import { migrations } from '../../../../storage/migrations/index.js'
import { noObserver } from '../../../../storage/observer.js'
import { SqliteDatabase } from '../../../../storage/sqlite-driver.js'
import { fromSqlite } from '../../../../storage/sqlite-errors.js'
import { migrateSqlite } from '../../../../storage/sqlite-migrate.js'
import { createStatements, runBody } from '../../../../storage/sqlite-statements.js'
import { createSqliteWriter } from '../../../../storage/sqlite-writer.js'
import type { Store } from '../../../../storage/tx.js'

let image: Buffer | undefined

/** The bytes of an empty database with the program's schema; made once, since the migrations take longer than a run. */
function emptyDatabase(): Buffer {
  if (image === undefined) {
    const database = new SqliteDatabase(':memory:')
    migrateSqlite(database, migrations, 0)
    image = database.serialize()
    database.close()
  }
  return image
}

/** The program's SQLite store in memory: its statements, its writer with groups and savepoints, no file and no sync. */
export function openMemoryStore(clock: Clock): Store {
  const database = new SqliteDatabase(emptyDatabase())
  database.pragma('foreign_keys = ON')
  const statements = createStatements(database)
  const writer = createSqliteWriter({
    database,
    runBody: (body) => runBody(body, statements, 'write'),
    clock,
    logger: silentLogger,
    observe: noObserver,
    sync: undefined,
    afterSync: () => undefined,
    onFault: (error) => {
      throw error
    },
    options: { groupBodies: 200, groupMs: 20, maxQueue: 10_000, slowMs: 20, busyMs: 5_000 },
  })
  return {
    dialect: 'sqlite',
    async read(label, body) {
      try {
        return runBody(body, statements, 'read')
      } catch (error) {
        throw fromSqlite(error, label)
      }
    },
    write: (label, body) => writer.write(label, body),
    position: () => Promise.resolve(writer.position()),
    async close() {
      await writer.drain()
      database.close()
    },
  }
}
