import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../../../core/json/value.js'
import { until } from '../../../platform/testing-until.js'
import { addNode, bodiesOf, createNetwork, type Network, type TestNode } from '../testing/network.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:b.example'
const ANNA = '@anna:a.example'
const CAROL = '@carol:c.example'

let network: Network
let a: TestNode
let b: TestNode
beforeEach(async () => {
  network = createNetwork()
  a = await addNode(network, 'a.example')
  b = await addNode(network, 'b.example')
})
afterEach(() => network.close())

const deaf = (): void => {
  network.fault = (request) => (request.path.includes('/send/') ? 'status-500' : undefined)
}

async function roomOfBoth(): Promise<string> {
  const roomId = await a.createRoom(ALICE)
  await b.join(BOB, roomId, 'a.example')
  await network.settle()
  return roomId
}

/** B joins while C cannot be reached, so that it lacks the key for what C's users have signed. */
async function roomWithHole(): Promise<string> {
  const c = await addNode(network, 'c.example')
  const roomId = await a.createRoom(ALICE)
  await c.join(CAROL, roomId, 'a.example')
  await network.settle()
  b.learnable = new Set(['a.example'])
  await b.join(BOB, roomId, 'a.example')
  await network.settle()
  expect((await b.stateOf(roomId)).has(`m.room.member|${CAROL}`)).toBe(false)
  return roomId
}

describe('a room, beside what another server has of it', () => {
  it('is the same while nothing was missed', async () => {
    const roomId = await roomOfBoth()
    const found = await b.replication.health.compare(roomId, 'a.example')
    expect(found.theirHeads).toEqual(found.ourHeads)
    expect(found.unknown).toEqual([])
    expect(found.points).toEqual([{ head: found.ourHeads[0], known: true, differences: [], more: 0 }])
  })

  it('lacks events and state that did not arrive, each of which is named', async () => {
    const roomId = await roomOfBoth()
    deaf()
    const topic = await a.state(ALICE, roomId, 'm.room.topic', '', { topic: 'unheard' })
    const last = await a.send(ALICE, roomId, 'unheard')
    const found = await b.replication.health.compare(roomId, 'a.example')
    expect(found.unknown).toEqual([last])
    expect(found.points).toEqual([
      {
        head: last,
        known: false,
        differences: [{ type: 'm.room.topic', stateKey: '', ours: undefined, theirs: topic }],
        more: 0,
      },
    ])
    // To look changes nothing.
    expect((await b.stateOf(roomId)).has('m.room.topic|')).toBe(false)
  })

  it('cannot be looked at from outside of it', async () => {
    const roomId = await a.createRoom(ALICE)
    const unknown = { errcode: 'M_NOT_FOUND' }
    await expect(b.replication.health.compare(roomId, 'a.example')).rejects.toMatchObject(unknown)
    await expect(b.replication.health.heal(roomId)).rejects.toMatchObject(unknown)
  })

  it('cannot be compared with what a server does not tell', async () => {
    const roomId = await roomOfBoth()
    network.down.add('a.example')
    await expect(b.replication.health.compare(roomId, 'a.example')).rejects.toMatchObject({
      name: 'MatrixError',
    })
    const { servers } = await b.replication.health.heal(roomId)
    expect(servers).toEqual([{ server: 'a.example', brought: 0, changes: 0, failure: expect.any(String) }])
  })
})

