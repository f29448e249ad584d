import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Json, JsonObject } from '../../../core/json/value.js'
import { StorageError } from '../../../storage/errors.js'
import { all } from '../../../storage/tx.js'
import { until } from '../../../platform/testing-until.js'
import { addNode, bodiesOf, createNetwork, type Network, type TestNode } from '../testing/network.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:b.example'

let network: Network
let a: TestNode
let b: TestNode
beforeEach(() => {
  network = createNetwork()
})
afterEach(() => network.close())

/** A room of both, with B cut off from A, so that what A says can be handed over by hand. */
async function cutOff(options: Parameters<typeof addNode>[2] = {}, version?: string): Promise<string> {
  a = await addNode(network, 'a.example')
  b = await addNode(network, 'b.example', options)
  const roomId = await a.createRoom(ALICE, {
    preset: 'public_chat',
    ...(version === undefined ? {} : { room_version: version }),
  })
  await b.join(BOB, roomId, 'a.example')
  await network.settle()
  network.fault = (request) => (request.path.includes('/send/') ? 'status-500' : undefined)
  return roomId
}

async function said(roomId: string, body: string): Promise<JsonObject> {
  const id = await a.send(ALICE, roomId, body)
  return (await a.context.events.byId(id))!.event.pdu as JsonObject
}

let transactions = 0
const hand = (
  pdus: readonly Json[],
  edus: readonly Json[] = [],
  txnId = `t${++transactions}`,
): Promise<JsonObject> => b.replication.inbound.handleTransaction('a.example', txnId, { pdus, edus }) as never

const staged = (): Promise<readonly unknown[]> => b.store.read('test', () => all('SELECT * FROM staged_pdus'))
const results = (answer: JsonObject): JsonObject[] =>
  Object.values(answer['pdus'] as JsonObject) as JsonObject[]

describe('a transaction', () => {
  it('of more than 50 PDUs or 100 EDUs, or of another shape, is refused', async () => {
    const roomId = await cutOff()
    const pdu = await said(roomId, 'x')
    await expect(hand(Array.from({ length: 51 }, () => pdu))).rejects.toMatchObject({
      errcode: 'M_INVALID_PARAM',
    })
    await expect(
      hand(
        [],
        Array.from({ length: 101 }, () => ({})),
      ),
    ).rejects.toMatchObject({
      errcode: 'M_INVALID_PARAM',
    })
    await expect(hand('x' as never)).rejects.toMatchObject({ errcode: 'M_BAD_JSON' })
    await expect(hand([], [], 'x'.repeat(256))).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
    expect(await staged()).toEqual([])
  })

  it('holds bad PDUs among good ones: each is judged for itself', async () => {
    const roomId = await cutOff()
    const good: JsonObject[] = []
    for (let i = 0; i < 10; i++) good.push(await said(roomId, `good ${i}`))
    const [first] = good
    const bad: Json[] = [
      null,
      7,
      'event',
      [],
      {},
      { room_id: roomId },
      { ...first, type: 7 },
      { ...first, prev_events: 'none' },
      { ...first, prev_events: Array.from({ length: 21 }, () => '$x') },
      { ...first, signatures: { 'a.example': { 'ed25519:x': 'AAAA' } } },
      { ...first, signatures: {} },
      { ...first, depth: -1 },
      { ...first, sender: '@mallory:m.example' },
      { ...first, room_id: '!elsewhere:a.example' },
      { ...first, content: { body: 'x'.repeat(70_000) } },
      { ...first, room_id: 'r'.repeat(1_000) },
      { ...first, __proto__: null, event_id: '__proto__', room_id: '!unknown:a.example' },
    ]
    const mixed = good.flatMap((pdu, i) => [pdu, ...bad.slice(i * 2, i * 2 + 2)])
    const answer = await hand(mixed)
    expect(results(answer).filter((result) => Object.keys(result).length === 0)).toHaveLength(10)
    expect(results(answer).filter((result) => typeof result['error'] === 'string').length).toBeGreaterThan(4)
    await network.settle()
    expect(await bodiesOf(b, roomId)).toEqual(good.map((_, i) => `good ${i}`))
    expect(await staged()).toEqual([])
  })

  it('again, under the same id, is answered the same and done once', async () => {
    const roomId = await cutOff()
    const pdu = await said(roomId, 'once')
    const edu = { edu_type: 'm.presence', content: { push: [] } }
    const first = await hand([pdu], [edu], 'same')
    const [second, third] = await Promise.all([hand([], [edu], 'same'), hand([pdu], [edu], 'same')])
    expect(second).toEqual(first)
    expect(third).toEqual(first)
    expect(b.edus).toHaveLength(1)
    await network.settle()
    expect(await bodiesOf(b, roomId)).toEqual(['once'])
  })

  it('about a room where this server is not, or that shuts the origin out, gets an error for each PDU', async () => {
    const roomId = await cutOff()
    const elsewhere = await a.createRoom(ALICE)
    const foreign = await said(elsewhere, 'secret')
    const before = await said(roomId, 'before')
    await hand([before])
    await network.settle()
    await b.state(BOB, roomId, 'm.room.topic', '', {}).catch(() => undefined)
    const acl = { allow: ['*'], deny: ['a.example'] }
    const id = await a.state(ALICE, roomId, 'm.room.server_acl', '', acl)
    const aclPdu = (await a.context.events.byId(id))!.event.pdu as JsonObject
    await hand([aclPdu])
    await network.settle()
    const after = await said(roomId, 'after')
    const answer = await hand(
      [foreign, after],
      [
        { edu_type: 'm.typing', content: { room_id: roomId, user_id: ALICE, typing: true } },
        { edu_type: 'm.receipt', content: { [roomId]: { 'm.read': {} } } },
        { edu_type: 'm.direct_to_device', content: { sender: ALICE } },
      ],
    )
    expect(results(answer)).toEqual([{ error: expect.stringContaining('shut out') }])
    expect(b.edus.map((edu) => edu.type)).toEqual(['m.direct_to_device'])
    await network.settle()
    expect(await bodiesOf(b, roomId)).toEqual(['before'])
  })

  it('whose EDU handler fails is answered all the same, unless nothing can be stored now', async () => {
    let error: Error = new Error('broken')
    const roomId = await cutOff({
      eduHandler: (_, type) => (type === 'm.typing' ? Promise.resolve(false) : Promise.reject(error)),
    })
    const pdu = await said(roomId, 'beside it')
    const edus = [
      { edu_type: 'm.direct_to_device', content: {} },
      { edu_type: 'm.typing', content: { room_id: roomId } },
      'junk',
      { edu_type: 7, content: {} },
      { edu_type: 'm.typing', content: null },
    ]
    expect(results(await hand([pdu], edus))).toEqual([{}])
    expect(b.edus).toHaveLength(1)
    error = new StorageError('full', 'no space')
    await expect(hand([], edus, 'again')).rejects.toThrow('no space')
    error = new Error('broken')
    await hand([], edus, 'again')
    expect(b.edus).toHaveLength(2)
  })

  it('that would fill the stage is refused with M_LIMIT_EXCEEDED, whole, until there is room again', async () => {
    const small = { rows: 20, size: 1_000_000 }
    const roomId = await cutOff({
      replication: { staging: { perOrigin: small, perRoom: { rows: 1_000, size: 10_000_000 } } },
    })
    const pdus: JsonObject[] = []
    for (let i = 0; i < 40; i++) pdus.push(await said(roomId, `m${i}`))
    // Nothing is applied while another has the room's turn.
    let free: () => void = () => undefined
    const held = b.context.writer.write(roomId, () => new Promise<void>((resolve) => (free = resolve)))
    await hand(pdus.slice(0, 20))
    await expect(hand(pdus.slice(20))).rejects.toMatchObject({
      errcode: 'M_LIMIT_EXCEEDED',
      extra: { retry_after_ms: 5_000 },
    })
    expect(await staged()).toHaveLength(20)
    free()
    await held
    await network.settle()
    await hand(pdus.slice(20))
    await network.settle()
    expect(await bodiesOf(b, roomId)).toEqual(pdus.map((_, i) => `m${i}`))
  })

  it('is one of at most four of an origin at a time', async () => {
    const roomId = await cutOff()
    const pdu = await said(roomId, 'x')
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => hand([pdu])))
    expect(outcomes.filter((outcome) => outcome.status === 'rejected')).toHaveLength(6)
  })
})

