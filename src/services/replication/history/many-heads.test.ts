import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { buildEvent } from '../../../core/event/build.js'
import { roomVersion } from '../../../core/room-version/versions.js'
import type { JsonObject } from '../../../core/json/value.js'
import { until } from '../../../platform/testing-until.js'
import { MAX_HEADS } from '../../rooms/heads.js'
import { readWholeState } from '../../rooms/context.js'
import { addNode, bodiesOf, createNetwork, type Network, type TestNode } from '../testing/network.js'

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

it('a server that splits a room into a hundred branches leaves few heads, which the next event joins', async () => {
  const roomId = await a.createRoom(ALICE)
  await b.join(BOB, roomId, 'a.example')
  await network.settle()
  const own = await a.send(ALICE, roomId, 'from here')
  const room = (await b.context.loader.load(roomId))!
  const state = await readWholeState(b.context, room, room.root!)
  const authEvents = state
    .filter(({ event }) => event.type === 'm.room.power_levels' || event.stateKey === BOB)
    .map(({ event }) => event.id)
  const prevEvents = state.filter(({ event }) => event.stateKey === BOB).map(({ event }) => event.id)
  const pdus = Array.from(
    { length: 100 },
    (_, i) =>
      buildEvent(
        {
          type: 'm.room.message',
          sender: BOB,
          stateKey: undefined,
          content: { msgtype: 'm.text', body: `branch ${i}` },
          roomId,
          depth: 1_000,
          originServerTs: Date.now() + i,
          prevEvents,
          authEvents,
          redacts: undefined,
          eventId: undefined,
          referenceHashOf: () => undefined,
        },
        roomVersion('12')!,
        { serverName: 'b.example', keyId: b.signer.keyId, sign: b.signer.sign },
      ).pdu as JsonObject,
  )
  for (const [txn, part] of [pdus.slice(0, 50), pdus.slice(50)].entries())
    await a.replication.inbound.handleTransaction('b.example', `t${txn}`, { pdus: part })
  await until(async () => (await bodiesOf(a, roomId)).length === 101)
  const heads = await a.heads(roomId)
  expect(heads).toHaveLength(MAX_HEADS)
  expect(heads).toContain(own)
  const joined = await a.send(ALICE, roomId, 'together')
  expect(await a.heads(roomId)).toEqual([joined])
})
