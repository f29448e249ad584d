import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { copyToPostgres, tablesOf, type CopyReport } from './copy-to-postgres.js'
import { migrations } from './migrations/index.js'
import { openPostgres } from './postgres-store.js'
import { SqliteDatabase } from './sqlite-driver.js'
import { openSqlite } from './sqlite-store.js'
import { createTestDatabase, testPostgres } from './testing-postgres.js'
import { all, many, one, run, type Value } from './tx.js'

const found = await testPostgres()
if (found.kind === 'absent') console.warn(`PostgreSQL was skipped: ${found.reason}`)
const both = found.kind === 'running' ? describe : describe.skip

/** More than two batches. */
const ROWS = 1_100

let folder: string
let path: string
let target: { url: string; drop(): Promise<void> }

interface Column {
  readonly name: string
  readonly type: string
}

/** A value that no other row has in this column; text and bytes of kinds that are easily spoilt on the way. */
function valueOf({ type }: Column, row: number): Value {
  if (type === 'INTEGER') return row === 0 ? Number.MAX_SAFE_INTEGER : row
  if (type === 'BLOB') return Uint8Array.from([0, 255, row % 256, row >> 8])
  return `${row} "é' \\ \n🙂`
}

/** Fills every table of the schema, so that a table that a later migration adds is tested without a word here. */
async function fill(): Promise<void> {
  const store = await openSqlite({ path, durability: 'none' })
  await store.close()
  const database = new SqliteDatabase(path)
  const tables = tablesOf(database).filter((table) => !/^(schema_|stream_position)/.test(table.name))
  expect(tables.length).toBeGreaterThan(35)
  database.transaction(() => {
    for (const { name, columns } of tables) {
      const types = database
        .prepare<[string], Column>('SELECT name, type FROM pragma_table_info(?)')
        .all(name)
      const insert = database.prepare(
        `INSERT INTO ${name} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
      )
      database.prepare(`DELETE FROM ${name}`).run()
      for (let row = 0; row < ROWS; row++) insert.run(types.map((column) => valueOf(column, row)))
    }
    database.prepare('UPDATE stream_position SET pos = 77').run()
  })()
  database.close()
}

const copy = (): Promise<CopyReport> => copyToPostgres({ path, connectionString: target.url })

both('a copy from SQLite to PostgreSQL', () => {
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'chancery-copy-'))
    path = join(folder, 'homeserver.db')
    target = await createTestDatabase()
  })
  afterEach(async () => {
    rmSync(folder, { recursive: true })
    await target.drop()
  })

  it('has every row of every table, byte by byte, and goes on where the source was', async () => {
    await fill()
    const report = await copy()
    const source = new SqliteDatabase(path, { readonly: true })
    const store = await openPostgres({ connectionString: target.url })
    try {
      expect(report).toMatchObject({ position: 77, schema: migrations.at(-1)!.id })
      expect(await store.position()).toBe(77)
      let rows = 0
      for (const { name, columns } of tablesOf(source)) {
        if (name.startsWith('schema_')) continue
        const order = columns.map((_, index) => index + 1).join(', ')
        const sql = `SELECT ${columns.join(', ')} FROM ${name} ORDER BY ${order}`
        const here = source.prepare(sql).all()
        const there = await store.read('test', () => all(sql))
        expect([name, there.map(plain)]).toEqual([name, here.map(plain)])
        rows += here.length
      }
      expect(report.rows).toBe(rows)
    } finally {
      source.close()
      await store.close()
    }
  })

  it('gives out no number of a row that is there', async () => {
    const store = await openSqlite({ path, durability: 'none' })
    const edus = [1, 2, 3].map((number) => ['x.example', 'm.test', `key ${number}`, '{}'])
    const insert =
      'INSERT INTO outbox_edus (destination, edu_type, coalesce_key, content) VALUES (?, ?, ?, ?)'
    await store.write('test', () => many(insert, edus))
    await store.close()
    await copy()
    const there = await openPostgres({ connectionString: target.url })
    try {
      await there.write('test', () => many(insert, [['x.example', 'm.test', 'key 4', '{}']]))
      expect(await there.read('test', () => one('SELECT MAX(nid) AS top FROM outbox_edus'))).toEqual({
        top: 4,
      })
      // An empty table begins with 1.
      await there.write('test', () =>
        run(
          "INSERT INTO staged_pdus (origin, room_id, event_id, received, json) VALUES ('a', 'b', 'c', 1, '{}')",
        ),
      )
      expect(await there.read('test', () => one('SELECT nid FROM staged_pdus'))).toEqual({ nid: 1 })
    } finally {
      await there.close()
    }
  })

  it('refuses a target that is in use, or holds something else, and leaves it as it is', async () => {
    await fill()
    await copy()
    await expect(copy()).rejects.toThrow(/the target is not empty: \w+ has 1100 rows/)
    const used = await openPostgres({ connectionString: target.url })
    expect(await used.position()).toBe(77)
    await used.close()
    const other = await createTestDatabase()
    const pg = (await import('pg')).default
    const client = new pg.Client({ connectionString: other.url })
    await client.connect()
    await client.query('CREATE TABLE invoices (id BIGINT)')
    await client.end()
    await expect(copyToPostgres({ path, connectionString: other.url })).rejects.toThrow(
      /something else \(invoices\)/,
    )
    await other.drop()
  })

  it('refuses a source or a target of another schema', async () => {
    const older = migrations.slice(0, -1)
    const old = await openSqlite({ path, durability: 'none', migrations: older })
    await old.close()
    await expect(copy()).rejects.toThrow(/bring it up to date first with `chancery migrate`/)
    const now = await openSqlite({ path, durability: 'none' })
    await now.close()
    const there = await openPostgres({ connectionString: target.url, migrations: older })
    await there.close()
    await expect(copy()).rejects.toThrow(/the target has schema \d+, the source schema \d+/)
    const empty = new SqliteDatabase(join(folder, 'other.db'))
    empty.exec('CREATE TABLE a (b)')
    empty.close()
    await expect(
      copyToPostgres({ path: join(folder, 'other.db'), connectionString: target.url }),
    ).rejects.toThrow(/is no database of a node/)
  })

  it('refuses the database of a running node', async () => {
    const store = await openSqlite({ path, durability: 'none' })
    await expect(copy()).rejects.toMatchObject({ code: 'locked' })
    await store.close()
  })

  it('leaves no row where it fails on the way', async () => {
    await fill()
    const database = new SqliteDatabase(path)
    // Written by no program of ours: PostgreSQL has no NUL in texts.
    database.prepare("UPDATE users SET password_hash = 'a' || char(0) WHERE user_id LIKE '1099 %'").run()
    database.close()
    await expect(copy()).rejects.toThrow(/NUL/)
    const there = await openPostgres({ connectionString: target.url })
    try {
      for (const name of ['aliases', 'events', 'users'])
        expect(await there.read('test', () => one(`SELECT COUNT(*) AS n FROM ${name}`))).toEqual({ n: 0 })
    } finally {
      await there.close()
    }
  })
})

/** Rows of either driver, comparable. */
const plain = (row: unknown): unknown =>
  Object.fromEntries(
    Object.entries(row as Record<string, unknown>).map(([key, value]) => [
      key,
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
    ]),
  )
