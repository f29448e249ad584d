import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { buildEvent } from '../core/event/build.js'
import type { JsonObject } from '../core/json/value.js'
import type { Requester } from '../services/requester.js'
import { applyEvent } from '../services/rooms/apply-event.js'
import type { StoredEvent } from '../services/rooms/stored-event.js'
import { slidingRequest, type SlidingBody } from '../services/sync/sliding/request.js'
import { pendingPdus } from '../storage/tables/outbox.js'
import { run } from '../storage/tx.js'
import { until } from '../platform/testing-until.js'
import { testServices, type TestServices } from './testing.js'

const HOUR = 3_600_000
const ZOE = '@zoe:far.example'
const EXTENSION = 'org.matrix.msc4354.sticky_events'

let node: TestServices
let alice: Requester
let bob: Requester
beforeAll(async () => {
  node = await testServices()
  alice = await node.user('alice')
  bob = await node.user('bob')
})
afterAll(() => node.close())

let txn = 0
async function say(by: Requester, roomId: string, stickyMs?: number): Promise<string> {
  const content = { msgtype: 'm.text', body: `text ${++txn}` }
  const input = { roomId, type: 'm.room.message', content, txnId: `${txn}`, stickyMs }
  return (await node.services.sending.message(by, input)).event_id
}
async function chatter(roomId: string): Promise<void> {
  for (let n = 0; n < 4; n++) await say(alice, roomId)
}
const makeRoom = async (): Promise<string> =>
  (await node.services.roomCreation.create(alice, { preset: 'public_chat' })).room_id
const join = (who: Requester, room: string) =>
  node.services.memberships.join(who, { room, via: [], content: {} })

interface Seen {
  readonly sticky: readonly { readonly event_id: string; readonly unsigned: JsonObject }[]
  readonly timeline: readonly { readonly event_id: string; readonly unsigned: JsonObject }[]
  readonly token: string
}
async function sync(who: Requester, roomId: string, since?: string): Promise<Seen> {
  const filter = { room: { timeline: { limit: 2 } } }
  const answer = await node.sync(who, { filter, ...(since === undefined ? {} : { since }) })
  const room = answer.rooms.join?.[roomId]
  return {
    sticky: room?.msc4354_sticky?.events ?? [],
    timeline: room?.timeline.events ?? [],
    token: answer.next_batch,
  }
}
const ids = (events: readonly { readonly event_id: string }[]): string[] =>
  events.map((event) => event.event_id)

/** An event of somebody of another server, as if it came from there. */
async function fromFar(
  roomId: string,
  fields: {
    type: string
    stateKey?: string
    content: JsonObject
    prevEvents: readonly string[]
    stickyMs?: number
  },
  root?: StoredEvent['stateAfter'],
): Promise<StoredEvent> {
  const { context } = node.built.rooms
  const room = (await context.loader.load(roomId))!
  const auth = await context.events.byNids([
    ...(await context.states.all(room.nid, root ?? room.root!)).values(),
  ])
  const wanted = [
    'm.room.power_levels',
    ...(fields.content['membership'] === 'join' ? ['m.room.join_rules'] : []),
  ]
  const authEvents = [...auth.values()]
    .filter(({ event }) => wanted.includes(event.type) || event.stateKey === ZOE)
    .map(({ event }) => event.id)
  return context.writer.write(roomId, (working) =>
    applyEvent(
      working,
      buildEvent(
        { sender: ZOE, roomId, originServerTs: Date.now(), depth: 50, authEvents, ...fields },
        room.rules,
        context.local.signer,
      ),
      { live: true, origin: 'far.example' },
      context.local,
    ),
  )
}
async function heads(roomId: string): Promise<string[]> {
  const room = await node.built.rooms.context.loader.load(roomId)
  return room!.heads.map((head) => head.id)
}
const member = async (roomId: string, membership: string): Promise<StoredEvent> =>
  fromFar(roomId, {
    type: 'm.room.member',
    stateKey: ZOE,
    content: { membership },
    prevEvents: await heads(roomId),
  })
const waitingFor = async (destination: string): Promise<readonly number[]> =>
  (await node.store.read('test', () => pendingPdus(destination, 50))).map((row) => row.event_nid)
const nidOf = async (eventId: string): Promise<number> =>
  (await node.built.rooms.context.events.byId(eventId))!.nid

interface Slid {
  readonly pos: string
  readonly extensions: {
    readonly [EXTENSION]: {
      readonly rooms: Readonly<Record<string, { readonly events: Seen['sticky'] }>>
      readonly next_batch: string
    }
  }
}
const sliding = async (who: Requester, extension: object, pos?: string): Promise<Slid> => {
  const body = { lists: {}, extensions: { [EXTENSION]: { enabled: true, ...extension } } } as SlidingBody
  const answer: unknown = await node.services.slidingSync.sync(
    who,
    slidingRequest(body, { pos, timeout: 0 }, who.userId),
    { signal: new AbortController().signal },
  )
  return answer as Slid
}

