import { writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { StorageError } from './errors.js'
import type { Migration } from './migrate.js'
import { positions } from './migrations/0001-positions.js'
import type { StoreEvent } from './observer.js'
import { allocatePosition, readPosition } from './tables/positions.js'
import { openSqliteTestStore } from './testing.js'
import { openPostgresTestStore, testPostgres } from './testing-postgres.js'
import { all, many, manyChanges, one, run, runChanges, type Store, type Tx, type Value } from './tx.js'

const tables: Migration = {
  id: 2,
  name: 'contract',
  sql: `
    CREATE TABLE things (
      id INTEGER PRIMARY KEY,
      name TEXT NOT NULL UNIQUE, -- what's it called?
      amount INTEGER,
      body BLOB
    ) STRICT;
    CREATE TABLE pairs (
      a TEXT NOT NULL,
      b INTEGER NOT NULL CHECK (b >= 0),
      c TEXT,
      PRIMARY KEY (a, b)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE parts (
      thing INTEGER NOT NULL REFERENCES things (id),
      pos INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX parts_by_thing ON parts (thing);
  `,
}
const migrations = [positions, tables]

interface OpenOptions {
  observe?: (event: StoreEvent) => void
  tuning?: { maxQueue: number }
}

interface Driver {
  readonly name: 'sqlite' | 'postgres'
  open(options?: OpenOptions): Promise<Store>
}

const drivers: Driver[] = [
  { name: 'sqlite', open: (options) => openSqliteTestStore({ durability: 'full', migrations, ...options }) },
]
const postgres = await testPostgres()
if (postgres.kind === 'running') {
  drivers.push({ name: 'postgres', open: (options) => openPostgresTestStore({ migrations, ...options }) })
} else {
  console.warn(`PostgreSQL was skipped: ${postgres.reason}`)
}

const counts = new Map<string, number>()
afterAll(() => {
  const path = process.env['CHANCERY_CONTRACT_COUNTS']
  if (path !== undefined) writeFileSync(path, `${JSON.stringify(Object.fromEntries(counts))}\n`)
})

const insertThing = (name: string, amount: Value = null, body: Value = null): Tx<{ id: number }> =>
  one<{ id: number }>(
    'INSERT INTO things (name, amount, body) VALUES (?, ?, ?) RETURNING id',
    name,
    amount,
    body,
  ) as Tx<{ id: number }>

function* names(): Tx<string[]> {
  return (yield* all<{ name: string }>('SELECT name FROM things ORDER BY name')).map((row) => row.name)
}

async function failure(promise: Promise<unknown>): Promise<StorageError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(StorageError)
  return error as StorageError
}

