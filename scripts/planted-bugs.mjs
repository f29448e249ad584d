/**
 * Shows that the simulation (scripts/simulate.mjs) sees what it is for: plants one bug after the other in a copy of the sources and
 * runs seeds until the bug is caught: a seed that fails with it and not without it. Prints a table; ends with 1 when a bug is not caught.
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

/** Seeds that fail without any bug prove nothing. */
const sound = new Map()
async function isSound(seed) {
  if (!sound.has(seed)) {
    let faults = 1
    await runShards({ seeds: [seed], processes: 1, quiet: true }, (outcome) => {
      faults = outcome.faults.length
    })
    sound.set(seed, faults === 0)
  }
  return sound.get(seed)
}

let missed = 0
for (const bug of bugs) {
  const root = plantedCopy(bug)
  let found
  let run = 0
  try {
    for (let from = 0; found === undefined && from < seeds.length;) {
      const part = seeds.slice(from)
      let failed
      run = from
      const crashed = await runShards(
        { seeds: part, processes: Number(values.processes), root, quiet: true },
        ({ seed, faults }) => {
          run += 1
          if (faults.length > 0) failed ??= { seed, fault: faults[0].split('\n')[0] }
          return failed === undefined
        },
      )
      if (failed === undefined && crashed > 0) found = { seed: '-', fault: 'the process ended' }
      if (failed === undefined) break
      if (await isSound(failed.seed)) found = failed
      else from = seeds.indexOf(failed.seed) + 1
    }
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
