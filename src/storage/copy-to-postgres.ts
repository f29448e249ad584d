import { existsSync, realpathSync } from 'node:fs'
import type { Database } from 'better-sqlite3'
import pg from 'pg'
import { systemClock } from '../platform/clock.js'
import { StorageError } from './errors.js'
import { planMigrations, SELECT_APPLIED, SELECT_STATE, type AppliedMigration, type Migration, type SchemaState } from './migrate.js' // prettier-ignore
import { migrations as ownMigrations } from './migrations/index.js'
import { fromPostgres } from './postgres-errors.js'
import { openPostgres } from './postgres-store.js'
import { ownDatabase } from './sqlite-connection.js'
import { SqliteDatabase } from './sqlite-driver.js'
import { fromSqlite } from './sqlite-errors.js'
import { migrateSqlite } from './sqlite-migrate.js'
import { all, manyChanges, one, run, type Store, type Tx, type Value } from './tx.js'

export interface CopyOptions {
  /** The SQLite file of a stopped node. */
  readonly path: string
  readonly connectionString: string
  /** For tests; by default the schema of the program. */
  readonly migrations?: readonly Migration[]
  /** Called when a table is copied; nothing is durable before the end. */
  onTable?(name: string, rows: number): void
}

export interface CopyReport {
  readonly schema: number
  readonly tables: number
  readonly rows: number
  /** The last position of the streams. */
  readonly position: number
}

interface Table {
  readonly name: string
  readonly columns: readonly string[]
}

/**
 * Tables that one of the databases has for itself alone, each with why its rows are not copied. A table that is on one side only and
 * does not stand here refuses the copy.
 */
const NOT_COPIED: ReadonlyMap<string, string> = new Map([
  ['schema_migrations', 'the target has taken the same steps itself'],
  ['schema_version', 'as above'],
])

/** Rows in one statement, and about how many bytes of text and blobs. */
const BATCH_ROWS = 500
const BATCH_BYTES = 8 * 2 ** 20

/**
 * Copies every row of a SQLite database into an empty PostgreSQL one, in one transaction: all or nothing. Throws a StorageError:
 * `locked` while a node has the file; `schema` where the two are not of this program's schema; `misuse` where the target
 * is not empty; and what else the databases say.
 */
export async function copyToPostgres(options: CopyOptions): Promise<CopyReport> {
  const migrations = options.migrations ?? ownMigrations
  if (!existsSync(options.path)) throw new StorageError('io', `there is no database at ${options.path}`)
  const path = realpathSync(options.path)
  const owned = ownDatabase(path)
  let source: Database | undefined
  let target: Store | undefined
  try {
    source = openSource(path, migrations)
    const applied = appliedTo(source)
    await checkTarget(options.connectionString, applied)
    // A connection reads, one writes; no attempt is repeated, since the rows come from a cursor.
    target = await openPostgres({
      connectionString: options.connectionString,
      migrations,
      tuning: { readers: 1, attempts: 1, slowMs: Infinity },
    })
    return await copy(source, target, migrations, options)
  } finally {
    await target?.close()
    source?.close()
    owned.release()
  }
}

const appliedTo = (database: Database): AppliedMigration[] =>
  database.prepare<[], AppliedMigration>(SELECT_APPLIED).all()

function openSource(path: string, migrations: readonly Migration[]): Database {
  const database = new SqliteDatabase(path, { fileMustExist: true })
  try {
    const hasSchema = database
      .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'")
      .get()
    if (hasSchema === undefined) throw new StorageError('schema', `${path} is no database of a node`)
    const state = database.prepare<[], SchemaState>(SELECT_STATE).get()
    const plan = planMigrations(migrations, appliedTo(database), state)
    if (plan.steps.length > 0)
      throw new StorageError(
        'schema',
        `${path} has schema ${state?.version ?? 0}, this program schema ${plan.state.version}: bring it up to date first with \`chancery migrate\``,
      )
    return database
  } catch (error) {
    database.close()
    throw fromSqlite(error, 'copy.open')
  }
}

