/**
 * One share of the comparison: generates rooms, asks Synapse about each, compares. Started by scripts/oracle/run.mjs,
 * which reads one JSON line per room version, and one per difference, from its output.
 */
import type { Json } from '../../../src/core/json/value.js'
import type { RoomVersion } from '../../../src/core/room-version/rules.js'
import { ROOM_VERSIONS } from '../../../src/core/room-version/versions.js'
import type { Room } from './blueprint.js'
import { compareLoose, compareRoom, type Difference } from './compare.js'
import { describeDifference } from './describe.js'
import { explain } from './explained.js'
import { count, floorsOf, tallyRoom, type Tally } from './floors.js'
import { generateRoom, type Generated } from './generate.js'
import { startOracle, type OracleClient, type Question } from './oracle-client.js'
import { runRoom, type Run } from './run.js'
import { shrink } from './shrink.js'

interface Settings {
  readonly python: string
  readonly script: string
  readonly dags: number
  readonly versions: readonly RoomVersion[]
  readonly seed: number
  readonly index: number
  readonly of: number
}

/** Rooms on their way to the oracle and back at one time: enough that neither side waits. */
const IN_FLIGHT = 16
const SHOWN_PER_VERSION = 3

const question = (run: Run, version: RoomVersion, loose: readonly Json[]): Question => ({
  version,
  events: run.pdus.map((pdu, place) => ({ pdu, outlier: run.blueprints[place]!.outlier === true })),
  loose,
})

async function differencesOf(run: Run, room: Room, oracle: OracleClient): Promise<Difference[]> {
  const rules = ROOM_VERSIONS.get(room.version)!
  const theirs = await oracle.ask(question(run, room.version, room.loose))
  const alone = room.loose.map((pdu, place) => compareLoose(place, pdu, theirs.loose[place]!, rules))
  return [compareRoom(run, theirs, rules), ...alone].filter((found) => found !== undefined)
}

async function shown(room: Room, difference: Difference, oracle: OracleClient): Promise<string> {
  if (room.loose.includes(difference.pdu)) return describeDifference(difference, undefined)
  let last = difference
  const smallest = await shrink(room, async (smaller) => {
    const run = runRoom(smaller)
    if (run === undefined) return false
    const found = await differencesOf(run, { ...smaller, loose: [] }, oracle)
    const same = found.find((other) => other.about === difference.about && explain(other) === undefined)
    if (same !== undefined) last = same
    return same !== undefined
  })
  return describeDifference(last, runRoom(smallest))
}

async function compareVersion(version: RoomVersion, settings: Settings, oracle: OracleClient): Promise<Tally> {
  const tally: Tally = new Map()
  const inFlight = new Set<Promise<void>>()
  let shownSoFar = 0
  for (let i = settings.index; i < settings.dags; i += settings.of) {
    const seed = Math.imul(settings.seed, 0x01000193) ^ Math.imul(i + 1, 0x9e3779b1) ^ Number(version)
    const generated: Generated = generateRoom(seed, version)
    tallyRoom(generated, tally)
    count(tally, 'loose', generated.room.loose.length)
    const asked = differencesOf(generated.run, generated.room, oracle).then(async (found) => {
      for (const difference of found) {
        const known = explain(difference)
        count(tally, known === undefined ? 'differences' : 'explained')
        if (known !== undefined) count(tally, `explained:${known.name}`)
        else if (shownSoFar++ < SHOWN_PER_VERSION) {
          report({ difference: `seed ${seed}: ${await shown(generated.room, difference, oracle)}` })
        }
      }
    })
    const done = asked.finally(() => inFlight.delete(done))
    inFlight.add(done)
    if (inFlight.size >= IN_FLIGHT) await Promise.race(inFlight)
  }
  await Promise.all(inFlight)
  return tally
} // prettier-ignore

const report = (line: object): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

const settings = JSON.parse(process.argv[2] ?? '{}') as Settings
const oracle = startOracle(settings.python, settings.script)
for (const version of settings.versions) {
  const tally = await compareVersion(version, settings, oracle)
  report({ version, tally: Object.fromEntries(tally), floors: floorsOf(version) })
}
oracle.close()
