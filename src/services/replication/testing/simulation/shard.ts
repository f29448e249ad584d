/**
 * A process of `scripts/simulate.mjs`: runs the seeds that it is given in its one argument, `{seeds: number[]}`, and writes a line of
 * JSON for each.
 */
import { writeSync } from 'node:fs'
import { createLogger } from '../../../../platform/logger.js'
import { runSeed } from './run-seed.js'

const { seeds, verbose } = JSON.parse(process.argv[2] ?? '{}') as { seeds: number[]; verbose?: boolean }
const logger =
  verbose === true ? createLogger({ level: 'debug', write: (line) => void writeSync(2, line) }) : undefined
for (const seed of seeds) {
  const before = process.cpuUsage()
  const outcome = await runSeed(seed, logger === undefined ? {} : { logger })
  const { user, system } = process.cpuUsage(before)
  writeSync(1, `${JSON.stringify({ ...outcome, cpuMs: (user + system) / 1_000 })}\n`)
}
