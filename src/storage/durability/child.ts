import { openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { openSqlite } from '../sqlite-store.js'
import { loadMigrations, writeLoad } from './load.js'

/** The process whose power is cut or which is killed; its task comes as JSON in the first argument. */
export interface ChildTask {
  readonly folder: string
  /** Begins every id, so that several runs on one database do not collide. */
  readonly run: string
  readonly writers: number
  readonly bytes: number
  readonly logBytes: number
  /** It ends by itself after so many milliseconds, and at least so many writes. */
  readonly forMs: number
  readonly atLeast: number
  /** `skip` commits without syncing the log, `none` never syncs anything: both must be caught. */
  readonly sync: 'full' | 'skip' | 'none'
}

const task = JSON.parse(process.argv[2]!) as ChildTask
const acknowledged = openSync(join(task.folder, 'acknowledged'), 'a')
const store = await openSqlite({
  path: join(task.folder, 'test.db'),
  migrations: loadMigrations,
  durability: task.sync === 'none' ? 'none' : 'full',
  tuning: { logBytes: task.logBytes, idleMs: 50 },
  ...(task.sync === 'skip' && { syncFile: () => Promise.resolve() }),
})
writeSync(acknowledged, 'ready\n')
writeSync(1, 'ready\n')
const until = performance.now() + task.forMs
let written = 0

async function writer(name: string): Promise<void> {
  for (let count = 0; performance.now() < until || written < task.atLeast; count++) {
    const id = `${task.run}-${name}-${count}`
    const pos = await store.write('load', () => writeLoad(id, (task.bytes * (count % 5)) / 4 + 10))
    written++
    writeSync(acknowledged, `${id} ${pos} ${await store.position()}\n`)
  }
}

await Promise.all(Array.from({ length: task.writers }, (_, index) => writer(String(index))))
// No close: the end of the process is part of the test.
process.exit(0)
