import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { buildEvent, type EventFields } from '../../../core/event/build.js'
import { RawNumber, type JsonObject } from '../../../core/json/value.js'
import { all } from '../../../storage/tx.js'
import { addLocalEvent } from '../../rooms/add-local-event.js'
import { until } from '../../../platform/testing-until.js'
import { addNode, bodiesOf, createNetwork, type Network, type TestNode } from '../testing/network.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:b.example'
/** An integer that room versions 1 to 5 allow, and no double holds exactly. */
const HUGE = new RawNumber('4611686018427387905') as unknown as number

let network: Network
let a: TestNode
let b: TestNode
beforeEach(async () => {
  network = createNetwork()
  a = await addNode(network, 'a.example')
  b = await addNode(network, 'b.example')
})
afterEach(() => network.close())

/** Has the other server send an event with these fields, and gives whether it was accepted. */
async function isAccepted(version: string, fields: Partial<EventFields>): Promise<boolean> {
  const roomId = await a.createRoom(ALICE, { preset: 'public_chat', room_version: version })
  await b.join(BOB, roomId, 'a.example')
  await network.settle()
  const last = (await a.context.events.byId(await a.send(ALICE, roomId, 'before')))!.event
  await network.settle()
  const odd = buildEvent(
    {
      type: 'm.room.message',
      sender: ALICE,
      content: { body: 'odd' },
      roomId,
      depth: last.depth + 1,
      originServerTs: last.originServerTs,
      prevEvents: [last.id],
      authEvents: last.authEvents,
      ...fields,
    },
    last.rules,
    { serverName: 'a.example', keyId: a.signer.keyId, sign: a.signer.sign },
  )
  await b.replication.inbound.handleTransaction('a.example', 'odd', { pdus: [odd.pdu as JsonObject] })
  await until(async () => (await b.store.read('test', () => all('SELECT nid FROM staged_pdus'))).length === 0)
  const stored = await b.context.events.byId(odd.id)
  if (stored === undefined || stored.rejected !== undefined || stored.softFailed) return false
  // What comes later still finds its place.
  const next = await b.send(BOB, roomId, 'after')
  return (await b.context.events.byId(next))!.event.prevEvents.includes(odd.id)
}

describe('an event that other servers take, with', () => {
  it.each<[string, string, Partial<EventFields>]>([
    ['NUL in the id of its thread', '12', { content: { body: 'x', 'm.relates_to': { rel_type: 'm.thread', event_id: '$a\0b' } } }],
    ['NUL in the id that it redacts', '12', { type: 'm.room.redaction', content: {}, redacts: '$a\0b' }],
    ['NUL in the id that it redacts', '10', { type: 'm.room.redaction', content: {}, redacts: '$a\0b' }],
    ['a very long id that it redacts', '12', { type: 'm.room.redaction', content: {}, redacts: `$${'a'.repeat(20_000)}` }],
    ['a depth beyond 2^53', '5', { depth: HUGE }],
    ['a time beyond 2^53', '5', { originServerTs: HUGE }],
    ['a time before 1970', '5', { originServerTs: new RawNumber('-4611686018427387905') as unknown as number }],
    ['a relation, a depth and a time beyond 2^53', '5', { depth: HUGE, originServerTs: HUGE, content: { 'm.relates_to': { rel_type: 'm.reference', event_id: '$parent' } } }],
  ])('%s, in version %s, is accepted', async (_what, version, fields) => {
    expect(await isAccepted(version, fields)).toBe(true)
  })
}) // prettier-ignore

describe('a transaction of many writers', () => {
  it('that holds what cannot be stored fails for its writer alone', async () => {
    const roomId = await a.createRoom(ALICE)
    const spoilt = a.context.writer.write(roomId, async (room) => {
      await addLocalEvent(room, { type: 'm.room.message', sender: ALICE, content: {} }, a.context.local)
      const clientTxn = { key: 'a\0b', deviceId: 'D', txnId: 't' }
      room.pending.push({ ...room.pending.pop()!, clientTxn })
    })
    const all = await Promise.allSettled([a.send(ALICE, roomId, 'one'), spoilt, a.send(ALICE, roomId, 'two')])
    expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(await bodiesOf(a, roomId)).toEqual(['one', 'two'])
  })
})
