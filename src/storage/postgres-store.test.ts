import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import pg from 'pg'
import { until } from '../platform/testing-until.js'
import type { Migration } from './migrate.js'
import { positions } from './migrations/0001-positions.js'
import { openPostgres, type PostgresOptions } from './postgres-store.js'
import { allocatePosition } from './tables/positions.js'
import { createTestDatabase, testPostgres } from './testing-postgres.js'
import { all, allPlannedAnew, many, one, run, type Store, type Tx } from './tx.js'

const things: Migration = {
  id: 2,
  name: 'things',
  sql: 'CREATE TABLE things (name TEXT PRIMARY KEY NOT NULL, amount INTEGER NOT NULL) STRICT;',
}

const found = await testPostgres()
if (found.kind === 'absent') console.warn(`PostgreSQL was skipped: ${found.reason}`)
const whenRunning = found.kind === 'running' ? describe : describe.skip

whenRunning('several processes on one PostgreSQL', () => {
  let database: Awaited<ReturnType<typeof createTestDatabase>>
  let stores: Store[]
  beforeEach(async () => {
    database = await createTestDatabase()
    stores = []
  })
  afterEach(async () => {
    await Promise.all(stores.map((store) => store.close()))
    await database.drop()
  })

  async function open(options: Partial<PostgresOptions> = {}): Promise<Store> {
    const store = await openPostgres({ connectionString: database.url, migrations: [positions, things], ...options }) // prettier-ignore
    stores.push(store)
    return store
  }

  /** As an administrator on a connection of their own. */
  async function administer<R extends pg.QueryResultRow>(sql: string): Promise<R[]> {
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    try {
      return (await client.query<R>(sql)).rows
    } finally {
      await client.end()
    }
  }

  const both = (first: string, second: string): (() => Tx<void>) =>
    function* () {
      yield* run('UPDATE things SET amount = amount + 1 WHERE name = ?', first)
      yield* one('SELECT CAST(pg_sleep(0.1) AS TEXT) AS slept')
      yield* run('UPDATE things SET amount = amount + 1 WHERE name = ?', second)
    }

  /** One of the store's connections waits like this: asleep, or for somebody else's lock. */
  const isWaiting = (event: 'Timeout' | 'Lock'): Promise<void> =>
    until(async () => {
      const rows = await administer(
        `SELECT pid FROM pg_stat_activity WHERE application_name = 'chancery' AND datname = current_database()
         AND wait_event_type = '${event}' AND state <> 'idle'`,
      )
      return rows.length > 0
    })

  const breakConnections = (): Promise<unknown> =>
    administer(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = 'chancery' AND datname = current_database()`)

  it('take the schema’s steps once, though they start together', async () => {
    await Promise.all([open(), open(), open()])
    expect(await stores[0]!.read('r', () => one('SELECT count(*) AS n FROM schema_migrations'))).toEqual({
      n: 2,
    })
  })

  it('never give one position twice, and never show a position before the rows up to it', async () => {
    const [a, b, watcher] = [await open(), await open(), await open()]
    const insert = (name: string): (() => Tx<number>) =>
      function* () {
        yield* run('INSERT INTO things (name, amount) VALUES (?, ?)', name, 0)
        const pos = yield* allocatePosition()
        yield* run('UPDATE things SET amount = ? WHERE name = ?', pos, name)
        return pos
      }
    let writing = true
    const given = Promise.all(
      [a, b].flatMap((store, process) =>
        Array.from({ length: 5 }, async (_, writer) => {
          const mine: number[] = []
          for (let count = 0; count < 20; count++) mine.push(await store.write('w', insert(`${process}/${writer}/${count}`))) // prettier-ignore
          return mine
        }),
      ),
    ).finally(() => (writing = false))
    let looks = 0
    while (writing) {
      const position = await watcher.position()
      const row = await watcher.read('r', () => one<{ n: number }>('SELECT count(*) AS n FROM things WHERE amount BETWEEN 1 AND ?', position)) // prettier-ignore
      expect(row!.n).toBe(position)
      looks++
    }
    expect(looks).toBeGreaterThan(3)
    expect((await given).flat().sort((x, y) => x - y)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1))
  })

  it('take turns, so that bodies that lock rows in different orders do not deadlock', async () => {
    const retried: unknown[] = []
    // A busy machine is slow, which is told too and is no fault here.
    const warn = (_fields: object, message: string): void => {
      if (!message.includes('slow')) retried.push(message)
    }
    const logger = { warn, error: () => undefined }
    const [a, b] = [await open({ logger }), await open({ logger })]
    await a.write('w', () => many('INSERT INTO things (name, amount) VALUES (?, ?)', [['x', 0], ['y', 0]])) // prettier-ignore
    await Promise.all([a.write('w', both('x', 'y')), b.write('w', both('y', 'x'))])
    expect(await a.read('r', () => all('SELECT amount FROM things'))).toEqual([{ amount: 2 }, { amount: 2 }])
    expect(retried).toEqual([])
  })

  it('see in a body all that was committed before it, and nothing comes between its statements', async () => {
    const [a, b] = [await open(), await open()]
    await a.write('w', () => run('INSERT INTO things (name, amount) VALUES (?, ?)', 'x', 0))
    // Without turns two of them read the same amount, and one of the two is lost.
    function* readThenWrite(): Tx<void> {
      const row = yield* one<{ amount: number }>("SELECT amount FROM things WHERE name = 'x'")
      yield* run("UPDATE things SET amount = ? WHERE name = 'x'", row!.amount + 1)
    }
    const writers = [a, b].flatMap((store) =>
      Array.from({ length: 4 }, async () => {
        for (let count = 0; count < 25; count++) await store.write('w', readThenWrite)
      }),
    )
    await Promise.all(writers)
    expect(await a.read('r', () => one('SELECT amount FROM things'))).toEqual({ amount: 200 })
  })

  it('run a transaction again that deadlocks with somebody who takes no turns', async () => {
    const retried: unknown[] = []
    const store = await open({
      logger: { warn: (fields) => void retried.push(fields), error: () => undefined },
    })
    await store.write('w', () => many('INSERT INTO things (name, amount) VALUES (?, ?)', [['x', 0], ['y', 0]])) // prettier-ignore
    const administrator = new pg.Client({ connectionString: database.url })
    await administrator.connect()
    try {
      // The one who looks first is the one who gives way.
      await administrator.query(
        "SET deadlock_timeout = '30s'; BEGIN; UPDATE things SET amount = 5 WHERE name = 'y'",
      )
      const written = store.write('w', both('x', 'y'))
      await isWaiting('Lock')
      await administrator.query("UPDATE things SET amount = 5 WHERE name = 'x'; COMMIT")
      await written
    } finally {
      await administrator.end()
    }
    expect(await store.read('r', () => all('SELECT amount FROM things'))).toEqual([
      { amount: 6 },
      { amount: 6 },
    ])
    expect(retried.length).toBeGreaterThan(0)
  })

  it('go on when their connections break', async () => {
    const store = await open()
    await store.write('w', () => run('INSERT INTO things (name, amount) VALUES (?, ?)', 'a', 0))
    await breakConnections()
    await new Promise((resolve) => setTimeout(resolve, 50))
    await store.write('w', () => run('INSERT INTO things (name, amount) VALUES (?, ?)', 'b', 0))
    expect(await store.read('r', () => one('SELECT count(*) AS n FROM things'))).toEqual({ n: 2 })
  })

  it('run a transaction again whose connection broke before its commit', async () => {
    const store = await open()
    let runs = 0
    const written = store.write('w', function* () {
      runs++
      yield* run('INSERT INTO things (name, amount) VALUES (?, ?)', 'a', 0)
      if (runs === 1) yield* one("SELECT CAST(pg_sleep(60) AS TEXT) AS slept")
      return runs
    }) // prettier-ignore
    await isWaiting('Timeout')
    await breakConnections()
    expect(await written).toBe(2)
    expect(await store.read('r', () => one('SELECT count(*) AS n FROM things'))).toEqual({ n: 1 })
  })

  it('say so when a lock is not to be had, and leave nothing behind', async () => {
    const store = await open({ tuning: { lockMs: 200 } })
    await store.write('w', () => run('INSERT INTO things (name, amount) VALUES (?, ?)', 'a', 0))
    const administrator = new pg.Client({ connectionString: database.url })
    await administrator.connect()
    try {
      await administrator.query('BEGIN; SELECT pos FROM stream_position FOR UPDATE')
      const [waits, other] = await Promise.allSettled([
        store.write('w', function* () {
          yield* run("UPDATE things SET amount = 9 WHERE name = 'a'")
          yield* allocatePosition()
        }),
        store.write('w', () => run("UPDATE things SET amount = amount + 1 WHERE name = 'a'")),
      ])
      expect(waits).toMatchObject({ status: 'rejected', reason: { code: 'busy' } })
      expect(other).toMatchObject({ status: 'fulfilled' })
    } finally {
      await administrator.end()
    }
    expect(await store.read('r', () => one('SELECT amount FROM things'))).toEqual({ amount: 1 })
  })

  it('say so when it is not their turn for too long, and go on afterwards', async () => {
    const [a, b] = [await open({ tuning: { lockMs: 200 } }), await open()]
    const insert = (name: string): (() => Tx<void>) => () => run('INSERT INTO things (name, amount) VALUES (?, ?)', name, 0) // prettier-ignore
    const holder = b.write('hold', function* () {
      yield* one('SELECT CAST(pg_sleep(3) AS TEXT) AS slept')
    })
    await isWaiting('Timeout')
    const early = await Promise.allSettled([a.write('w', insert('a')), a.write('w', insert('b'))])
    expect(early).toMatchObject(early.map(() => ({ status: 'rejected', reason: { code: 'busy' } })))
    await holder
    await a.write('w', insert('c'))
    expect(await a.read('r', () => all('SELECT name FROM things'))).toEqual([{ name: 'c' }])
  })

  it('plan a query anew where that is asked for, and others once', async () => {
    const store = await open()
    const kept = await store.read('r', function* () {
      yield* allPlannedAnew('SELECT name FROM things WHERE amount = ?', 1)
      yield* all('SELECT name FROM things WHERE amount > ?', 1)
      return yield* all<{ statement: string }>(
        "SELECT statement FROM pg_prepared_statements WHERE statement LIKE 'SELECT name FROM things%'",
      )
    })
    expect(kept.map(({ statement }) => /[=>]/.exec(statement)?.[0])).toEqual(['>'])
  })

  it('tell where no server answers, or the database is not fit', async () => {
    const nowhere = database.url.replace(/\/[^/]*$/, '/nowhere')
    await expect(openPostgres({ connectionString: nowhere })).rejects.toMatchObject({ name: 'StorageError' })
    const socket = 'postgres://chancery@%2Fnonexistent/test'
    await expect(openPostgres({ connectionString: socket })).rejects.toMatchObject({ code: 'io' })
    const latin = `latin_${process.pid}`
    await administer(`CREATE DATABASE ${latin} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'`)
    try {
      const url = database.url.replace(/\/[^/]*$/, `/${latin}`)
      await expect(openPostgres({ connectionString: url })).rejects.toMatchObject({ code: 'schema' })
    } finally {
      await administer(`DROP DATABASE ${latin} WITH (FORCE)`)
    }
  })
})