describe('a sticky event', () => {
  it('is told apart where a timeline leaves it out, once, with the time that it has left', async () => {
    const roomId = await makeRoom()
    await join(bob, roomId)
    const { token } = await sync(bob, roomId)
    const sticky = await say(alice, roomId, HOUR)
    await chatter(roomId)
    const second = await sync(bob, roomId, token)
    expect(ids(second.sticky)).toEqual([sticky])
    const left = second.sticky[0]!.unsigned['msc4354_sticky_duration_ttl_ms'] as number
    expect(left).toBeGreaterThan(HOUR - 600_000)
    expect(left).toBeLessThanOrEqual(HOUR)
    expect(second.sticky[0]).toMatchObject({ msc4354_sticky: { duration_ms: HOUR } })
    await chatter(roomId)
    expect((await sync(bob, roomId, second.token)).sticky).toEqual([])
  })

  it('stands in the timeline alone where it is there', async () => {
    const roomId = await makeRoom()
    const { token } = await sync(alice, roomId)
    const sticky = await say(alice, roomId, HOUR)
    const seen = await sync(alice, roomId, token)
    expect(seen.sticky).toEqual([])
    expect(ids(seen.timeline)).toEqual([sticky])
    expect(seen.timeline[0]!.unsigned).toHaveProperty('msc4354_sticky_duration_ttl_ms')
  })

  it('is told to who joins later, and to nobody once it sticks no more', async () => {
    const roomId = await makeRoom()
    await node.services.sending.state(alice, {
      roomId,
      type: 'm.room.history_visibility',
      stateKey: '',
      content: { history_visibility: 'joined' },
    })
    const { token } = await sync(bob, roomId)
    const sticky = await say(alice, roomId, HOUR)
    const over = await say(alice, roomId, HOUR)
    const overNid = await nidOf(over)
    await node.store.write('test', () =>
      run('UPDATE sticky_events SET until_ts = 1 WHERE event_nid = ?', overNid),
    )
    await chatter(roomId)
    await join(bob, roomId)
    expect(ids((await sync(bob, roomId, token)).sticky)).toEqual([sticky])
    expect(ids((await sync(bob, roomId)).sticky)).toEqual([sticky])
    await node.services.stickyEvents.prune()
    expect(await node.built.rooms.sticky.untilOf([overNid])).toEqual(new Map())
  })

  it('of somebody who is ignored is not told', async () => {
    const roomId = await makeRoom()
    const carol = await node.user('carol')
    await join(carol, roomId)
    await say(alice, roomId, HOUR)
    await chatter(roomId)
    await node.services.accountData.set(carol.userId, '', 'm.ignored_user_list', {
      ignored_users: { [alice.userId]: {} },
    })
    expect((await sync(carol, roomId)).sticky).toEqual([])
  })

  it('comes in portions where there are many, and none is left out', async () => {
    const roomId = await makeRoom()
    const dora = await node.user('dora')
    await join(dora, roomId)
    const { token } = await sync(dora, roomId)
    const all: string[] = []
    for (let n = 0; n < 510; n++) all.push(await say(alice, roomId, HOUR))
    const first = await sync(dora, roomId, token)
    expect(ids(first.sticky)).toEqual(all.slice(0, 500))
    const second = await sync(dora, roomId, first.token)
    const told = new Set(
      [...first.sticky, ...first.timeline, ...second.sticky, ...second.timeline].map((e) => e.event_id),
    )
    expect(all.filter((id) => !told.has(id))).toEqual([])
    expect((await sync(dora, roomId, second.token)).sticky).toEqual([])
  }, 120_000)

  it('is brought to a server that comes into the room', async () => {
    const roomId = await makeRoom()
    const sticky = await nidOf(await say(alice, roomId, HOUR))
    const plain = await nidOf(await say(alice, roomId))
    await member(roomId, 'join')
    const waiting = await waitingFor('far.example')
    expect(waiting).toContain(sticky)
    expect(waiting).not.toContain(plain)
  })

  it('that its sender may not send now is told when they may again', async () => {
    const roomId = await makeRoom()
    const came = await member(roomId, 'join')
    const { token } = await sync(alice, roomId)
    await member(roomId, 'leave')
    const message = { type: 'm.room.message', content: { body: 'late' }, prevEvents: [came.event.id] }
    const late = await fromFar(roomId, { ...message, stickyMs: HOUR }, came.stateAfter)
    expect(late).toMatchObject({ rejected: undefined, softFailed: true })
    await chatter(roomId)
    expect((await sync(alice, roomId, token)).sticky).toEqual([])
    const between = (await sync(alice, roomId)).token
    await member(roomId, 'join')
    let seen: Seen | undefined
    await until(async () => {
      seen = await sync(alice, roomId, between)
      return seen.sticky.length > 0
    })
    expect(ids(seen!.sticky)).toEqual([late.event.id])
  })

  it('is told by sliding sync in portions, whatever rooms are in view', async () => {
    const eve = await node.user('eve')
    const roomId = await makeRoom()
    await join(eve, roomId)
    const all: string[] = []
    for (let n = 0; n < 3; n++) all.push(await say(alice, roomId, HOUR))
    const first = await sliding(eve, { limit: 2 })
    expect(ids(first.extensions[EXTENSION].rooms[roomId]!.events)).toEqual(all.slice(0, 2))
    const second = await sliding(eve, { limit: 2, since: first.extensions[EXTENSION].next_batch }, first.pos)
    expect(ids(second.extensions[EXTENSION].rooms[roomId]!.events)).toEqual(all.slice(2))
    const third = await sliding(eve, { limit: 2, since: second.extensions[EXTENSION].next_batch }, second.pos)
    expect(third.extensions).not.toHaveProperty([EXTENSION])
    await expect(sliding(eve, { since: 's1_1_1_1' })).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
  })
})