describe('a room that is healed', () => {
  it('has the events that did not arrive, with all that lies before them', async () => {
    const roomId = await roomOfBoth()
    deaf()
    await a.state(ALICE, roomId, 'm.room.topic', '', { topic: 'unheard' })
    for (const body of ['one', 'two', 'three']) await a.send(ALICE, roomId, body)
    const { servers } = await b.replication.health.heal(roomId)
    expect(servers).toEqual([{ server: 'a.example', brought: 1, changes: 0, failure: undefined }])
    expect(await bodiesOf(b, roomId)).toEqual(['one', 'two', 'three'])
    expect(await b.stateOf(roomId)).toEqual(await a.stateOf(roomId))
    expect(await b.heads(roomId)).toEqual(await a.heads(roomId))
  })

  it('has the state that could not be verified when the room was joined, and says so to nobody before', async () => {
    const roomId = await roomWithHole()
    const { points } = await b.replication.health.compare(roomId, 'a.example')
    expect(points[0]!.differences).toMatchObject([{ ours: undefined }])
    b.learnable = undefined
    const { servers } = await b.replication.health.heal(roomId)
    expect(servers[0]).toMatchObject({ server: 'a.example', changes: 1, failure: undefined })
    expect(await b.stateOf(roomId)).toEqual(await a.stateOf(roomId))
    const room = (await b.context.loader.load(roomId))!
    expect((await b.context.rosters.of(room.nid)).servers.has('c.example')).toBe(true)
    // What follows stands on the state that was mended.
    await a.send(ALICE, roomId, 'after')
    await until(async () => (await bodiesOf(b, roomId)).includes('after'))
    expect(await b.stateOf(roomId)).toEqual(await a.stateOf(roomId))
    expect((await b.replication.health.heal(roomId)).servers[0]).toMatchObject({ changes: 0 })
  })

  it('keeps what another server leaves out of its answer, and takes nothing that the rules refuse', async () => {
    const roomId = await roomOfBoth()
    await a.state(ALICE, roomId, 'm.room.topic', '', { topic: 'kept' })
    await until(async () => (await b.stateOf(roomId)).has('m.room.topic|'))
    const before = await b.stateOf(roomId)
    const real = a
    network.nodes.set('a.example', {
      ...a,
      async serve(origin, request) {
        const answer = await real.serve(origin, request)
        if (!request.path.includes('/state_ids/')) return answer
        const ids = JSON.parse(answer) as JsonObject & { pdu_ids: string[] }
        const topic = before.get('m.room.topic|')
        return JSON.stringify({ ...ids, pdu_ids: ids.pdu_ids.filter((id) => id !== topic) })
      },
    })
    await b.send(BOB, roomId, 'a head that stands on it')
    await network.settle()
    expect((await b.replication.health.heal(roomId)).servers[0]).toMatchObject({ failure: undefined })
    expect(await b.stateOf(roomId)).toEqual(before)
  })
})

describe('a room whose state was kept back in part by the server through which it was joined', () => {
  it('gets it from the server of its creator, of whom nothing else is known, and what somebody left behind who is gone', async () => {
    const c = await addNode(network, 'c.example')
    const d = await addNode(network, 'd.example')
    const roomId = await a.createRoom(ALICE)
    await b.join(BOB, roomId, 'a.example')
    await c.join(CAROL, roomId, 'a.example')
    await a.state(ANNA, roomId, 'm.room.member', ANNA, { membership: 'join' })
    await a.state(ALICE, roomId, 'm.room.member', ALICE, { membership: 'leave' })
    await until(async () => (await b.heads(roomId)).join() === (await a.heads(roomId)).join())
    const left = await b.stateOf(roomId)
    network.nodes.set('b.example', {
      ...b,
      async serve(origin, request) {
        const answer = await b.serve(origin, request)
        if (!request.path.includes('/send_join/')) return answer
        const whole = JSON.parse(answer) as { state: { type: string; state_key: string; sender: string }[] }
        const given = whole.state.filter(
          ({ type, state_key: key, sender }) =>
            ['m.room.create', 'm.room.join_rules'].includes(type) || key === ALICE || sender === BOB,
        )
        return JSON.stringify({ ...whole, state: given })
      },
    })
    await d.join('@dora:d.example', roomId, 'b.example')
    await network.settle()
    expect((await d.stateOf(roomId)).has('m.room.power_levels|')).toBe(false)
    expect(await d.replication.health.repair(roomId, 'b.example', new AbortController().signal)).toBe('done')
    const state = await d.stateOf(roomId)
    expect(state.get('m.room.power_levels|')).toBe(left.get('m.room.power_levels|'))
    expect(state).toEqual(await a.stateOf(roomId))
  })
})
