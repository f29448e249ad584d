import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { checksumOf, planMigrations, type Migration } from './migrate.js'
import { migrations as own } from './migrations/index.js'
import { openPostgres } from './postgres-store.js'
import { openSqlite } from './sqlite-store.js'
import { openSqliteTestStore } from './testing.js'
import { createTestDatabase, openPostgresTestStore, testPostgres } from './testing-postgres.js'
import { all, one, run, type Store, type Tx } from './tx.js'

const first: Migration = { id: 1, name: 'first', sql: 'CREATE TABLE stream_position (id INTEGER PRIMARY KEY, pos INTEGER NOT NULL) STRICT; INSERT INTO stream_position (id, pos) VALUES (1, 7);' } // prettier-ignore
const secondSql = 'CREATE TABLE second (a TEXT NOT NULL) STRICT;'
const second: Migration = { id: 2, name: 'second', sql: secondSql }
const third: Migration = { id: 3, name: 'third', sql: 'CREATE TABLE third (a TEXT NOT NULL) STRICT;' }
const additive: Migration = { ...third, compatibleWith: 2 }

describe('a plan', () => {
  const row = ({ id, name, sql }: Migration): { id: number; name: string; checksum: string } => ({
    id,
    name,
    checksum: checksumOf({ id, name, sql }),
  })

  it('takes for a new database every step, by number', () => {
    const plan = planMigrations([third, first, second], [], undefined)
    expect(plan.steps.map((step) => step.id)).toEqual([1, 2, 3])
    expect(plan.state).toEqual({ version: 3, compatible: 3 })
  })

  it('takes what is missing, also a step that came in late', () => {
    const plan = planMigrations([first, second, third], [row(first), row(third)], {
      version: 3,
      compatible: 3,
    })
    expect(plan.steps).toEqual([second])
  })

  it('refuses a newer database in one clear sentence, unless it is still fit for this program', () => {
    const rows = [row(first), row(second), row(third)]
    expect(() => planMigrations([first, second], rows, { version: 3, compatible: 3 })).toThrow(
      'the database has schema 3 and needs a program that knows at least schema 3; this one knows schema 2: start a newer Chancery, or restore a backup',
    )
    const plan = planMigrations([first, second], rows, { version: 3, compatible: 2 })
    expect(plan.steps).toEqual([])
    expect(plan.state).toEqual({ version: 3, compatible: 2 })
    expect(planMigrations([first, second, additive], [], undefined).state).toEqual({
      version: 3,
      compatible: 2,
    })
  })

  it('refuses a step that was edited or is unknown, and two of one number', () => {
    const edited = { ...second, sql: `${secondSql} ` }
    const rows = [row(first), row(second)]
    expect(() => planMigrations([first, edited], rows, { version: 2, compatible: 2 })).toThrow('migration 2 (second) was edited after this database had taken it') // prettier-ignore
    expect(() => planMigrations([first, third], rows, { version: 2, compatible: 2 })).toThrow('migration 2 (second), which this program does not have') // prettier-ignore
    expect(() => planMigrations([first, { ...second, id: 1 }], [], undefined)).toThrow('two migrations')
  })
})

interface Place {
  readonly name: string
  /** Opens the one database of this test, as often as asked. */
  open(migrations: readonly Migration[]): Promise<Store>
}

const found = await testPostgres()
if (found.kind === 'absent') console.warn(`PostgreSQL was skipped: ${found.reason}`)
const cleanUps: (() => unknown)[] = []

const makePlaces: [string, () => Promise<Place>][] = [
  [
    'sqlite',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'chancery-migrate-'))
      cleanUps.push(() => rmSync(folder, { recursive: true }))
      return { name: 'sqlite', open: (migrations) => openSqlite({ path: join(folder, 'm.db'), migrations }) }
    },
  ],
]
if (found.kind === 'running') {
  makePlaces.push([
    'postgres',
    async () => {
      const database = await createTestDatabase()
      cleanUps.push(() => database.drop())
      return { name: 'postgres', open: (migrations) => openPostgres({ connectionString: database.url, migrations }) } // prettier-ignore
    },
  ])
}

afterAll(async () => {
  for (const cleanUp of cleanUps) await cleanUp()
})

