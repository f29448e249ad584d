import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { ROOM_VERSIONS } from '../../src/core/room-version/versions.js'
import type { RoomVersion } from '../../src/core/room-version/rules.js'
import { authEdgesOf } from '../../src/core/state/auth-graph.js'
import { generateRoom, type Generated } from './oracle/generate.js'
import { createModel, type Model } from './oracle/model.js'

// What must not depend on the order in which events arrive: which are rejected, the state before each, and the state
// resolved over all that nothing follows. (Soft failure and the current heads do depend on it: they are not compared.)

const VERSIONS = [...ROOM_VERSIONS.keys()]

/** The events of a room in another order in which every event still comes after those that it names. */
function reordered({ run }: Generated, keys: readonly number[]): Model {
  const model = createModel(run.model.judged[0]!.event.rules)
  const { judged, known } = run.model
  const present = new Set(judged.map(({ event }) => event.id))
  const left = new Set(judged.keys())
  while (left.size > 0) {
    const ready = [...left].filter((place) => {
      const { event } = judged[place]!
      return [...event.prevEvents, ...authEdgesOf(event)].every(
        (id) => !present.has(id) || model.placeOf(id) !== undefined,
      )
    })
    const next = ready.reduce((x, y) => ((keys[x] ?? 0) <= (keys[y] ?? 0) ? x : y))
    left.delete(next)
    model.add(judged[next]!.event, known[next]!.outlier)
  }
  return model
}

/** What is to be the same, by event id. */
function outcome(model: Model): unknown {
  const sorted = (state: ReadonlyMap<string, string>): string[] => [...state.values()].toSorted()
  return {
    events: Object.fromEntries(
      model.judged
        .map(({ event, ok, rule, before }) => [event.id, { ok, rule, before: sorted(before) }] as const)
        .toSorted(([x], [y]) => (x < y ? -1 : 1)),
    ),
    leaves: sorted(model.leaves()),
  }
}

describe('a room whose events arrive in another order', () => {
  it.each(VERSIONS)('has the same rejections and the same states in version %s', (version) => {
    let moved = 0
    fc.assert(
      fc.property(
        fc.integer(),
        fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 45, maxLength: 45 }),
        (seed, keys) => {
          const room = generateRoom(seed, version as RoomVersion)
          const other = reordered(room, keys)
          if (other.judged.some(({ event }, place) => event.id !== room.run.model.judged[place]!.event.id)) moved++
          expect(outcome(other)).toEqual(outcome(room.run.model))
        },
      ),
      { numRuns: 40 },
    )
    // Orders that never differ would prove nothing.
    expect(moved).toBeGreaterThan(25)
  })
}) // prettier-ignore
