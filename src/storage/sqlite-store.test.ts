import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { until } from '../platform/testing-until.js'
import { startChild } from '../platform/testing-child.js'
import { StorageError } from './errors.js'
import type { Migration } from './migrate.js'
import { positions } from './migrations/0001-positions.js'
import type { StoreEvent } from './observer.js'
import { SqliteDatabase, sqliteDriverPath } from './sqlite-driver.js'
import { openSqlite, type SqliteOptions } from './sqlite-store.js'
import { allocatePosition } from './tables/positions.js'
import { all, many, one, run, type Store, type Tx } from './tx.js'

const things: Migration = {
  id: 2,
  name: 'things',
  sql: 'CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;',
}

let folder: string
let path: string
let stores: Store[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chancery-sqlite-'))
  path = join(folder, 'deep', 'er', 'test.db')
  stores = []
})
afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()))
  rmSync(folder, { recursive: true })
})

async function open(options: Partial<SqliteOptions> = {}): Promise<Store> {
  const store = await openSqlite({ path, migrations: [positions, things], ...options })
  stores.push(store)
  return store
}

const insert = (name: string): Tx<void> => run('INSERT INTO things (name) VALUES (?)', name)
function* count(): Tx<number> {
  return (yield* one<{ n: number }>('SELECT count(*) AS n FROM things'))!.n
}
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A sync that ends when the test says so. */
function manualSync(): {
  syncFile: () => Promise<void>
  waiting: () => number
  finish: (error?: Error) => void
} {
  const waiting: ((error?: Error) => void)[] = []
  return {
    syncFile: () =>
      new Promise((resolve, reject) => {
        waiting.push((error) => (error === undefined ? resolve() : reject(error)))
      }),
    waiting: () => waiting.length,
    finish: (error) => waiting.shift()!(error),
  }
}

describe('durability', () => {
  it('resolves a write, and shows its position, only when a sync that began after its commit is done', async () => {
    const disk = manualSync()
    const store = await open({ syncFile: disk.syncFile })
    let done = 0
    const first = store.write('first', () => allocatePosition()).then(() => done++)
    await until(() => disk.waiting() === 1)
    const second = store.write('second', () => allocatePosition()).then(() => done++)
    await pause(30)
    expect(done).toBe(0)
    expect(await store.position()).toBe(0)
    // One sync at a time: the second group waits for one of its own.
    expect(disk.waiting()).toBe(1)
    disk.finish()
    await first
    expect([done, await store.position()]).toEqual([1, 1])
    await until(() => disk.waiting() === 1)
    disk.finish()
    await second
    expect([done, await store.position()]).toEqual([2, 2])
  })

  it('puts all that comes while a sync is under way into one transaction, which the end of the sync begins', async () => {
    const disk = manualSync()
    const groups: number[] = []
    const store = await open({
      syncFile: disk.syncFile,
      observe: (event: StoreEvent) => event.kind === 'group' && groups.push(event.bodies),
    })
    const first = store.write('insert', () => insert('first'))
    await until(() => disk.waiting() === 1)
    const later: Promise<void>[] = []
    for (const name of ['a', 'b', 'c']) {
      later.push(store.write('insert', () => insert(name)))
      await pause(5)
    }
    expect(groups).toEqual([1])
    disk.finish()
    await first
    await until(() => disk.waiting() === 1)
    expect(groups).toEqual([1, 3])
    disk.finish()
    await Promise.all(later)
  })

  it('lets reads go on while a sync takes its time', async () => {
    const disk = manualSync()
    const store = await open({ syncFile: disk.syncFile })
    const written = store.write('w', () => insert('a'))
    await until(() => disk.waiting() === 1)
    expect(await store.read('r', count)).toBe(1)
    disk.finish()
    await written
  })

  it('rejects with a sync also what a body threw, for it may have been told by rows not yet on disk', async () => {
    const disk = manualSync()
    const store = await open({ syncFile: disk.syncFile })
    const results = Promise.allSettled([
      store.write('a', () => insert('same')),
      store.write('b', () => insert('same')),
    ])
    let settled = false
    void results.then(() => (settled = true))
    await until(() => disk.waiting() === 1)
    await pause(20)
    expect(settled).toBe(false)
    disk.finish()
    expect(await results).toMatchObject([{ status: 'fulfilled' }, { reason: { code: 'unique' } }])
  })

  it('is over after a failed sync: all that waited is rejected, further writes are refused, reads go on', async () => {
    const disk = manualSync()
    const faults: Error[] = []
    const store = await open({ syncFile: disk.syncFile, onFault: (error) => faults.push(error) })
    const first = store.write('first', () => allocatePosition())
    await until(() => disk.waiting() === 1)
    const second = store.write('second', () => allocatePosition())
    await pause(20)
    disk.finish(Object.assign(new Error('EIO'), { code: 'EIO' }))
    for (const written of [first, second, store.write('later', () => insert('b'))]) {
      await expect(written).rejects.toMatchObject({ code: 'faulted' })
    }
    expect(faults).toHaveLength(1)
    expect(await store.position()).toBe(0)
    expect(await store.read('r', count)).toBe(0)
  })
})

