/**
 * Shows that the simulation (scripts/simulate.mjs) sees what it is for: plants one bug after the other in a copy of the sources and
 * runs seeds until the bug is caught. Prints a table; ends with 1 when a bug is not caught.
 *
 *   node scripts/planted-bugs.mjs [NAME …] [--seeds 300] [--processes 2]
 *
 * The bugs stand in scripts/simulation/planted-bugs, one file each.
 */
import { rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { plantedBugs, plantedCopy } from './simulation/plant.mjs'
import { runShards } from './simulation/shards.mjs'

const { values, positionals } = parseArgs({
  options: {
    seeds: { type: 'string', default: '300' },
    processes: { type: 'string', default: '2' },
  },
  allowPositionals: true,
})
const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => 1 + i)
const bugs = plantedBugs().filter(({ name }) => positionals.length === 0 || positionals.includes(name))

let missed = 0
for (const bug of bugs) {
  const root = plantedCopy(bug)
  let found
  let run = 0
  try {
    const crashed = await runShards(
      { seeds, processes: Number(values.processes), root, quiet: true },
      ({ seed, faults }) => {
        run += 1
        if (faults.length > 0) found ??= { seed, fault: faults[0].split('\n')[0] }
        return found === undefined
      },
    )
    if (crashed > 0 && found === undefined) found = { seed: '-', fault: 'the process ended' }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
  if (found === undefined) missed += 1
  const verdict = found === undefined ? 'NOT CAUGHT' : `seed ${found.seed}`
  console.log(
    `${bug.name.padEnd(28)}${verdict.padEnd(12)}after ${String(run).padEnd(5)}${found?.fault.slice(0, 150) ?? ''}`,
  )
}
console.log(`${bugs.length - missed} of ${bugs.length} planted bugs are caught`)
process.exitCode = missed > 0 ? 1 : 0
