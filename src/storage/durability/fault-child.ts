import { writeSync } from 'node:fs'
import { join } from 'node:path'
import type { StorageError } from '../errors.js'
import { openSqlite } from '../sqlite-store.js'
import { one } from '../tx.js'
import { loadMigrations, writeLoad } from './load.js'

/** A process on a disk that fails: it writes and reads all the time, and says a word whenever what it meets changes. */
const folder = process.argv[2]!
const say = (line: string): void => void writeSync(1, `${line}\n`)
const store = await openSqlite({
  path: join(folder, 'test.db'),
  migrations: loadMigrations,
  tuning: { logBytes: 100_000, idleMs: 50 },
  onFault: () => say('fault'),
})

let last = ''
for (let count = 0; ; count++) {
  let outcome = 'written'
  try {
    await store.write('load', () => writeLoad(`f-${count}`, 2_000))
  } catch (error) {
    outcome = (error as StorageError).code
  }
  const row = await store.read('count', () => one<{ n: number }>('SELECT count(*) AS n FROM load_heads'))
  if (outcome !== last) say(`${outcome} ${row!.n}`)
  last = outcome
  if (count === 20) say('twenty')
  await new Promise((resolve) => setTimeout(resolve, 2))
}