describe('a full disk', () => {
  /** SQLite refuses to grow the database, as it does when the disk is full. */
  const limitPages = (store: Store, pages: number): Promise<unknown> =>
    store.write('limit', () => all(`PRAGMA max_page_count = ${pages}`))
  const big = (name: string): Tx<void> =>
    many('INSERT INTO things (name) VALUES (?)', Array.from({ length: 200 }, (_, i) => [`${name}${i}${'x'.repeat(2_000)}`])) // prettier-ignore

  it('rejects writes with StorageFull and undoes them whole; reads go on; with space again so do writes', async () => {
    const store = await open()
    await limitPages(store, 30)
    await expect(store.write('big', () => big('a'))).rejects.toMatchObject({
      name: 'StorageFull',
      code: 'full',
    })
    expect(await store.read('r', count)).toBe(0)
    await limitPages(store, 1_000_000)
    await store.write('big', () => big('a'))
    expect(await store.read('r', count)).toBe(200)
  })

  it('rejects every body of the group, because SQLite has rolled back all of them', async () => {
    const store = await open()
    await limitPages(store, 30)
    const results = await Promise.allSettled([
      store.write('small', () => insert('innocent')),
      store.write('throws', () => {
        throw new Error('own reason')
      }),
      store.write('big', () => big('a')),
    ])
    expect(results).toMatchObject([
      { status: 'rejected', reason: { code: 'full' } },
      { status: 'rejected', reason: { message: 'own reason' } },
      { status: 'rejected', reason: { code: 'full' } },
    ])
    expect(await store.read('r', count)).toBe(0)
  })

  it('does not keep the bodies queued behind the group from running', async () => {
    const store = await open()
    await limitPages(store, 30)
    const big1 = store.write('big', () => big('a'))
    const after = store.write('after', () => insert('after'))
    await expect(big1).rejects.toMatchObject({ code: 'full' })
    await after
    expect(await store.read('r', count)).toBe(1)
  })
})

