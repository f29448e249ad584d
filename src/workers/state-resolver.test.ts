import { afterEach, describe, expect, it } from '@jest/globals'
import { portableEvent, type PortableEvent, type PortableResolution } from '../core/state/portable.js'
import { BOB, start, withAlice, type Story } from '../core/state/testing-story.js'
import { separate, type StateMap } from '../core/state/conflicted.js'
import { silentLogger } from '../platform/logger.js'
import type { RoomEvent } from '../core/event/types.js'
import { createStateResolver, type StateResolver, type StateResolverDeps } from './state-resolver.js'

const program = new URL('./testing-state-resolution.mjs', import.meta.url)
const resolvers: StateResolver[] = []
function resolver(options: StateResolverDeps['options'] = {}): StateResolver {
  const made = createStateResolver({ logger: silentLogger, options: { program, ...options } })
  resolvers.push(made)
  return made
}
afterEach(async () => {
  await Promise.all(resolvers.splice(0).map((made) => made.close()))
})

/** Events of a story have no more of a PDU than resolution on the event loop looks at. */
const whole = (event: RoomEvent): RoomEvent => ({
  ...event,
  pdu: {
    ...event.pdu,
    type: event.type,
    sender: event.sender,
    content: event.content,
    room_id: event.roomId,
    ...(event.stateKey === undefined ? {} : { state_key: event.stateKey }),
    depth: event.depth,
    origin_server_ts: event.originServerTs,
    prev_events: [...event.prevEvents],
    auth_events: [...event.authEvents],
  },
})

interface Conflict {
  readonly story: Story
  readonly states: readonly StateMap[]
  readonly resolution: PortableResolution
  readonly events: readonly PortableEvent[]
}

/** Two sides of a room: users join on both, and one side changes the levels meanwhile. */
function conflict(version: number, users: number): Conflict {
  const { story, room } = start(version)
  let left = room
  let right = room
  for (let n = 0; n < users; n++) {
    const user = `@u${n}:n.example`
    left = story.member(left, `l${n}`, user, 'join')
    right = story.member(right, `r${n}`, user, 'join')
  }
  right = story.levels(right, 'p', withAlice(story.rules, { [BOB]: 50 }))
  const states = [left, right]
  const { conflicted, unconflicted } = separate(states, story.rules)
  const events = [...story.events.values()]
  return {
    story,
    states,
    events: events.map((event) => portableEvent(whole(event), false)),
    resolution: {
      version: story.rules.id,
      roomId: events[0]!.roomId,
      conflicted: [...conflicted].map(([key, ids]) => [key, [...ids]]),
      unconflicted: [...unconflicted],
      // All that only one side knows, which is all that conflicts here.
      authDifference: [...conflicted.values()].flatMap((ids) => [...ids]),
    },
  }
}

async function* inParts(
  events: readonly PortableEvent[],
  size = 7,
): AsyncGenerator<readonly PortableEvent[]> {
  for (let from = 0; from < events.length; from += size) {
    await Promise.resolve()
    yield events.slice(from, from + size)
  }
}

describe('a conflict of states that is resolved in another thread', () => {
  it.each([2, 6, 11])('has the same end as on the event loop, in version %i', async (version) => {
    const { story, states, resolution, events } = conflict(version, 20)
    const resolved = await resolver().resolve(resolution, inParts(events))
    const expected = story.resolved(states)
    expect(resolved.size).toBeGreaterThan(20)
    for (const [key, id] of resolved) expect(id).toBe(expected.get(key))
  })

  it('shares nothing with the conflicts before and beside it', async () => {
    const made = resolver({ threads: 1 })
    const two = [conflict(11, 5), conflict(11, 9)]
    const sizes = await Promise.all(
      [...two, ...two].map(
        async ({ resolution, events }) => (await made.resolve(resolution, inParts(events))).size,
      ),
    )
    expect(sizes.slice(0, 2)).toEqual(sizes.slice(2))
    expect(sizes[1]! - sizes[0]!).toBe(4)
  })

  it('that goes beyond its time is given up, and the next one has a thread of its own', async () => {
    const { resolution, events } = conflict(11, 5)
    const made = resolver({ threads: 1, budgetMs: 6_000 })
    async function* stuck(): AsyncGenerator<readonly PortableEvent[]> {
      yield events.slice(0, 3)
      await new Promise<void>(() => undefined)
    }
    const [slow, next] = await Promise.allSettled([
      made.resolve(resolution, stuck()),
      made.resolve(resolution, inParts(events)),
    ])
    expect(String(slow.status === 'rejected' && slow.reason)).toContain('longer than 6000 ms')
    expect(next.status).toBe('fulfilled')
  })

  it('with damaged events fails alone', async () => {
    const { resolution, events } = conflict(11, 5)
    const made = resolver({ threads: 1 })
    const damaged = events.map((event, i) => (i === 3 ? { ...event, json: '{' } : event))
    await expect(made.resolve(resolution, inParts(damaged))).rejects.toThrow('could not be resolved')
    expect((await made.resolve(resolution, inParts(events))).size).toBeGreaterThan(0)
  })

  it('is refused where too many wait, and after the end', async () => {
    const { resolution, events } = conflict(11, 5)
    const made = resolver({ threads: 1, maxWaiting: 1 })
    const first = made.resolve(resolution, inParts(events))
    const second = made.resolve(resolution, inParts(events))
    await expect(made.resolve(resolution, inParts(events))).rejects.toThrow('too many')
    await Promise.all([first, second])
    await made.close()
    await expect(made.resolve(resolution, inParts(events))).rejects.toThrow('has ended')
  })
})
