import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../../core/json/value.js'
import { until } from '../../platform/testing-until.js'
import { addNode, bodiesOf, createNetwork, type Network, type TestNode } from './testing/network.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:b.example'

let network: Network
let a: TestNode
let b: TestNode
beforeEach(async () => {
  network = createNetwork()
  a = await addNode(network, 'a.example')
  b = await addNode(network, 'b.example')
})
afterEach(() => network.close())

async function sharedRoom(version?: string): Promise<string> {
  const roomId = await a.createRoom(ALICE, {
    preset: 'public_chat',
    ...(version === undefined ? {} : { room_version: version }),
  })
  await b.join(BOB, roomId, 'a.example')
  await network.settle()
  return roomId
}

async function sameEverywhere(roomId: string, ...nodes: TestNode[]): Promise<void> {
  const [first, ...others] = nodes
  const state = await first!.stateOf(roomId)
  for (const other of others) expect(await other.stateOf(roomId)).toEqual(state)
}

describe('messages between two nodes', () => {
  it.each(['1', '5', '10', '12'])('flow both ways in room version %s', async (version) => {
    const roomId = await sharedRoom(version)
    await a.send(ALICE, roomId, 'one')
    await network.settle()
    await b.send(BOB, roomId, 'two')
    await network.settle()
    await a.send(ALICE, roomId, 'three')
    await network.settle()
    expect(await bodiesOf(a, roomId)).toEqual(['one', 'two', 'three'])
    expect(await bodiesOf(b, roomId)).toEqual(['one', 'two', 'three'])
    expect(await b.heads(roomId)).toEqual(await a.heads(roomId))
    await sameEverywhere(roomId, a, b)
    expect(network.log.filter((line) => line.includes('get_missing_events'))).toEqual([])
  })

  it('arrive in order, in few transactions, after the other side was down for 200 of them', async () => {
    const roomId = await sharedRoom()
    network.down.add('b.example')
    const sent: string[] = []
    for (let i = 0; i < 200; i++) {
      sent.push(`message ${i}`)
      await a.send(ALICE, roomId, `message ${i}`)
    }
    await until(() => a.replication.sender.stats().failing === 1)
    expect(await bodiesOf(b, roomId)).toEqual([])
    network.log.length = 0
    network.down.clear()
    await until(async () => (await bodiesOf(b, roomId)).length === 200)
    expect(await bodiesOf(b, roomId)).toEqual(sent)
    await network.settle()
    expect(network.log.filter((line) => line === 'PUT a.example→b.example /send')).toHaveLength(4)
    expect(network.log.filter((line) => line.includes('get_missing_events'))).toEqual([])
    expect(a.replication.sender.stats()).toEqual({ active: 0, failing: 0 })
  })

  it('are sent again, and shown once, when the answer to a transaction is lost', async () => {
    const roomId = await sharedRoom()
    let lost = 0
    const ids: string[] = []
    network.fault = (request) => {
      if (!request.path.includes('/send/')) return undefined
      ids.push(request.path)
      return ++lost <= 2 ? 'lost-answer' : undefined
    }
    await a.send(ALICE, roomId, 'once')
    await until(() => lost >= 3)
    await network.settle()
    expect(await bodiesOf(b, roomId)).toEqual(['once'])
    expect(new Set(ids).size).toBe(1)
  })

  it('never make two transactions to one server at a time', async () => {
    const roomId = await sharedRoom()
    let running = 0
    let most = 0
    const serve = b.serve.bind(b)
    network.nodes.set('b.example', {
      ...b,
      async serve(origin, request) {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setTimeout(resolve, 5))
        try {
          return await serve(origin, request)
        } finally {
          running--
        }
      },
    })
    await Promise.all(Array.from({ length: 120 }, (_, i) => a.send(ALICE, roomId, `m${i}`)))
    await until(async () => (await bodiesOf(b, roomId)).length === 120)
    expect(most).toBe(1)
    const sizes = network.bodies.flatMap((body) =>
      Array.isArray(body?.['pdus']) ? [body['pdus'].length] : [],
    )
    expect(Math.max(...sizes)).toBeLessThanOrEqual(50)
  })

  it('carry ephemeral EDUs, the newest of each key alone, and none to a server that is down', async () => {
    const roomId = await sharedRoom()
    const typing = (on: boolean): JsonObject => ({ room_id: roomId, user_id: ALICE, typing: on })
    const say = (on: boolean): void =>
      a.replication.sender.sendEphemeral(['b.example'], { edu_type: 'm.typing', content: typing(on) }, 'key')
    say(true)
    say(false)
    await network.settle()
    expect(b.edus).toEqual([{ origin: 'a.example', type: 'm.typing', content: typing(false) }])

    network.down.add('b.example')
    await a.send(ALICE, roomId, 'are you there?')
    await until(() => a.replication.sender.stats().failing === 1)
    say(true)
    network.down.clear()
    await until(async () => (await bodiesOf(b, roomId)).length === 1)
    await network.settle()
    expect(b.edus).toHaveLength(1)
  })
})

describe('a partition', () => {
  it('leaves forks that come together: both sides have one state and go on from it', async () => {
    const roomId = await sharedRoom('11')
    await a.state(ALICE, roomId, 'm.room.power_levels', '', {
      users: { [ALICE]: 100, [BOB]: 50 },
      users_default: 0,
      state_default: 50,
    })
    await network.settle()
    network.down.add('b.example')
    await a.state(ALICE, roomId, 'm.room.topic', '', { topic: 'of a' })
    await a.send(ALICE, roomId, 'from a')
    await b.state(BOB, roomId, 'm.room.topic', '', { topic: 'of b' })
    await b.state(BOB, roomId, 'm.room.name', '', { name: 'named by b' })
    await b.send(BOB, roomId, 'from b')
    expect(await a.stateOf(roomId)).not.toEqual(await b.stateOf(roomId))
    network.down.clear()
    await until(
      async () => (await bodiesOf(a, roomId)).length === 2 && (await bodiesOf(b, roomId)).length === 2,
    )
    await network.settle()
    await sameEverywhere(roomId, a, b)
    expect(await a.heads(roomId)).toHaveLength(2)
    expect(await a.heads(roomId)).toEqual(await b.heads(roomId))
    await a.send(ALICE, roomId, 'together again')
    await network.settle()
    expect(await b.heads(roomId)).toHaveLength(1)
    expect(await a.heads(roomId)).toEqual(await b.heads(roomId))
  })

  it('of three nodes is healed through the one that both sides reach', async () => {
    const c = await addNode(network, 'c.example')
    const roomId = await sharedRoom()
    await c.join('@carol:c.example', roomId, 'a.example')
    await network.settle()
    // B and C do not reach each other.
    network.fault = (request, from) =>
      (from === 'b.example' && request.destination === 'c.example') ||
      (from === 'c.example' && request.destination === 'b.example')
        ? 'status-500'
        : undefined
    await b.send(BOB, roomId, 'b speaks')
    await network.settle()
    await a.send(ALICE, roomId, 'a answers')
    await until(async () => (await bodiesOf(c, roomId)).length === 2)
    expect(await bodiesOf(c, roomId)).toEqual(['b speaks', 'a answers'])
    await sameEverywhere(roomId, a, b, c)
  })
})