describe('the owner of the database', () => {
  it('is one store: a second one refuses with one clear sentence', async () => {
    const store = await open()
    const error = await openSqlite({ path }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(StorageError)
    expect((error as StorageError).code).toBe('locked')
    expect((error as Error).message).toMatch(/in use by another process; stop that one first$/)
    await store.close()
    await open()
  })

  it('keeps it against another process, until it is gone, however it went', async () => {
    await (await open()).close()
    const driver = sqliteDriverPath()
    const hold = `
      const database = new (require(${JSON.stringify(driver)}))(${JSON.stringify(`${path}-lock`)})
      database.exec('BEGIN EXCLUSIVE')
      console.log('held')
      setInterval(() => {}, 1000)`
    const holder = startChild(['-e', hold])
    expect(await holder.line()).toBe('held')
    await expect(openSqlite({ path })).rejects.toMatchObject({ code: 'locked' })
    await holder.stop('SIGKILL')
    await open()
  })

  it('is not fooled by a link to the file', async () => {
    await open()
    const { symlinkSync } = await import('node:fs')
    const link = join(folder, 'link.db')
    symlinkSync(path, link)
    await expect(openSqlite({ path: link })).rejects.toMatchObject({ code: 'locked' })
  })

  it('creates files that nobody else may read', async () => {
    const store = await open()
    await store.write('w', () => insert('a'))
    for (const suffix of ['', '-wal', '-shm']) expect(statSync(path + suffix).mode & 0o077).toBe(0)
  })
})

describe('a file that cannot be opened', () => {
  const faultOf = async (): Promise<unknown> => await open().catch((error: unknown) => error)

  it('is named, where it is no database', async () => {
    await (await open()).close()
    stores = []
    for (const text of ['a letter, not a database '.repeat(300), 'x'.repeat(100)]) {
      for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true })
      writeFileSync(path, text)
      expect(await faultOf()).toMatchObject({
        name: 'StorageError',
        code: 'io',
        message: expect.stringContaining(`${path} is no SQLite database`),
      })
    }
    // Nothing keeps the place afterwards.
    rmSync(path)
    await open()
  })

  it('is named, where it is a folder, or none can be made for it', async () => {
    mkdirSync(path, { recursive: true })
    expect(await faultOf()).toMatchObject({ code: 'io', message: expect.stringContaining(path) })
    rmSync(join(folder, 'deep'), { recursive: true })
    writeFileSync(join(folder, 'deep'), 'a file')
    expect(await faultOf()).toMatchObject({ name: 'StorageError', message: expect.stringContaining(path) })
  })
})

describe('a foreign lock', () => {
  it('makes writes wait, not the event loop, and reads go on', async () => {
    const store = await open()
    const foreign = new SqliteDatabase(path)
    foreign.exec('BEGIN IMMEDIATE')
    let written = false
    const write = store.write('w', () => insert('a')).then(() => (written = true))
    let slowest = 0
    for (let turn = 0; turn < 20; turn++) {
      const before = performance.now()
      expect(await store.read('r', count)).toBe(0)
      await pause(10)
      slowest = Math.max(slowest, performance.now() - before)
    }
    expect(written).toBe(false)
    // A loop that waits for the lock stands still until it is given up, after 5 s.
    expect(slowest).toBeLessThan(4_000)
    foreign.exec('ROLLBACK')
    foreign.close()
    await write
  })

  it('is not waited for without end', async () => {
    const store = await open({ tuning: { busyMs: 100 } })
    const foreign = new SqliteDatabase(path)
    foreign.exec('BEGIN IMMEDIATE')
    await expect(store.write('w', () => insert('a'))).rejects.toMatchObject({ code: 'busy' })
    foreign.exec('ROLLBACK')
    foreign.close()
    await store.write('w', () => insert('a'))
  })
})

describe('checkpoints', () => {
  const rows = (from: number): Tx<void> =>
    many('INSERT INTO things (name) VALUES (?)', Array.from({ length: 50 }, (_, i) => [`${from + i}${'x'.repeat(500)}`])) // prettier-ignore

  it('keep the log small under load, and empty it when idle', async () => {
    const rounds: StoreEvent[] = []
    const store = await open({
      tuning: { logBytes: 200_000, idleMs: 50 },
      observe: (event) => void (event.kind === 'checkpoint' && rounds.push(event)),
    })
    // The thread has its turn when the machine gives it one: the load goes on until it had two.
    let round = 0
    for (; round < 60 || (rounds.length < 2 && round < 3_000); round++)
      await store.write('w', () => rows(round * 50))
    expect(rounds.length).toBeGreaterThan(1)
    expect(rounds.every((event) => event.kind === 'checkpoint' && event.complete)).toBe(true)
    await until(() => statSync(`${path}-wal`).size < 10_000)
    expect(await store.read('r', count)).toBe(round * 50)
    const integrity = await store.read('r', () => one('PRAGMA integrity_check'))
    expect(integrity).toEqual({ integrity_check: 'ok' })
  })

  it('wait for a reader elsewhere, without keeping writes waiting', async () => {
    const rounds: boolean[] = []
    const store = await open({
      tuning: { logBytes: 100_000, idleMs: 50 },
      observe: (event) => void (event.kind === 'checkpoint' && rounds.push(event.complete)),
    })
    await store.write('w', () => rows(0))
    const reader = new SqliteDatabase(path, { readonly: true })
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM things').get()
    for (let round = 1; round < 20; round++) await store.write('w', () => rows(round * 50))
    await until(() => rounds.includes(false))
    await store.write('w', () => rows(50_000))
    expect(reader.prepare('SELECT count(*) AS n FROM things').get()).toEqual({ n: 50 })
    reader.close()
    expect(await store.read('r', count)).toBe(1_050)
  })

  it('leave no log behind when the store is closed', async () => {
    const store = await open()
    await store.write('w', () => rows(0))
    await store.close()
    expect(existsSync(`${path}-wal`)).toBe(false)
    expect(await (await open()).read('r', count)).toBe(50)
  })
})