/** Before anything is made there: a target with tables must be of the very same schema. */
async function checkTarget(connectionString: string, wanted: readonly AppliedMigration[]): Promise<void> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 10_000 })
  try {
    await client.connect()
    const { rows } = await client.query<{ name: string }>(
      "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables WHERE table_schema = 'public'",
    )
    if (rows.length === 0) return
    if (!rows.some((row) => row.name === 'schema_migrations'))
      throw new StorageError('misuse', `the target has tables of something else (${rows[0]!.name}): give it a new, empty database`) // prettier-ignore
    const there = (await client.query<AppliedMigration>(SELECT_APPLIED)).rows
    const text = (list: readonly AppliedMigration[]): string =>
      list.map((step) => `${step.id} ${step.checksum}`).join()
    // None: a start that was cut short has made these tables and no more.
    if (there.length > 0 && text(there) !== text(wanted))
      throw new StorageError(
        'schema',
        `the target has schema ${there.at(-1)?.id}, the source schema ${wanted.at(-1)?.id}, or steps that differ: give it a new, empty database`,
      )
  } catch (error) {
    throw fromPostgres(error, 'the target')
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function copy(
  source: Database,
  target: Store,
  migrations: readonly Migration[],
  options: CopyOptions,
): Promise<CopyReport> {
  const tables = tablesOf(source).filter((table) => !NOT_COPIED.has(table.name))
  const seeds = seedCounts(migrations)
  const there = (await target.read('copy.tables', postgresTables)).filter((name) => !NOT_COPIED.has(name))
  const names = new Set(tables.map((table) => table.name))
  const oneSided = [
    ...there.filter((name) => !names.has(name)),
    ...[...names].filter((name) => !there.includes(name)),
  ]
  if (oneSided.length > 0)
    throw new StorageError('schema', `only one of the databases has these tables: ${oneSided.join(', ')}`)

  let rows = 0
  await target.write('copy.all', function* () {
    for (const { name } of tables) {
      const found = yield* count(name)
      if (found !== (seeds.get(name) ?? 0))
        throw new StorageError('misuse', `the target is not empty: ${name} has ${found} rows. Give it a new, empty database`) // prettier-ignore
    }
    const position = yield* one<{ pos: number }>('SELECT pos FROM stream_position')
    if (position?.pos !== 0)
      throw new StorageError('misuse', 'the target has been used: its streams have begun. Give it a new, empty database') // prettier-ignore
    for (const table of tables) {
      const copied = yield* copyTable(source, table, (seeds.get(table.name) ?? 0) > 0)
      rows += copied
      options.onTable?.(table.name, copied)
    }
    yield* setIdentities(tables)
    yield* verify(source, tables)
  })
  const state = source.prepare<[], SchemaState>(SELECT_STATE).get()
  return { schema: state!.version, tables: tables.length, rows, position: await target.position() }
}

function* copyTable(source: Database, table: Table, seeded: boolean): Tx<number> {
  if (seeded) yield* run(`DELETE FROM ${quoted(table.name)}`)
  const columns = table.columns.map(quoted).join(', ')
  const insert = `INSERT INTO ${quoted(table.name)} (${columns}) VALUES (${table.columns.map(() => '?').join(', ')})`
  const cursor = source
    .prepare<[], Value[]>(`SELECT ${columns} FROM ${quoted(table.name)}`)
    .raw()
    .iterate()
  let copied = 0
  let batch: Value[][] = []
  let bytes = 0
  try {
    for (const row of cursor) {
      batch.push(row)
      bytes += row.reduce<number>((sum, value) => sum + sizeOf(value), 0)
      if (batch.length < BATCH_ROWS && bytes < BATCH_BYTES) continue
      copied += yield* manyChanges(insert, batch)
      batch = []
      bytes = 0
    }
  } finally {
    cursor.return?.()
  }
  return copied + (yield* manyChanges(insert, batch))
}

const sizeOf = (value: Value): number =>
  typeof value === 'string' || value instanceof Uint8Array ? value.length : 8

/** Numbers that PostgreSQL gives out by itself go on after the largest that is there, as SQLite's do. */
function* setIdentities(tables: readonly Table[]): Tx<void> {
  for (const { tbl, col } of yield* identityColumns(tables)) {
    const row = yield* one<{ top: number | null }>(`SELECT MAX(${quoted(col)}) AS top FROM ${quoted(tbl)}`)
    const top = row?.top ?? 0
    yield* all(
      `SELECT setval(pg_get_serial_sequence('${quoted(tbl)}', '${col}'), ${Math.max(1, top)}, ${top >= 1})`,
    )
  }
}

function* identityColumns(
  tables: readonly Table[],
): Tx<readonly { readonly tbl: string; readonly col: string }[]> {
  return yield* all(
    `SELECT CAST(table_name AS TEXT) AS tbl, CAST(column_name AS TEXT) AS col FROM information_schema.columns
     WHERE table_schema = 'public' AND is_identity = 'YES' AND table_name IN (??) ORDER BY 1`,
    tables.map((table) => table.name),
  )
}

/** Before the commit, so that a copy that is not whole leaves nothing. */
function* verify(source: Database, tables: readonly Table[]): Tx<void> {
  const wrong: string[] = []
  for (const { name } of tables) {
    const [here, there] = [sqliteCount(source, name), yield* count(name)]
    if (here !== there) wrong.push(`${name}: ${here} rows here, ${there} there`)
  }
  for (const { tbl, col } of yield* identityColumns(tables)) {
    const row = yield* one<{ top: number | null }>(`SELECT MAX(${quoted(col)}) AS top FROM ${quoted(tbl)}`)
    const next = yield* one<{ last: number | null }>(
      `SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence('${quoted(tbl)}', '${col}') AS regclass)) AS last`,
    )
    if ((next?.last ?? 0) < (row?.top ?? 0)) wrong.push(`${tbl}.${col} would give a number twice`)
  }
  if (wrong.length > 0) throw new StorageError('sql', `the copy is not whole: ${wrong.join('; ')}`)
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

function* count(table: string): Tx<number> {
  return (yield* one<{ n: number }>(`SELECT COUNT(*) AS n FROM ${quoted(table)}`))?.n ?? 0
}

const sqliteCount = (database: Database, table: string): number =>
  database.prepare<[], { n: number }>(`SELECT COUNT(*) AS n FROM ${quoted(table)}`).get()!.n

/** Every ordinary table with its columns: what a virtual one keeps in tables of its own is not among them. */
export function tablesOf(database: Database): Table[] {
  const names = database
    .prepare<[], { name: string }>(
      `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name`,
    )
    .all()
  return names.map(({ name }) => ({
    name,
    columns: database
      .prepare<[string], { name: string }>('SELECT name FROM pragma_table_info(?)')
      .all(name)
      .map((column) => column.name),
  }))
}

function* postgresTables(): Tx<string[]> {
  const rows = yield* all<{ name: string }>(
    `SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables
     WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1`,
  )
  return rows.map((row) => row.name)
}

/** How many rows each table has in a new database. */
function seedCounts(migrations: readonly Migration[]): ReadonlyMap<string, number> {
  const fresh = new SqliteDatabase(':memory:')
  try {
    migrateSqlite(fresh, migrations, systemClock.now())
    return new Map(tablesOf(fresh).map(({ name }) => [name, sqliteCount(fresh, name)]))
  } finally {
    fresh.close()
  }
}
