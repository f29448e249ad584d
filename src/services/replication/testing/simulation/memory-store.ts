import { silentLogger } from '../../../../platform/logger.js'
import type { Clock } from '../../../../platform/clock.js'
import { migrations } from '../../../../storage/migrations/index.js'
import { noObserver } from '../../../../storage/observer.js'
import { SqliteDatabase } from '../../../../storage/sqlite-driver.js'
import { fromSqlite } from '../../../../storage/sqlite-errors.js'
import { migrateSqlite } from '../../../../storage/sqlite-migrate.js'
import { createStatements, runBody, type Statements } from '../../../../storage/sqlite-statements.js'
import { createSqliteWriter } from '../../../../storage/sqlite-writer.js'
import type { Store } from '../../../../storage/tx.js'

type Database = InstanceType<typeof SqliteDatabase>

/** A database with the program's schema, and its prepared statements: both take longer to make than a run takes. */
interface Pooled {
  readonly database: Database
  readonly statements: Statements
  /** Brings it back to what the migrations have left. */
  clean(): void
  copy(): Copy
  /** Pre: nobody uses it. */
  putBack(copy: Copy): void
}

/** The rows of all tables, by their names. */
export type Copy = ReadonlyMap<string, readonly (readonly unknown[])[]>

/** A store of which copies can be made, and put back. */
export interface MemoryStore extends Store {
  copy(): Copy
  /** Pre: no process uses it. */
  putBack(copy: Copy): void
}

const idle: Pooled[] = []
/** What the migrations leave: they run once in a process. */
let image: Buffer | undefined

function migrated(): Buffer {
  const first = new SqliteDatabase(':memory:')
  migrateSqlite(first, migrations, 0)
  const bytes = first.serialize()
  first.close()
  return bytes
}

function make(): Pooled {
  const database = new SqliteDatabase((image ??= migrated()))
  const names = database
    .prepare<[], string>(
      `SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'
      AND name NOT LIKE 'sqlite%' AND name NOT GLOB '*_data' AND name NOT GLOB '*_idx' AND name NOT GLOB '*_config'
      AND name NOT GLOB '*_docsize' AND name NOT GLOB '*_content'`,
    )
    .pluck()
    .all()
  const tables = [...names, ...(names.includes('account_data') ? [] : ['account_data'])]
  const handles = tables.map((name) => {
    const read = database.prepare(`SELECT * FROM "${name}"`)
    const marks = read.columns().map(() => '?').join() // prettier-ignore
    return {
      name,
      read: read.raw(),
      remove: database.prepare(`DELETE FROM "${name}"`),
      insert: database.prepare(`INSERT INTO "${name}" VALUES (${marks})`),
    }
  })
  const copy = (): Copy => new Map(handles.map(({ name, read }) => [name, read.all() as unknown[][]]))
  const fresh = copy()
  function putBack(rows: Copy): void {
    if (database.inTransaction) database.exec('ROLLBACK')
    database.pragma('foreign_keys = OFF')
    database.exec('BEGIN')
    for (const { name, remove, insert } of handles) {
      remove.run()
      for (const row of rows.get(name) ?? []) insert.run(...row)
    }
    database.exec('COMMIT')
    database.pragma('foreign_keys = ON')
  }
  return {
    database,
    statements: createStatements(database),
    clean: () => putBack(fresh),
    copy,
    putBack,
  }
}

/** The program's SQLite store in memory: its statements, its writer with groups and savepoints, no file and no sync. It holds `image`, or nothing. */
export function openMemoryStore(clock: Clock, image?: Copy): MemoryStore {
  const pooled = idle.pop() ?? make()
  if (image === undefined) pooled.clean()
  else pooled.putBack(image)
  const { database, statements } = pooled
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
    copy: () => pooled.copy(),
    putBack: (copy) => pooled.putBack(copy),
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
      idle.push(pooled)
    },
  }
}