describe.each(drivers)('the storage port on $name', (driver) => {
  let store: Store
  beforeEach(async () => {
    store = await driver.open()
  })
  afterEach(async () => {
    await store.close()
    counts.set(driver.name, (counts.get(driver.name) ?? 0) + 1)
  })

  const read = <T>(body: () => Tx<T>): Promise<T> => store.read('test', body)
  const write = <T>(body: () => Tx<T>): Promise<T> => store.write('test', body)

  it('says which dialect it is', () => {
    expect(store.dialect).toBe(driver.name)
  })

  describe('a write', () => {
    it('gives what the body returns, and its rows are there', async () => {
      const row = await write(() => insertThing('a', 5))
      expect(row.id).toBeGreaterThan(0)
      expect(await read(() => one('SELECT id, name, amount, body FROM things'))).toEqual({
        id: row.id,
        name: 'a',
        amount: 5,
        body: null,
      })
    })

    it('that throws leaves nothing behind, and rejects with what was thrown', async () => {
      const thrown = new Error('no')
      const written = write(function* () {
        yield* insertThing('a')
        throw thrown
      })
      await expect(written).rejects.toBe(thrown)
      expect(await read(names)).toEqual([])
    })

    it('that throws before its first query rejects', async () => {
      await expect(
        write(() => {
          throw new Error('early')
        }),
      ).rejects.toThrow('early')
      await write(() => insertThing('next'))
    })

    it('that throws rejects alone among those queued with it', async () => {
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, index) =>
          write(function* () {
            yield* insertThing(`n${index}`)
            if (index % 3 === 0) throw new Error(`odd ${index}`)
            return index
          }),
        ),
      )
      for (const [index, result] of results.entries()) {
        if (index % 3 === 0)
          expect(result).toMatchObject({ status: 'rejected', reason: { message: `odd ${index}` } })
        else expect(result).toEqual({ status: 'fulfilled', value: index })
      }
      expect(await read(names)).toHaveLength(13)
    })

    it('sees what the bodies before it in the queue have written', async () => {
      const [, count] = await Promise.all([
        write(() => insertThing('a')),
        write(() => one<{ n: number }>('SELECT count(*) AS n FROM things')),
      ])
      expect(count).toEqual({ n: 1 })
    })

    it('runs in the order of the calls', async () => {
      await Promise.all(
        Array.from({ length: 30 }, (_, index) => write(() => insertThing(`t${index}`, index))),
      )
      const rows = await read(() => all<{ amount: number }>('SELECT amount FROM things ORDER BY id'))
      expect(rows.map((row) => row.amount)).toEqual(Array.from({ length: 30 }, (_, index) => index))
    })

    it('ends when a query fails, even if the body would go on', async () => {
      await write(() => insertThing('a'))
      const error = await failure(
        write(function* () {
          yield* insertThing('b')
          try {
            yield* insertThing('a')
          } catch {
            // Not even reached.
          }
          yield* insertThing('c')
        }),
      )
      expect(error.code).toBe('unique')
      expect(await read(names)).toEqual(['a'])
    })

    it('tells which query failed, also where nobody waited for it and others came after it', async () => {
      await write(() => insertThing('a'))
      const reads = function* (): Tx<void> {
        yield* insertThing('a')
        yield* all('SELECT * FROM things')
      }
      const throws = function* (): Tx<void> {
        yield* insertThing('b')
        yield* run('INSERT INTO pairs (a, b) VALUES (?, ?)', 'x', -1)
        yield* many('INSERT INTO things (name) VALUES (?)', [['c'], ['a']])
        yield* run('INSERT INTO nowhere (a) VALUES (?)', 1)
        throw new Error('not reached where each query is waited for')
      }
      expect((await failure(write(reads))).code).toBe('unique')
      expect((await failure(write(throws))).code).toBe('constraint')
      expect(await read(names)).toEqual(['a'])
    })

    it('sends more than it keeps on their way', async () => {
      await write(function* () {
        for (let index = 0; index < 250; index++) yield* insertThing(`t${index}`, index)
      })
      expect(await read(() => one('SELECT COUNT(*) AS n, SUM(amount) AS sum FROM things'))).toEqual({
        n: 250,
        sum: 31_125,
      })
    })

    it('runs the clean-up of a body whose query failed', async () => {
      let cleaned = false
      await failure(
        write(function* () {
          try {
            yield* run('INSERT INTO pairs (a, b) VALUES (?, ?)', 'x', -1)
          } finally {
            cleaned = true
          }
        }),
      )
      expect(cleaned).toBe(true)
    })

    it('that breaks another rule of the schema rejects with `constraint`', async () => {
      for (const body of [
        () => run('INSERT INTO pairs (a, b) VALUES (?, ?)', 'x', -1),
        () => run('INSERT INTO pairs (a, b) VALUES (?, ?)', null, 1),
        () => run('INSERT INTO parts (thing, pos) VALUES (?, ?)', 77, 1),
        () => run('INSERT INTO things (name, amount) VALUES (?, ?)', 'x', 'five'),
      ]) {
        expect((await failure(write(body))).code).toBe('constraint')
      }
    })

    it('with SQL that is wrong rejects with `sql`, and the store goes on', async () => {
      expect((await failure(write(() => run('INSERT INTO nowhere (a) VALUES (?)', 1)))).code).toBe('sql')
      await write(() => insertThing('a'))
    })

    it('gives the number of rows changed', async () => {
      await write(() => many('INSERT INTO things (name) VALUES (?)', [['a'], ['b'], ['c']]))
      expect(await write(() => runChanges('UPDATE things SET amount = ? WHERE name <> ?', 1, 'a'))).toBe(2)
      expect(await write(() => runChanges('DELETE FROM things WHERE name = ?', 'z'))).toBe(0)
      expect(
        await write(() =>
          runChanges('INSERT INTO things (name) VALUES (?) ON CONFLICT (name) DO NOTHING', 'a'),
        ),
      ).toBe(0)
    })

    it('waits in line when thousands are queued, and all are done', async () => {
      await Promise.all(
        Array.from({ length: 3_000 }, (_, index) =>
          write(() => run('INSERT INTO things (name) VALUES (?)', `q${index}`)),
        ),
      )
      expect(await read(() => one('SELECT count(*) AS n FROM things'))).toEqual({ n: 3_000 })
    })
  })

  it('refuses writes past the bound of its queue, with a clear error', async () => {
    const bounded = await driver.open({ tuning: { maxQueue: 3 } })
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, (_, index) => bounded.write('q', () => insertThing(`n${index}`))),
    )
    expect(results.map((result) => result.status)).toEqual([
      'fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected',
    ]) // prettier-ignore
    expect(results[4]).toMatchObject({ reason: { code: 'overloaded' } })
    await bounded.write('q', () => insertThing('later'))
    await bounded.close()
  })

  it('groups bodies that are queued together into few transactions', async () => {
    const groups: number[] = []
    const observed = await driver.open({
      observe: (event) => void (event.kind === 'group' && groups.push(event.bodies)),
    })
    await Promise.all(
      Array.from({ length: 40 }, (_, index) => observed.write('g', () => insertThing(`${index}`))),
    )
    expect(groups.reduce((sum, bodies) => sum + bodies, 0)).toBe(40)
    expect(groups.length).toBeLessThan(10)
    await observed.close()
  })

  describe('a read', () => {
    it('sees one moment, while others write', async () => {
      await write(() => many('INSERT INTO things (name, amount) VALUES (?, ?)', [['a', 50], ['b', 50]])) // prettier-ignore
      const moves = Array.from({ length: 50 }, () =>
        write(function* () {
          yield* run("UPDATE things SET amount = amount - 1 WHERE name = 'a'")
          yield* run("UPDATE things SET amount = amount + 1 WHERE name = 'b'")
        }),
      )
      const sums = Array.from({ length: 50 }, () =>
        read(function* () {
          const a = yield* one<{ amount: number }>("SELECT amount FROM things WHERE name = 'a'")
          const b = yield* one<{ amount: number }>("SELECT amount FROM things WHERE name = 'b'")
          return a!.amount + b!.amount
        }),
      )
      expect(new Set(await Promise.all(sums))).toEqual(new Set([100]))
      await Promise.all(moves)
      expect(await read(() => one("SELECT amount FROM things WHERE name = 'b'"))).toEqual({ amount: 100 })
    })

    it('that writes is refused, and writes nothing', async () => {
      await failure(read(() => run('INSERT INTO things (name) VALUES (?)', 'a')))
      await failure(read(() => insertThing('a')))
      expect(await read(names)).toEqual([])
    })

    it('gives undefined for no row, and an empty list', async () => {
      expect(await read(() => one('SELECT 1 AS n FROM things'))).toBeUndefined()
      expect(await read(() => all('SELECT 1 AS n FROM things'))).toEqual([])
    })

    it('that throws rejects with what was thrown', async () => {
      const thrown = new Error('no')
      await expect(
        read(() => {
          throw thrown
        }),
      ).rejects.toBe(thrown)
    })
  })

  describe('values', () => {
    it.each([
      0, 1, -1, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 40, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER,
    ])('the integer %d comes back', async (amount) => {
      const row = await write(() => one('INSERT INTO things (name, amount) VALUES (?, ?) RETURNING amount', 'a', amount))
      expect(row).toEqual({ amount })
      expect(await read(() => one('SELECT name FROM things WHERE amount = ?', amount))).toEqual({ name: 'a' })
      expect(await read(() => all('SELECT name FROM things WHERE amount IN (??)', [amount]))).toHaveLength(1)
    }) // prettier-ignore

    it('negative zero is zero', async () => {
      const row = await write(() => one<{ amount: number }>('INSERT INTO things (name, amount) VALUES (?, ?) RETURNING amount', 'a', -0)) // prettier-ignore
      expect(Object.is(row!.amount, 0)).toBe(true)
    })

    it('a bare parameter has the type of its value, also null, also where nothing else tells', async () => {
      expect(await read(() => one('SELECT ? AS i, ? AS t, ? AS n', 2 ** 40, 'text', null))).toEqual({
        i: 2 ** 40,
        t: 'text',
        n: null,
      })
      await write(() => many('INSERT INTO things (name, amount) VALUES (?, ?)', [['a', 1], ['b', null]])) // prettier-ignore
      const filter = 'SELECT name FROM things WHERE (? IS NULL OR amount = ?) ORDER BY name'
      expect(await read(() => all(filter, null, null))).toEqual([{ name: 'a' }, { name: 'b' }])
      expect(await read(() => all(filter, 1, 1))).toEqual([{ name: 'a' }])
    })

    it('arithmetic is that of 64-bit integers', async () => {
      expect(await read(() => one('SELECT ? / 1000 AS q, ? + 1 AS s', 1_700_000_000_999, 2 ** 40))).toEqual({
        q: 1_700_000_000,
        s: 2 ** 40 + 1,
      })
      await write(() => many('INSERT INTO things (name, amount) VALUES (?, ?)', [['a', 2 ** 40], ['b', 2 ** 40]])) // prettier-ignore
      expect(
        await read(() => one('SELECT sum(amount) AS s, count(*) AS n, max(amount) AS m FROM things')),
      ).toEqual({
        s: 2 ** 41,
        n: 2,
        m: 2 ** 40,
      })
    })

    it.each(['', 'é', '日本', '😀', '\u{10ffff}', "it's", '"', '\\', '\n\t', '?', '$1', '__proto__'])(
      'the text %j comes back',
      async (text) => {
        await write(() => run('INSERT INTO pairs (a, b, c) VALUES (?, ?, ?)', text, 1, text))
        expect(await read(() => all('SELECT c FROM pairs WHERE a = ?', text))).toEqual([{ c: text }])
        expect(await read(() => all('SELECT c FROM pairs WHERE a IN (??)', [text, 'other']))).toEqual([{ c: text }])
      },
    ) // prettier-ignore

    it('a long text comes back', async () => {
      const text = 'aé😀'.repeat(100_000)
      await write(() => run('INSERT INTO pairs (a, b, c) VALUES (?, ?, ?)', 'long', 1, text))
      const row = await read(() => one<{ c: string }>('SELECT c FROM pairs'))
      expect(row!.c === text).toBe(true)
    })

    it('bytes come back, also none and 0', async () => {
      for (const body of [
        new Uint8Array(),
        Uint8Array.of(0),
        Uint8Array.from({ length: 256 }, (_, i) => i),
      ]) {
        await write(() => insertThing(`b${body.length}`, null, body))
        const row = await read(() =>
          one<{ body: Uint8Array }>('SELECT body FROM things WHERE body = ?', body),
        )
        expect(row!.body).toBeInstanceOf(Uint8Array)
        expect([...row!.body]).toEqual([...body])
      }
      const view = Uint8Array.from([1, 2, 3, 4]).subarray(1, 3)
      await write(() => many('INSERT INTO things (name, body) VALUES (?, ?)', [['view', view]]))
      const row = await read(() => one<{ body: Uint8Array }>("SELECT body FROM things WHERE name = 'view'"))
      expect([...row!.body]).toEqual([2, 3])
    })

    it('text is ordered by code point', async () => {
      const sorted = ['', '!', 'A', 'Z', '_', 'a', 'aa', 'b', 'é', 'ﬀ', '～', '😀', '\u{10ffff}']
      await write(() =>
        many(
          'INSERT INTO pairs (a, b) VALUES (?, ?)',
          [...sorted].reverse().map((a) => [a, 0]),
        ),
      )
      const rows = await read(() => all<{ a: string }>('SELECT a FROM pairs ORDER BY a'))
      expect(rows.map((row) => row.a)).toEqual(sorted)
      expect(await read(() => one('SELECT count(*) AS n FROM pairs WHERE a > ?', '～'))).toEqual({ n: 2 })
    })

    it('text with NUL or a lone surrogate is refused, wherever it stands', async () => {
      for (const text of ['a\0b', '\0', '\ud800', 'a\udc00b']) {
        for (const body of [
          () => insertThing(text),
          () => many('INSERT INTO things (name) VALUES (?)', [['fine'], [text]]),
          () => all('SELECT name FROM things WHERE name IN (??)', ['fine', text]),
        ] as (() => Tx<unknown>)[]) {
          expect((await failure(write(body))).code).toBe('value')
        }
      }
      expect(await read(names)).toEqual([])
    })

    it('numbers that are no exact integers are refused', async () => {
      for (const number of [0.5, NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 53)]) {
        for (const body of [
          () => insertThing('a', number),
          () => many('INSERT INTO things (name, amount) VALUES (?, ?)', [['a', number]]),
          () => all('SELECT name FROM things WHERE amount IN (??)', [number]),
        ] as (() => Tx<unknown>)[]) {
          expect((await failure(write(body))).code).toBe('value')
        }
      }
    })

    it('other types are refused', async () => {
      for (const value of [undefined, true, 5n, {}, new Date(), Symbol('x')] as unknown as Value[]) {
        expect(
          (await failure(write(() => run('INSERT INTO things (name, amount) VALUES (?, ?)', 'a', value))))
            .code,
        ).toBe('misuse')
        const rows = [['a', value]]
        expect((await failure(write(() => many('INSERT INTO things (name, amount) VALUES (?, ?)', rows)))).code).toBe('misuse') // prettier-ignore
      }
    })
  })

  describe('lists', () => {
    beforeEach(async () => {
      const rows = Array.from({ length: 100 }, (_, index) => [`n${index}`, index])
      await write(() => many('INSERT INTO things (name, amount) VALUES (?, ?)', rows))
    })

    it('match what they hold', async () => {
      expect(
        await read(() => all('SELECT name FROM things WHERE amount IN (??) ORDER BY amount', [5, 7, 1_000])),
      ).toEqual([{ name: 'n5' }, { name: 'n7' }])
      const [row] = await read(() => all<{ n: number }>('SELECT count(*) AS n FROM things WHERE name NOT IN (??) AND amount < ?', ['n1', 'n2'], 10)) // prettier-ignore
      expect(row).toEqual({ n: 8 })
    })

    it('may be empty', async () => {
      expect(await read(() => all('SELECT name FROM things WHERE amount IN (??)', []))).toEqual([])
      expect(await read(() => all('SELECT name FROM things WHERE name IN (??)', []))).toEqual([])
      expect(await read(() => all('SELECT name FROM things WHERE name NOT IN (??)', []))).toHaveLength(100)
    })

    it('may be long', async () => {
      const list = Array.from({ length: 50_000 }, (_, index) => `n${index}`)
      expect(await read(() => all('SELECT name FROM things WHERE name IN (??)', list))).toHaveLength(100)
    })

    it('match what they hold, however many they hold and several in one query', async () => {
      const sql = 'SELECT amount FROM things WHERE name IN (??) AND amount NOT IN (??) ORDER BY amount'
      for (const names of [0, 1, 2, 3, 31, 33, 64, 65, 99]) {
        for (const without of [0, 1, 5, 64, 90]) {
          const rows = await read(() =>
            all<{ amount: number }>(
              sql,
              Array.from({ length: names }, (_, index) => `n${index}`),
              Array.from({ length: without }, (_, index) => index),
            ),
          )
          const expected = Array.from({ length: Math.max(0, names - without) }, (_, index) => without + index)
          expect(rows.map(({ amount }) => amount)).toEqual(expected)
        }
      }
    })

    it('delete what they hold, however many they hold', async () => {
      let left = 100
      for (const count of [1, 2, 3, 60, 1]) {
        const list = Array.from({ length: count }, (_, index) => 100 - left + index)
        expect(await write(() => runChanges('DELETE FROM things WHERE amount IN (??)', list))).toBe(count)
        left -= count
      }
      expect(await read(() => all('SELECT 1 AS one FROM things'))).toHaveLength(left)
    })

    it('change rows too', async () => {
      expect(await write(() => runChanges('DELETE FROM things WHERE amount IN (??)', [1, 2, 3]))).toBe(3)
    })

    it('are refused when too long, mixed, or where a single value belongs', async () => {
      const mixed = ['a', 1] as unknown as string[]
      for (const body of [
        () =>
          all(
            'SELECT name FROM things WHERE amount IN (??)',
            Array.from({ length: 100_001 }, () => 1),
          ),
        () => all('SELECT name FROM things WHERE name IN (??)', mixed),
        () => all('SELECT name FROM things WHERE name = ?', ['a']),
        () => all('SELECT name FROM things WHERE name IN (??)', 'a'),
        () => all('SELECT name FROM things WHERE name = ?'),
        () => all('SELECT name FROM things WHERE name = ?', 'a', 'b'),
      ]) {
        expect((await failure(read(body))).code).toBe('misuse')
      }
    })
  })

  describe('many', () => {
    it('inserts thousands of rows in one call', async () => {
      const rows = Array.from({ length: 20_000 }, (_, index) => [`n${index}`, index, null])
      expect(
        await write(() => manyChanges('INSERT INTO things (name, amount, body) VALUES (?, ?, ?)', rows)),
      ).toBe(20_000)
      expect(await read(() => one('SELECT count(*) AS n FROM things WHERE amount IS NOT NULL'))).toEqual({
        n: 20_000,
      })
    })

    it('does nothing for no rows', async () => {
      expect(await write(() => manyChanges('INSERT INTO things (name) VALUES (?)', []))).toBe(0)
    })

    it('skips rows that are there already', async () => {
      const sql = 'INSERT INTO pairs (a, b) VALUES (?, ?) ON CONFLICT DO NOTHING'
      expect(await write(() => manyChanges(sql, [['x', 1], ['x', 1], ['x', 2]]))).toBe(2) // prettier-ignore
    })

    it('lets the last row of one key win, within one call too', async () => {
      const sql = `INSERT INTO pairs (a, b, c) VALUES (?, ?, ?)
                   ON CONFLICT (a, b) DO UPDATE SET c = excluded.c`
      await write(() => many(sql, [['x', 1, 'first'], ['y', 1, 'other'], ['x', 1, 'second'], ['x', 1, 'third']])) // prettier-ignore
      expect(await read(() => all('SELECT a, c FROM pairs ORDER BY a'))).toEqual([
        { a: 'x', c: 'third' },
        { a: 'y', c: 'other' },
      ])
    })

    it('runs any other statement once for each row', async () => {
      await write(() => many('INSERT INTO things (name, amount) VALUES (?, ?)', [['a', 1], ['b', 2]])) // prettier-ignore
      expect(await write(() => manyChanges('UPDATE things SET amount = amount + ? WHERE name = ?', [[10, 'a'], [20, 'b'], [5, 'z']]))).toBe(2) // prettier-ignore
      expect(await read(() => all('SELECT amount FROM things ORDER BY name'))).toEqual([
        { amount: 11 },
        { amount: 22 },
      ])
      const computed = 'INSERT INTO things (name, amount) VALUES (?, ? + 1)'
      await write(() => many(computed, [['c', 2 ** 40], ['d', 0]])) // prettier-ignore
      expect(await read(() => one("SELECT amount FROM things WHERE name = 'c'"))).toEqual({
        amount: 2 ** 40 + 1,
      })
    })

    it('is all or nothing', async () => {
      expect((await failure(write(() => many('INSERT INTO things (name) VALUES (?)', [['a'], ['b'], ['a']])))).code).toBe('unique') // prettier-ignore
      expect(await read(names)).toEqual([])
    })

    it('refuses rows of another length', async () => {
      expect((await failure(write(() => many('INSERT INTO things (name) VALUES (?)', [['a', 1]])))).code).toBe('misuse') // prettier-ignore
    })
  })

  describe('SQL', () => {
    it('may hold question marks in strings, names and comments', async () => {
      const row = await read(() => one(`SELECT '?' AS "q?", ? AS n -- really??
                                         /* ? */`, 5)) // prettier-ignore
      expect(row).toEqual({ 'q?': '?', n: 5 })
    })

    it('casts to 64-bit integers, text and bytes', async () => {
      expect(await read(() => one("SELECT CAST(? AS INTEGER) AS i, CAST(? AS TEXT) AS t", String(2 ** 40), 7))).toEqual({
        i: 2 ** 40,
        t: '7',
      }) // prettier-ignore
    })

    it('keeps a quoted name as it is written', async () => {
      expect(await read(() => one('SELECT 1 AS "userId"'))).toEqual({ userId: 1 })
    })

    it('knows upserts with a condition, common tables and row comparison', async () => {
      const upsert = `INSERT INTO things (name, amount) VALUES (?, ?)
        ON CONFLICT (name) DO UPDATE SET amount = excluded.amount WHERE things.amount < excluded.amount`
      expect(await write(() => runChanges(upsert, 'a', 5))).toBe(1)
      expect(await write(() => runChanges(upsert, 'a', 3))).toBe(0)
      expect(await write(() => runChanges(upsert, 'a', 2 ** 40))).toBe(1)
      await write(() => many('INSERT INTO pairs (a, b) VALUES (?, ?)', [['x', 1], ['x', 2], ['y', 0]])) // prettier-ignore
      expect(
        await read(() =>
          all('SELECT a, b FROM pairs WHERE (a, b) > (?, ?) ORDER BY a, b LIMIT ?', 'x', 1, 5),
        ),
      ).toEqual([
        { a: 'x', b: 2 },
        { a: 'y', b: 0 },
      ])
      const recursive = `WITH RECURSIVE steps (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM steps WHERE n < ?)
                         SELECT count(*) AS n FROM steps`
      expect(await read(() => one(recursive, 10))).toEqual({ n: 10 })
    })
  })

  describe('positions', () => {
    it('are given once each, in order, and are the store’s position once written', async () => {
      expect(await store.position()).toBe(0)
      const given = await Promise.all(Array.from({ length: 50 }, () => write(() => allocatePosition())))
      expect(given).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
      expect(await store.position()).toBe(50)
      expect(await write(() => allocatePosition(10))).toBe(60)
      expect(await store.position()).toBe(60)
      expect(await read(readPosition)).toBe(60)
    })

    it('of a body that failed are given again', async () => {
      await expect(
        write(function* () {
          yield* allocatePosition(5)
          throw new Error('no')
        }),
      ).rejects.toThrow('no')
      expect(await write(() => allocatePosition())).toBe(1)
    })

    it('never go back, and are never ahead of the rows', async () => {
      let last = 0
      let writing = true
      const writers = Promise.all(
        Array.from({ length: 4 }, async (_, writer) => {
          for (let index = 0; index < 25; index++) {
            await write(function* () {
              yield* insertThing(`${writer}/${index}`)
              const pos = yield* allocatePosition()
              yield* run('UPDATE things SET amount = ? WHERE name = ?', pos, `${writer}/${index}`)
            })
          }
        }),
      ).finally(() => (writing = false))
      while (writing) {
        const position = await store.position()
        expect(position).toBeGreaterThanOrEqual(last)
        last = position
        const row = await read(() =>
          one<{ n: number }>('SELECT count(*) AS n FROM things WHERE amount <= ?', position),
        )
        expect(row!.n).toBe(position)
        await new Promise((resolve) => setImmediate(resolve))
      }
      await writers
      expect(await store.position()).toBe(100)
    })
  })

  describe('close', () => {
    it('finishes what was queued, and refuses what comes later', async () => {
      const written = Array.from({ length: 20 }, (_, index) => write(() => insertThing(`n${index}`)))
      const closed = store.close()
      expect((await failure(write(() => insertThing('late')))).code).toBe('closed')
      expect((await failure(read(names))).code).toBe('closed')
      await Promise.all(written)
      await closed
      await store.close()
    })
  })
})