describe('a PDU whose key is not known', () => {
  it('waits on the stage, and is applied once the key can be had', async () => {
    // As many attempts as it takes: how long the test itself takes must not decide.
    const roomId = await cutOff({
      replication: { drain: { retry: { initialMs: 50, maxMs: 200 }, maxAttempts: 1_000 } },
    })
    const c = await addNode(network, 'c.example')
    network.fault = () => undefined
    await c.join('@carol:c.example', roomId, 'a.example')
    await network.settle()
    expect((await b.stateOf(roomId)).has('m.room.member|@carol:c.example')).toBe(true)

    await c.stop()
    // A stranger to B, as far as keys go.
    const d = await addNode(network, 'd.example')
    b.learnable = new Set(['a.example'])
    await d.join('@dora:d.example', roomId, 'a.example')
    await until(async () => (await staged()).length === 1)
    const pdu = await said(roomId, 'from a')
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect((await b.stateOf(roomId)).has('m.room.member|@dora:d.example')).toBe(false)
    b.learnable = undefined
    await until(async () => (await b.stateOf(roomId)).has('m.room.member|@dora:d.example'))
    await until(async () => (await bodiesOf(b, roomId)).length === 1)
    await until(async () => (await staged()).length === 0)
    expect(pdu['type']).toBe('m.room.message')
    network.nodes.delete('c.example')
  })

  it('is dropped in the end when it never can, and the rest of the room goes on', async () => {
    const roomId = await cutOff()
    const real = await said(roomId, 'real')
    const forged = { ...real, signatures: { 'a.example': { 'ed25519:nobody': 'AAAA' } } }
    b.learnable = new Set()
    await hand([forged])
    await until(async () => (await staged()).length === 1)
    // The real one takes the place of its copy with junk signatures.
    b.learnable = undefined
    await hand([real])
    await until(async () => (await bodiesOf(b, roomId)).length === 1)
    const next = await said(roomId, 'next')
    const junk = { ...next, signatures: { 'a.example': { 'ed25519:nobody': 'AAAA' } } }
    await hand([junk])
    await until(async () => (await staged()).length === 0)
    expect(await bodiesOf(b, roomId)).toEqual(['real'])
    await hand([next])
    await until(async () => (await bodiesOf(b, roomId)).length === 2)
  })
})
