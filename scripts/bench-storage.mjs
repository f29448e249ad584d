// Measures the store alone: node scripts/bench-storage.mjs [--dist DIR] [--seconds N] [--postgres URL] [--sync-ms 10]
// Needs a build (npm run build). Each row is a process of its own. With gcc, one more run has a disk on which each sync,
// SQLite's own included, takes --sync-ms. A write is what a small event costs: four rows in two tables and a position.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const argument = (name, otherwise) => {
  const at = process.argv.indexOf(name)
  return at < 0 ? otherwise : process.argv[at + 1]
}
const dist = resolve(argument('--dist', join(root, 'dist')))
const seconds = Number(argument('--seconds', '5'))
const postgres = argument('--postgres', undefined)
const syncMs = Number(argument('--sync-ms', '10'))
const task = argument('--task', undefined)

if (task === undefined) runAll()
else await runOne(JSON.parse(task))

function runAll() {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'chancery-bench-')))
  try {
    console.log(
      `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${seconds} s each`,
    )
    console.log(
      '| store | writers | writes/s | p50 ms | p95 ms | p99 ms | CPU ms/write | loop delay p99 ms | max ms |',
    )
    console.log('|---|---|---|---|---|---|---|---|---|')
    const shim = buildShim(base)
    const rows = [
      { name: 'SQLite', kind: 'sqlite' },
      ...(shim === undefined ? [] : [{ name: `SQLite, sync takes ${syncMs} ms`, kind: 'sqlite', shim }]),
      { name: 'SQLite, no sync', kind: 'sqlite', durability: 'none' },
      ...(postgres === undefined ? [] : [{ name: 'PostgreSQL', kind: 'postgres' }]),
    ]
    for (const row of rows) {
      for (const writers of [1, 32]) runChild({ ...row, writers, folder: mkdtempSync(join(base, 'run-')) })
    }
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
}

function buildShim(base) {
  const shim = join(base, 'shim.so')
  const source = join(root, 'src', 'storage', 'durability', 'shim.c')
  try {
    execFileSync('gcc', ['-shared', '-fPIC', '-O2', '-o', shim, source, '-ldl', '-lpthread'], {
      stdio: 'ignore',
    })
    return shim
  } catch {
    console.log('(no gcc: the slow disk is left out)')
    return undefined
  }
}

function runChild(row) {
  const env = { ...process.env }
  if (row.shim !== undefined) {
    env.LD_PRELOAD = row.shim
    env.SHIM_DIR = row.folder
    env.SHIM_SYNC_US = String(syncMs * 1000)
  }
  const flags = process.argv.slice(2)
  const child = spawnSync(
    process.execPath,
    [fileURLToPath(import.meta.url), ...flags, '--task', JSON.stringify(row)],
    {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  process.stdout.write(child.stdout)
}

async function runOne(row) {
  const load = (path) => import(pathToFileURL(join(dist, 'storage', path)).href)
  const { loadMigrations, writeLoad } = await load('durability/load.js')
  const store =
    row.kind === 'postgres'
      ? await (
          await load('postgres-store.js')
        ).openPostgres({ connectionString: postgres, migrations: loadMigrations })
      : await (
          await load('sqlite-store.js')
        ).openSqlite({
          path: join(row.folder, 'bench.db'),
          migrations: loadMigrations,
          ...(row.durability !== undefined && { durability: row.durability }),
        })
  const waits = []
  const run = `${process.pid}-${process.hrtime.bigint()}`
  const writer = async (name, until, note) => {
    for (let count = 0; performance.now() < until; count++) {
      const before = performance.now()
      await store.write('bench', () => writeLoad(`${run}-${name}-${count}`, 300))
      if (note) waits.push(performance.now() - before)
    }
  }
  const all = (prefix, ms, note) =>
    Promise.all(
      Array.from({ length: row.writers }, (_, index) => writer(prefix + index, performance.now() + ms, note)),
    )
  await all('warm', 500, false)
  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  const cpu = process.cpuUsage()
  const started = performance.now()
  await all('run', seconds * 1000, true)
  const took = (performance.now() - started) / 1000
  const used = process.cpuUsage(cpu)
  loop.disable()
  await store.close()
  waits.sort((a, b) => a - b)
  const at = (share) => waits[Math.min(waits.length - 1, Math.floor(waits.length * share))].toFixed(2)
  const perWrite = (used.user + used.system) / 1000 / waits.length
  const delay = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - 1).toFixed(1)
  console.log(
    `| ${row.name} | ${row.writers} | ${Math.round(waits.length / took)} | ${at(0.5)} | ${at(0.95)} | ${at(0.99)} | ` +
      `${perWrite.toFixed(3)} | ${delay(loop.percentile(99))} | ${delay(loop.max)} |`,
  )
}