describe.each(makePlaces)('the runner on %s', (_, makePlace) => {
  let place: Place
  let open: Store[]
  beforeEach(async () => {
    place = await makePlace()
    open = []
  })
  afterEach(async () => {
    for (const store of open) await store.close()
  })

  const taken = (store: Store): Promise<readonly { id: number }[]> =>
    store.read('taken', () => all<{ id: number }>('SELECT id FROM schema_migrations ORDER BY id'))

  it('takes each step once, and notes when', async () => {
    const store = await place.open([first, second])
    await store.write('w', () => run('INSERT INTO second (a) VALUES (?)', 'kept'))
    expect(await store.position()).toBe(7)
    await store.close()
    const again = await place.open([first, second, third])
    open.push(again)
    expect(await taken(again)).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
    expect(await again.read('r', () => one('SELECT a FROM second'))).toEqual({ a: 'kept' })
    const noted = await again.read('r', () => one<{ t: number }>('SELECT min(applied_ts) AS t FROM schema_migrations')) // prettier-ignore
    expect(noted!.t).toBeGreaterThan(1_600_000_000_000)
  })

  it('leaves nothing of a step that fails, and can go on when it is mended', async () => {
    const broken = { ...second, sql: `${secondSql} CREATE TABLE second (b TEXT) STRICT;` }
    await expect(place.open([first, broken])).rejects.toThrow()
    const store = await place.open([first, second])
    open.push(store)
    expect(await taken(store)).toEqual([{ id: 1 }, { id: 2 }])
  })

  it('refuses a database of a newer program, and lets it alone', async () => {
    const newer = await place.open([first, second, third])
    await newer.close()
    await expect(place.open([first, second])).rejects.toMatchObject({ name: 'StorageError', code: 'schema' })
    open.push(await place.open([first, second, third]))
  })

  it('opens a database of a newer program that says it is still fit', async () => {
    const newer = await place.open([first, second, additive])
    await newer.close()
    open.push(await place.open([first, second]))
  })
})

interface Column {
  readonly table: string
  readonly column: string
  readonly type: string
  readonly required: boolean
}

describe('the program’s schema', () => {
  it('is numbered without gaps in order of the list', () => {
    const ids = own.map((migration) => migration.id)
    expect(ids).toEqual([...ids].sort((a, b) => a - b))
    expect(new Set(own.map((migration) => migration.name)).size).toBe(own.length)
  })

  const both = found.kind === 'running' ? it : it.skip
  both('has the same tables, columns, types and indexes on both databases', async () => {
    const sqlite = await openSqliteTestStore({ migrations: own })
    const postgres = await openPostgresTestStore({ migrations: own })
    try {
      expect(await postgres.read('columns', postgresColumns)).toEqual(
        await sqlite.read('columns', sqliteColumns),
      )
      const indexes = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
      const names = await sqlite.read('indexes', () => all<{ name: string }>(indexes))
      const there = await postgres.read('indexes', () =>
        all<{ name: string }>(
          `SELECT CAST(indexname AS TEXT) AS name FROM pg_indexes WHERE schemaname = 'public' AND indexname IN (??)
           ORDER BY 1`,
          names.map((row) => row.name),
        ),
      )
      expect(there.map((row) => row.name).sort()).toEqual(names.map((row) => row.name).sort())
    } finally {
      await sqlite.close()
      await postgres.close()
    }
  })
})

const byPlace = (a: Column, b: Column): number =>
  a.table + '.' + a.column < b.table + '.' + b.column ? -1 : 1

function* sqliteColumns(): Tx<Column[]> {
  const rows = yield* all<{ tbl: string; col: string; type: string; required: number; pk: number }>(
    `SELECT m.name AS tbl, c.name AS col, c.type AS type, c."notnull" AS required, c.pk AS pk
     FROM pragma_table_list m, pragma_table_info(m.name) c
     WHERE m.schema = 'main' AND m.type = 'table' AND m.name NOT LIKE 'sqlite%'`,
  )
  const columns = rows.map((row) => ({ table: row.tbl, column: row.col, type: row.type, required: row.required === 1 || row.pk > 0 })) // prettier-ignore
  return columns.sort(byPlace)
}

const TYPES: Readonly<Record<string, string>> = { bigint: 'INTEGER', text: 'TEXT', bytea: 'BLOB' }

function* postgresColumns(): Tx<Column[]> {
  const rows = yield* all<{
    tbl: string
    col: string
    type: string
    nullable: string
    collation: string | null
  }>(
    `SELECT CAST(table_name AS TEXT) AS tbl, CAST(column_name AS TEXT) AS col, CAST(data_type AS TEXT) AS type,
            CAST(is_nullable AS TEXT) AS nullable, CAST(collation_name AS TEXT) AS collation
     FROM information_schema.columns WHERE table_schema = 'public' AND is_generated = 'NEVER'`,
  )
  for (const row of rows) if (row.type === 'text') expect(row.collation).toBe('C')
  const columns = rows.map((row) => ({ table: row.tbl, column: row.col, type: TYPES[row.type] ?? row.type, required: row.nullable === 'NO' })) // prettier-ignore
  return columns.sort(byPlace)
}
