import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { buildEvent, type EventFields } from '../core/event/build.js'
import type { RoomEvent } from '../core/event/types.js'
import { roomVersion } from '../core/room-version/versions.js'
import { resolvePortable, type PortableEvent } from '../core/state/portable.js'
import { systemClock } from '../platform/clock.js'
import { createSigner, generateSigningKey, verifySignatureBy } from '../platform/ed25519.js'
import { silentLogger } from '../platform/logger.js'
import { createNotifier } from '../platform/notifier.js'
import { systemRandom } from '../platform/random.js'
import { applyEvent } from '../services/rooms/apply-event.js'
import type { RoomsContext } from '../services/rooms/context.js'
import { addLocalEvent } from '../services/rooms/add-local-event.js'
import type { StateResolving } from '../services/rooms/resolve-aside.js'
import type { StoredEvent } from '../services/rooms/stored-event.js'
import { openTestStore } from '../storage/testing.js'
import type { Store } from '../storage/tx.js'
import { buildRooms } from './rooms.js'

const OWNER = '@owner:b'
const signingKey = createSigner(generateSigningKey(systemRandom))
const signer = { serverName: 'b', keyId: signingKey.keyId, sign: signingKey.sign }

const stores: Store[] = []
let lines: { readonly data: object; readonly message: string }[]
beforeEach(() => {
  lines = []
})
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()))
})

interface Room {
  readonly context: RoomsContext
  event(fields: Partial<EventFields>, prev: readonly RoomEvent[]): RoomEvent
  apply(event: RoomEvent, live?: boolean): Promise<StoredEvent>
  /** The event that every branch begins behind. */
  readonly fork: RoomEvent
}

/** A room of one user; `version` with `resolver`, if there is one. */
async function roomWith(version: string, resolver?: StateResolving): Promise<Room> {
  const store = await openTestStore()
  stores.push(store)
  const { context } = buildRooms({
    store,
    clock: systemClock,
    random: systemRandom,
    logger: { ...silentLogger, info: (data: object, message: string) => lines.push({ data, message }) },
    notifier: createNotifier(),
    serverName: 'b',
    signer,
    defaultRoomVersion: version,
    ...(resolver && { resolver }),
    memberHooks: { *remoteUsersLeft() {}, *roomLeft() {}, *localUserJoined() {} },
    wakeSender: () => undefined,
  })
  const rules = roomVersion(version)!
  const roomId = '!fork:b'
  const [create, member, levels] = (await context.writer.create(roomId, rules, async (room) => {
    const made: RoomEvent[] = []
    for (const draft of [
      { type: 'm.room.create', content: { room_version: version, creator: OWNER } },
      { type: 'm.room.member', stateKey: OWNER, content: { membership: 'join' } },
      { type: 'm.room.power_levels', content: { users: { [OWNER]: 100 } } },
    ]) {
      const whole = { sender: OWNER, stateKey: '', originServerTs: 1_000, ...draft }
      made.push((await addLocalEvent(room, whole, context.local)).event)
    }
    return made
  })) as [RoomEvent, RoomEvent, RoomEvent]
  let ts = 10_000
  return {
    context,
    fork: levels,
    event: (fields, prev) =>
      buildEvent(
        {
          type: 'org.example.part',
          sender: OWNER,
          roomId,
          content: {},
          originServerTs: ts++,
          depth: Math.max(...prev.map(({ depth }) => depth)) + 1,
          prevEvents: prev.map(({ id }) => id),
          authEvents: [create.id, levels.id, member.id],
          ...fields,
        } as EventFields,
        rules,
        signer,
      ),
    apply: (event, live = true) =>
      context.writer.write(roomId, (room) =>
        applyEvent(room, event, { live, origin: 'c', ...(live ? {} : { ord: ts++ }) }, context.local),
      ),
  }
}

/** Two branches that set so many keys each, the right one last; gives the state after the event that joins them. */
async function merged(room: Room, keys: number): Promise<StoredEvent> {
  const ends: RoomEvent[] = []
  for (const side of ['left', 'right']) {
    let last = room.fork
    for (let i = 0; i < keys; i++) {
      last = room.event({ stateKey: `part ${i}`, content: { side } }, [last])
      await room.apply(last, false)
    }
    ends.push(last)
  }
  return room.apply(room.event({ type: 'm.room.message' }, ends), false)
}

async function sides(room: Room, stored: StoredEvent): Promise<Map<unknown, number>> {
  const state = await room.context.states.all(stored.roomNid, stored.stateBefore!)
  const events = await room.context.events.byNids([...state.values()])
  const count = new Map<unknown, number>()
  for (const { event } of events.values()) {
    const side = event.content['side']
    count.set(side, (count.get(side) ?? 0) + 1)
  }
  return count
}

describe('the state behind two branches', () => {
  it.each(['5', '11'])(
    'is resolved elsewhere where many events conflict, to the same end (version %s)',
    async (version) => {
      const asked: number[] = []
      const elsewhere: StateResolving = {
        async resolve(resolution, parts) {
          const events: PortableEvent[] = []
          for await (const part of parts) events.push(...part)
          asked.push(resolution.conflicted.length)
          return new Map(resolvePortable(resolution, events, verifySignatureBy))
        },
      }
      const aside = await roomWith(version, elsewhere)
      const here = await roomWith(version)
      expect(await sides(aside, await merged(aside, 120))).toEqual(await sides(here, await merged(here, 120)))
      expect(await sides(here, await merged(here, 120))).toEqual(new Map<unknown, number>([[undefined, 3], ['right', 120]])) // prettier-ignore
      expect(asked).toEqual([120])
      // A small conflict is not worth the way.
      await merged(await roomWith(version, elsewhere), 10)
      expect(asked).toEqual([120])
    },
  )

  it('that cannot be resolved in time fails the event, and nothing of it is stored', async () => {
    const room = await roomWith('11', { resolve: () => Promise.reject(new Error('too long')) })
    await expect(merged(room, 120)).rejects.toThrow('too long')
    const later = room.event({ type: 'm.room.message' }, [room.fork])
    expect((await room.apply(later)).rejected).toBeUndefined()
  })
})

describe('a change of state that no event brings', () => {
  it('is told as what resolution decided, by ids and without content', async () => {
    const room = await roomWith('11')
    const old = room.event({ type: 'm.room.topic', stateKey: '', content: { topic: 'secret' } }, [room.fork])
    // Its clock is behind, so that the other one comes last in resolution.
    const newer = room.event(
      { type: 'm.room.topic', stateKey: '', content: { topic: 'secret too' }, originServerTs: 500 },
      [old],
    )
    const other = room.event({ type: 'm.room.message', content: { body: 'secret' } }, [old])
    await room.apply(old)
    await room.apply(newer)
    expect(lines).toEqual([])
    await room.apply(other)
    expect(lines).toEqual([
      {
        message: 'state resolution changed the state of a room',
        data: {
          roomId: '!fork:b',
          eventId: other.id,
          heads: 2,
          count: 1,
          changes: [{ type: 'm.room.topic', before: newer.id, after: old.id }],
        },
      },
    ])
    expect(JSON.stringify(lines)).not.toContain('secret')
  })
})
