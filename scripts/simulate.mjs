/**
 * Runs the simulation of federated nodes (src/services/replication/testing/simulation): each seed is a world of its own, with
 * partitions, crashes, lost and repeated requests, after which all nodes must agree.
 *
 *   node scripts/simulate.mjs [--seeds 200] [--from 1] [--processes 2] [--verbose]
 *
 * The seeds that once failed (scripts/simulation/failed-seeds.json) run first. Ends with 1 when a seed fails, or, from 200 seeds on,
 * when something that makes agreement hard has hardly happened. One seed with `--verbose` logs everything.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { FLOORS, belowFloors } from './simulation/floors.mjs'
import { runShards } from './simulation/shards.mjs'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    processes: { type: 'string', default: '2' },
    verbose: { type: 'boolean', default: false },
  },
})
const number = (name) => {
  const value = Number(values[name])
  if (Number.isSafeInteger(value) && value >= 0) return value
  console.error(`--${name} takes a whole number`)
  process.exit(2)
}

const failedOnce = JSON.parse(
  readFileSync(new URL('./simulation/failed-seeds.json', import.meta.url), 'utf8'),
)
const [count, from] = [number('seeds'), number('from')]
const wanted = Array.from({ length: count }, (_, i) => from + i)
const seeds = values.verbose ? wanted : [...new Set([...failedOnce, ...wanted])]

const started = process.hrtime.bigint()
const totals = new Map()
const failed = []
let cpuMs = 0
let done = 0
const crashed = await runShards(
  { seeds, processes: Math.max(1, number('processes')), verbose: values.verbose },
  (outcome) => {
    done += 1
    cpuMs += outcome.cpuMs
    for (const [name, value] of Object.entries(outcome.counts))
      totals.set(name, (totals.get(name) ?? 0) + value)
    if (outcome.faults.length === 0) return
    failed.push(outcome.seed)
    console.log(`seed ${outcome.seed}: ${outcome.faults.length} faults`)
    for (const fault of outcome.faults.slice(0, 8)) console.log(`  ${fault}`)
  },
)

for (const [name, value] of [...totals].toSorted((a, b) => (a[0] < b[0] ? -1 : 1)))
  console.log(`${name.padEnd(32)}${value}`)
const seconds = Number(process.hrtime.bigint() - started) / 1e9
console.log(
  `${done} seeds in ${seconds.toFixed(0)} s, ${(cpuMs / Math.max(done, 1)).toFixed(0)} ms of processor time each; ${failed.length} failed`,
)
const low = count >= FLOORS.fromSeeds ? belowFloors(totals, done) : []
for (const line of low) console.log(line)
if (failed.length > 0) console.log(`again: node scripts/simulate.mjs --seeds 1 --from ${failed[0]} --verbose`)
process.exitCode = failed.length > 0 || low.length > 0 || crashed > 0 || done < seeds.length ? 1 : 0