describe('bodies', () => {
  it('may not call the store: they would run within one another', async () => {
    const store = await open({ durability: 'none' })
    let inner: Promise<unknown> | undefined
    await store.write('outer', function* () {
      inner = store.read('inner', count)
      inner.catch(() => undefined)
      yield* insert('a')
    })
    await expect(inner).rejects.toMatchObject({ code: 'misuse' })
  })

  it('that are slow are named in the log', async () => {
    const warnings: unknown[] = []
    const logger = { warn: (fields: object) => void warnings.push(fields), error: () => undefined }
    const store = await open({ durability: 'none', logger, tuning: { slowMs: 300 } })
    const slow = function* (): Tx<number> {
      const start = performance.now()
      while (performance.now() - start < 310);
      return yield* count()
    }
    await store.read('slow.read', slow)
    await store.write('slow.write', slow)
    await store.write('quick', count)
    expect(warnings).toMatchObject([{ label: 'slow.read' }, { label: 'slow.write' }])
  })

  it('that take long together are spread over several turns of the event loop', async () => {
    const groups: number[] = []
    const store = await open({
      durability: 'none',
      tuning: { groupMs: 5 },
      observe: (event) => void (event.kind === 'group' && groups.push(event.bodies)),
    })
    const busy = function* (): Tx<number> {
      const start = performance.now()
      while (performance.now() - start < 3);
      return yield* count()
    }
    await Promise.all(Array.from({ length: 10 }, () => store.write('busy', busy)))
    expect(groups.length).toBeGreaterThanOrEqual(4)
  })

  it('run once while none of their group fails, and again, apart, where one does', async () => {
    const runs: string[] = []
    const groups: number[] = []
    const store = await open({
      durability: 'none',
      tuning: { groupMs: 60_000 },
      observe: (event) => void (event.kind === 'group' && groups.push(event.bodies)),
    })
    const body = (name: string, fails = false) =>
      store.write(name, function* () {
        runs.push(name)
        const before = yield* count()
        yield* insert(name)
        if (fails) throw new Error(name)
        return before
      })
    expect(await Promise.all([body('a'), body('b')])).toEqual([0, 1])
    expect(runs).toEqual(['a', 'b'])
    const results = await Promise.allSettled([body('c'), body('d', true), body('e')])
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value : 'failed'))).toEqual([2, 'failed', 3]) // prettier-ignore
    expect(runs.slice(2)).toEqual(['c', 'd', 'c', 'd', 'e'])
    expect(groups).toEqual([2, 3])
    const names = await store.read('names', () =>
      all<{ name: string }>('SELECT name FROM things ORDER BY id'),
    )
    expect(names.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'e'])
  })

  it('may not name a result column in a way that PostgreSQL would fold', async () => {
    const store = await open({ durability: 'none' })
    await expect(store.read('r', () => one('SELECT 1 AS userId'))).rejects.toMatchObject({ code: 'misuse' })
  })
})
