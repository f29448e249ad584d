import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { RoomEvent } from '../../../core/event/types.js'
import type { FederationRequest } from '../../federation/client.js'
import { until, untilPasses } from '../../../platform/testing-until.js'
import { openSqlite } from '../../../storage/sqlite-store.js'
import { all } from '../../../storage/tx.js'
import {
  addFastNode,
  crafted,
  deliver,
  holdStates,
  isPartial,
  opinion,
  whole,
  type HeldStates,
} from '../testing/faster-joins.js'
import { addNode, bodiesOf, createNetwork, type Network, type TestNode } from '../testing/network.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:b.example'
const DEREK = '@derek:b.example'
const ELSIE = '@elsie:b.example'
const CAROL = '@carol:c.example'
const CHRIS = '@chris:c.example'
const DORA = '@dora:d.example'
const member = (userId: string): string => `m.room.member|${userId}`

let network: Network
let a: TestNode
let b: TestNode
let c: TestNode
let states: HeldStates
let roomId: string

beforeEach(async () => {
  network = createNetwork()
  a = await addNode(network, 'a.example')
  b = await addNode(network, 'b.example')
  c = await addFastNode(network, 'c.example')
  // A room without a name is given with those members of whom clients make one.
  roomId = await a.createRoom(ALICE, { preset: 'public_chat', name: 'Joined fast' })
  await b.join(BOB, roomId, 'a.example')
  await b.join(ELSIE, roomId, 'a.example')
  await network.settle()
  states = holdStates(network)
})
afterEach(() => network.close())

async function eventOf(node: TestNode, key: string): Promise<RoomEvent> {
  const id = (await node.stateOf(roomId)).get(key)
  return (await node.context.events.byId(id!))!.event
}

/** Some answers of a server are others than it would give. */
function answering(node: TestNode, path: RegExp, change: (text: string) => string): void {
  const { serve } = node
  Object.assign(node, {
    async serve(origin: string, request: FederationRequest) {
      const text = await serve(origin, request)
      return path.test(request.path) ? change(text) : text
    },
  })
}

async function agree(...nodes: TestNode[]): Promise<void> {
  await network.settle()
  await untilPasses(async () => {
    const [first, ...others] = await Promise.all(nodes.map((node) => opinion(node, roomId)))
    for (const other of others) expect(other).toEqual(first)
  })
}

