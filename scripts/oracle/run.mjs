/**
 * Compares our core with Synapse on random rooms: verdicts, states, ids, hashes, redacted forms, formats.
 *
 *   node scripts/oracle/run.mjs [--dags 5000] [--versions 1,2,…,12] [--seed 1] [--processes 2] [--no-floors]
 *
 * Prints a table of room versions; ends with 1 when a difference is not explained, when a floor is missed (some kind
 * of event or conflict hardly occurred; from 500 rooms on), or when the oracle failed. A difference is printed as the smallest room found.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ensureSynapse } from './setup.mjs'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const { values } = parseArgs({
  options: {
    dags: { type: 'string', default: '5000' },
    versions: { type: 'string', default: '1,2,3,4,5,6,7,8,9,10,11,12' },
    seed: { type: 'string', default: '1' },
    processes: { type: 'string', default: '2' },
    'no-floors': { type: 'boolean', default: false },
  },
})
const number = (name) => {
  const value = Number(values[name])
  if (Number.isSafeInteger(value) && value >= 0) return value
  console.error(`--${name} takes a whole number`)
  process.exit(2)
}
const dags = number('dags')
const processes = Math.max(1, number('processes'))
const seed = number('seed')
const versions = values.versions.split(',')

/** One process of ours with one of Synapse; resolves when it ended, with every line that it reported. */
function shard(index, python) {
  const args = ['--import', here('typescript.mjs'), here('../../spec-tests/core/oracle/shard.ts')]
  const settings = { python, script: here('synapse_oracle.py'), dags, versions, seed, index, of: processes }
  const child = spawn(process.execPath, [...args, JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const reports = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    const report = JSON.parse(line)
    if (report.difference !== undefined) console.log(report.difference)
    else {
      reports.push(report)
      process.stderr.write(`process ${index + 1} of ${processes}: version ${report.version} compared\n`)
    }
  })
  return new Promise((resolve) => {
    child.on('close', (code) => {
      resolve({ code: code ?? 1, reports })
    })
  })
} // prettier-ignore

const started = process.hrtime.bigint()
const python = ensureSynapse()
const ended = await Promise.all(Array.from({ length: processes }, (_, index) => shard(index, python)))
let failed = ended.some(({ code }) => code !== 0)

const rows = []
const missed = []
for (const version of versions) {
  const parts = ended.flatMap(({ reports }) => reports.filter((report) => report.version === version))
  const sum = (name) => parts.reduce((total, { tally }) => total + (tally[name] ?? 0), 0)
  if (parts.length !== processes) failed = true
  rows.push({
    version,
    DAGs: sum('rooms'),
    events: sum('events'),
    rejected: sum('rejected'),
    conflicts: sum('resolutions'),
    'PDUs alone': sum('loose'),
    explained: sum('explained'),
    differences: sum('differences'),
  })
  const explained = Object.keys(Object.assign({}, ...parts.map(({ tally }) => tally))).filter((name) => name.startsWith('explained:'))
  for (const name of explained) console.log(`version ${version}: ${sum(name)} × ${name}`)
  const tally = Object.fromEntries(parts.flatMap(({ tally: part }) => Object.keys(part)).map((name) => [name, sum(name)]))
  for (const floor of parts[0]?.floors ?? []) {
    if (sum('rooms') < (floor.leastRooms ?? 500)) continue
    const share = (tally[floor.name] ?? 0) / Math.max(1, tally[floor.of] ?? 0)
    if (share < floor.fraction) missed.push(`version ${version}: ${floor.name} are ${share.toFixed(4)} of ${floor.of}, less than ${floor.fraction}`)
  }
  if (process.env['ORACLE_TALLY'] !== undefined) console.log(version, tally)
} // prettier-ignore

console.table(rows)
const seconds = Number((process.hrtime.bigint() - started) / 1_000_000n) / 1_000
console.log(`${processes} processes, ${seconds.toFixed(0)} s`)
if (!values['no-floors']) for (const line of missed) console.log(`floor missed: ${line}`)
if (missed.length > 0 && !values['no-floors']) failed = true
if (rows.some(({ DAGs, differences }) => differences > 0 || DAGs === 0)) failed = true
process.exitCode = failed ? 1 : 0
