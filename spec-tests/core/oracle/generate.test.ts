import { describe, expect, it } from '@jest/globals'
import { ROOM_VERSIONS } from '../../../src/core/room-version/versions.js'
import type { RoomVersion } from '../../../src/core/room-version/rules.js'
import { without } from './blueprint.js'
import { encodeJson } from './encode-json.js'
import { floorsOf, tallyRoom, type Tally } from './floors.js'
import { generateRoom } from './generate.js'
import { runRoom } from './run.js'
import { shrink } from './shrink.js'

const VERSIONS = [...ROOM_VERSIONS.keys()] as RoomVersion[]

describe('random rooms', () => {
  it.each(VERSIONS)('are the same for the same seed in version %s', (version) => {
    const once = generateRoom(42, version)
    const again = generateRoom(42, version)
    expect(again.run.pdus.map(encodeJson)).toEqual(once.run.pdus.map(encodeJson))
    expect(generateRoom(43, version).run.pdus.map(encodeJson)).not.toEqual(once.run.pdus.map(encodeJson))
  })

  it.each(VERSIONS)('of version %s have forks, conflicts, forgeries and rejections often enough', (version) => {
    const tally: Tally = new Map()
    for (let seed = 0; seed < 80; seed++) tallyRoom(generateRoom(seed * 7_919, version), tally)
    const short = floorsOf(version).filter(({ name, of, fraction }) => {
      const expected = (tally.get(of) ?? 0) * fraction
      // These are few rooms: rare things are left to the comparison with Synapse, which has thousands.
      return expected >= 5 && (tally.get(name) ?? 0) < expected / 2
    })
    expect(short).toEqual([])
  })

  it('can be built anew from their blueprints', () => {
    for (const version of VERSIONS) {
      const { room, run } = generateRoom(7, version)
      expect(runRoom(room)?.pdus.map(encodeJson)).toEqual(run.pdus.map(encodeJson))
    }
  })

  it('shrink to the events that matter', async () => {
    const { room } = generateRoom(3, '11')
    const place = room.blueprints.findLastIndex((blueprint) => blueprint.prev.length > 1)
    const { intent } = room.blueprints[place]!
    const merges = (some: typeof room): boolean =>
      runRoom(some) !== undefined &&
      some.blueprints.some((blueprint) => blueprint.intent === intent && blueprint.prev.length > 1)
    const smallest = await shrink(room, (smaller) => Promise.resolve(merges(smaller)))
    expect(merges(smallest)).toBe(true)
    expect(smallest.blueprints.length).toBeLessThanOrEqual(5)
    for (let i = 1; i < smallest.blueprints.length; i++) expect(merges(without(smallest, i))).toBe(false)
  })
}) // prettier-ignore