describe('a room that is joined before its members are known', () => {
  it('is there at once without them, and hears and speaks before they are known', async () => {
    await c.join(CAROL, roomId, 'a.example')
    await network.settle()
    expect(await isPartial(c, roomId)).toBe(true)
    const state = await c.stateOf(roomId)
    expect(state.has(member(CAROL))).toBe(true)
    expect(state.has('m.room.power_levels|')).toBe(true)
    expect(state.has(member(ELSIE))).toBe(false)

    await b.send(BOB, roomId, 'to all')
    await c.send(CAROL, roomId, 'I am in')
    await network.settle()
    await untilPasses(async () =>
      expect(await bodiesOf(c, roomId)).toEqual(expect.arrayContaining(['to all', 'I am in'])),
    )
    // No user of it was known to be there when it was said: the server is in the room by the word of the other.
    await untilPasses(async () => expect(await bodiesOf(b, roomId)).toContain('I am in'))
    expect(await isPartial(c, roomId)).toBe(true)
  })

  it('is what an ordinary join gives once they are known', async () => {
    await c.join(CAROL, roomId, 'a.example')
    await network.settle()
    const d = await addNode(network, 'd.example')
    await b.send(BOB, roomId, 'one')
    await b.join(DEREK, roomId, 'a.example')
    await b.state(ELSIE, roomId, 'm.room.member', ELSIE, { membership: 'leave' })
    await a.state(ALICE, roomId, 'm.room.topic', '', { topic: 'what came meanwhile' })
    await c.send(CAROL, roomId, 'two')
    await network.settle()
    expect(await isPartial(c, roomId)).toBe(true)
    states.release()
    await whole(c, roomId)
    await agree(a, b, c)
    await d.join(DORA, roomId, 'a.example')
    await agree(a, c, d)
    expect(await c.store.read('test', () => all('SELECT * FROM partial_events'))).toEqual([])
    expect(await c.store.read('test', () => all('SELECT * FROM partial_room_servers'))).toEqual([])
  })

  it('takes an event in of somebody unknown by the membership that it cites', async () => {
    await c.join(CAROL, roomId, 'a.example')
    await network.settle()
    expect((await c.stateOf(roomId)).has(member(BOB))).toBe(false)
    await b.send(BOB, roomId, 'here')
    await network.settle()
    const own = (await a.stateOf(roomId)).get(member(BOB))
    await untilPasses(async () => expect((await c.stateOf(roomId)).get(member(BOB))).toBe(own))
  })

  it('refuses what it had accepted by an old membership, and accepts what it had refused for it', async () => {
    await b.join(DEREK, roomId, 'a.example')
    await network.settle()
    const levels = await eventOf(a, 'm.room.power_levels|')
    await a.state(ALICE, roomId, 'm.room.power_levels', '', {
      ...levels.content,
      users: { ...(levels.content['users'] as object), [DEREK]: 60, [ELSIE]: 50 },
    })
    const old = await eventOf(a, member(DEREK))
    await b.state(DEREK, roomId, 'm.room.member', DEREK, { membership: 'leave' })
    await network.settle()
    await c.join(CAROL, roomId, 'a.example')
    await network.settle()
    const joined = await eventOf(c, member(CAROL))
    const power = await eventOf(a, 'm.room.power_levels|')
    const elsie = await eventOf(a, member(ELSIE))
    // He is not in the room, and says that he was.
    const kick = crafted(b, joined, {
      type: 'm.room.member',
      sender: DEREK,
      stateKey: ELSIE,
      content: { membership: 'leave' },
      auth: [power, old, elsie],
    })
    const said = crafted(b, kick, {
      type: 'm.test',
      sender: ELSIE,
      stateKey: '',
      content: { body: 'I am still here' },
      auth: [power, elsie],
    })
    await deliver(b, [a, c], kick, said)
    expect((await c.context.events.byId(kick.id))?.rejected).toBeUndefined()
    expect((await c.stateOf(roomId)).get(member(ELSIE))).toBe(kick.id)
    expect((await c.context.events.byId(said.id))?.rejected).toBeDefined()
    expect((await a.context.events.byId(kick.id))?.rejected).toBeDefined()

    states.release()
    await whole(c, roomId)
    expect((await c.context.events.byId(kick.id))?.rejected).toBeDefined()
    expect((await c.context.events.byId(kick.id))?.pos).toBeUndefined()
    expect((await c.stateOf(roomId)).get('m.test|')).toBe(said.id)
    expect((await c.context.events.byId(said.id))?.pos).toBeDefined()
    await agree(a, c)
  })

  it('gives other servers no state, and lets nobody in', async () => {
    await c.join(CAROL, roomId, 'a.example')
    await network.settle()
    await c.send(CAROL, roomId, 'said')
    await network.settle()
    const unable = { errcode: 'M_UNABLE_DUE_TO_PARTIAL_STATE' }
    const head = (await c.heads(roomId))[0]!
    const ask = (path: string, query = {}) =>
      c.serve('b.example', {
        destination: 'c.example',
        method: 'GET',
        path: `/_matrix/federation/v1/${path}`,
        query,
      })
    const id = encodeURIComponent(roomId)
    await expect(ask(`make_join/${id}/${encodeURIComponent(DEREK)}`, { ver: ['12'] })).rejects.toMatchObject(
      unable,
    )
    await expect(ask(`make_leave/${id}/${encodeURIComponent(BOB)}`)).rejects.toMatchObject(unable)
    await expect(ask(`state_ids/${id}`, { event_id: head })).rejects.toMatchObject({ ...unable, status: 403 })
    await expect(ask(`state/${id}`, { event_id: head })).rejects.toMatchObject({ ...unable, status: 403 })
    expect(JSON.parse(await ask(`event/${encodeURIComponent(head)}`))).toMatchObject({ origin: 'c.example' })

    states.release()
    await whole(c, roomId)
    const { pdu_ids: ids } = JSON.parse(await ask(`state_ids/${id}`, { event_id: head })) as {
      pdu_ids: string[]
    }
    expect(ids.toSorted()).toEqual([...(await c.stateOf(roomId)).values()].toSorted())
  })

  it('is joined by another user of the server before it is whole', async () => {
    await c.join(CAROL, roomId, 'a.example')
    await network.settle()
    await b.send(BOB, roomId, 'between')
    await network.settle()
    await c.join(CHRIS, roomId, 'b.example')
    expect(await isPartial(c, roomId)).toBe(true)
    expect((await c.stateOf(roomId)).has(member(CHRIS))).toBe(true)
    await network.settle()
    states.release()
    await whole(c, roomId)
    await agree(a, b, c)
  })

  it('can be left and joined again before it is whole', async () => {
    await c.join(CAROL, roomId, 'a.example')
    await network.settle()
    await c.state(CAROL, roomId, 'm.room.member', CAROL, { membership: 'leave' })
    await network.settle()
    await until(
      async () => (await c.store.read('test', () => all('SELECT * FROM partial_rooms'))).length === 0,
    )
    await c.join(CAROL, roomId, 'b.example')
    expect(await isPartial(c, roomId)).toBe(true)
    states.release()
    await whole(c, roomId)
    await agree(a, b, c)
  })

  it('tells servers of devices that were in it all the time, unknown to this one', async () => {
    // It names itself alone.
    answering(a, /send_join/, (text) =>
      text.replace(/"servers_in_room":\[[^\]]*\]/, '"servers_in_room":["a.example"]'),
    )
    await c.join(CAROL, roomId, 'a.example')
    await network.settle()
    expect(c.announced).toEqual([{ userId: CAROL, servers: ['a.example'] }])
    states.release()
    await whole(c, roomId)
    expect(c.announced.slice(1)).toEqual([{ userId: CAROL, servers: ['b.example'] }])
    await agree(a, b, c)
  })

  it('does not believe a state that forbids the join that was let in', async () => {
    const levels = await eventOf(a, 'm.room.power_levels|')
    const ban = crafted(a, levels, {
      type: 'm.room.member',
      sender: ALICE,
      stateKey: CAROL,
      content: { membership: 'ban' },
      auth: [levels, await eventOf(a, member(ALICE))],
    })
    await c.join(CAROL, roomId, 'a.example')
    await network.settle()
    let isAsked = false
    answering(a, /state_ids/, (text) => {
      isAsked = true
      const answer = JSON.parse(text) as { pdu_ids: string[] }
      return JSON.stringify({ ...answer, pdu_ids: [...answer.pdu_ids, ban.id] })
    })
    const { serve } = a
    Object.assign(a, {
      serve: (origin: string, request: FederationRequest) =>
        request.path.endsWith(encodeURIComponent(ban.id))
          ? Promise.resolve(JSON.stringify({ origin: a.name, origin_server_ts: 0, pdus: [ban.pdu] }))
          : serve(origin, request),
    })
    states.release()
    await whole(c, roomId)
    expect(isAsked).toBe(true)
    expect((await c.context.events.byId(ban.id))?.event.id).toBe(ban.id)
    expect((await c.stateOf(roomId)).get(member(CAROL))).toBe((await b.stateOf(roomId)).get(member(CAROL)))
    await agree(b, c)
  })

  it('asks the next server where one gives no state', async () => {
    await c.join(CAROL, roomId, 'a.example')
    await network.settle()
    const { fault } = network
    network.fault = (request, from) =>
      request.destination === 'a.example' && /state/.test(request.path) ? 'status-500' : fault(request, from)
    // What is known of the join is asked of all in turn.
    await network.settle()
    states.release()
    await whole(c, roomId)
    await agree(b, c)
  })
})

it('a restart loses nothing of a room whose members are not known', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'chancery-'))
  try {
    const path = join(folder, 'e.db')
    let e = await addFastNode(network, 'e.example', { store: await openSqlite({ path }) })
    const { signer } = e
    await e.join('@emma:e.example', roomId, 'a.example')
    await network.settle()
    await b.send(BOB, roomId, 'before the restart')
    await network.settle()
    await e.stop()
    e = await addFastNode(network, 'e.example', { store: await openSqlite({ path }), signer })
    expect(await isPartial(e, roomId)).toBe(true)
    await b.send(BOB, roomId, 'after the restart')
    await network.settle()
    states.release()
    await whole(e, roomId)
    await agree(a, b, e)
    expect(await bodiesOf(e, roomId)).toEqual(
      expect.arrayContaining(['before the restart', 'after the restart']),
    )
    await e.stop()
    network.nodes.delete('e.example')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
