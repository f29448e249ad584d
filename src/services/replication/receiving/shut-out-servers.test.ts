import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { addNode, bodiesOf, createNetwork, type Network, type TestNode } from '../testing/network.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:b.example'
const CARL = '@carl:c.example'

let network: Network
let a: TestNode
let b: TestNode
let c: TestNode
/** Servers with which c does not federate any more. */
const refused = new Set<string>()
beforeEach(async () => {
  refused.clear()
  network = createNetwork()
  a = await addNode(network, 'a.example')
  b = await addNode(network, 'b.example')
  c = await addNode(network, 'c.example', { federates: (name) => !refused.has(name) })
})
afterEach(() => network.close())

describe('what is said by users of a server with which this one does not federate any more', () => {
  it('is taken from nobody else either, although its key is known; what others say goes on', async () => {
    const roomId = await a.createRoom(ALICE, { preset: 'public_chat', room_version: '11' })
    await b.join(BOB, roomId, 'a.example')
    await c.join(CARL, roomId, 'a.example')
    await network.settle()
    await b.send(BOB, roomId, 'before')
    await network.settle()
    expect(await bodiesOf(c, roomId)).toEqual(['before'])

    refused.add('b.example')
    network.down.add('c.example')
    const id = await b.send(BOB, roomId, 'after')
    const event = (await b.context.events.byIds([id])).get(id)!.event
    const answer = await c.replication.inbound.handleTransaction('a.example', 'relayed', {
      pdus: [event.pdu],
    })
    expect(answer.pdus[id]).toEqual({ error: 'This server does not federate with that of the sender' })
    await network.settle()
    expect(await bodiesOf(c, roomId)).toEqual(['before'])
    // Bob is still in the room, and Carl is heard.
    expect((await c.stateOf(roomId)).has(`m.room.member|${BOB}`)).toBe(true)
    const own = await c.send(CARL, roomId, 'here')
    const back = (await c.context.events.byIds([own])).get(own)!.event
    const relayed = await c.replication.inbound.handleTransaction('a.example', 'own', { pdus: [back.pdu] })
    expect(relayed.pdus[own]).toEqual({})
  })
})
