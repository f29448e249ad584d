import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { until } from '../../../platform/testing-until.js'
import { run } from '../../../storage/tx.js'
import { addLocalEvent } from '../../rooms/add-local-event.js'
import { addNode, bodiesOf, createNetwork, type Network, type TestNode } from '../testing/network.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:b.example'
const CAROL = '@carol:c.example'

let network: Network
let a: TestNode
let b: TestNode
let c: TestNode
beforeEach(async () => {
  network = createNetwork()
  a = await addNode(network, 'a.example')
  b = await addNode(network, 'b.example')
  c = await addNode(network, 'c.example')
})
afterEach(() => network.close())

describe('what was said before a server came', () => {
  it('is no news to it, also when something else leads there', async () => {
    const roomId = await a.createRoom(ALICE)
    await c.join(CAROL, roomId, 'a.example')
    for (let i = 0; i < 5; i++) await a.send(ALICE, roomId, `old ${i}`)
    await until(async () => (await bodiesOf(c, roomId)).length === 5)
    network.down.add('c.example')
    await b.join(BOB, roomId, 'a.example')
    // Beside the join, on what was there before.
    await c.send(CAROL, roomId, 'beside')
    network.down.delete('c.example')
    await until(async () => (await bodiesOf(a, roomId)).includes('beside'))
    await a.send(ALICE, roomId, 'together')
    await until(async () => (await bodiesOf(b, roomId)).includes('together'))
    expect(await bodiesOf(b, roomId)).toEqual(['beside', 'together'])
    expect(await b.heads(roomId)).toEqual(await a.heads(roomId))
    expect(await b.stateOf(roomId)).toEqual(await a.stateOf(roomId))
  })

  it.each([
    ['has come since this was written down', false],
    ['came when it was not yet', true],
  ])('nor is it when the server has fetched the last of it since, and %s', async (_, isOld) => {
    const roomId = await a.createRoom(ALICE)
    await c.join(CAROL, roomId, 'a.example')
    for (let i = 0; i < 5; i++) await a.send(ALICE, roomId, `old ${i}`)
    await until(async () => (await bodiesOf(c, roomId)).length === 5)
    network.down.add('c.example')
    const last = await a.send(ALICE, roomId, 'the last')
    await b.join(BOB, roomId, 'a.example')
    if (isOld) await b.store.write('test.old', () => run('UPDATE rooms SET arrival_depth = NULL'))
    const { signal } = new AbortController()
    expect(await b.replication.backfill.place(roomId, last, ['a.example'], signal)).toBe(true)
    await c.send(CAROL, roomId, 'beside the last')
    network.down.delete('c.example')
    await until(async () => (await bodiesOf(a, roomId)).includes('beside the last'))
    await a.send(ALICE, roomId, 'together')
    await until(async () => (await bodiesOf(b, roomId)).includes('together'))
    expect(await bodiesOf(b, roomId)).not.toContain('old 4')
    expect(await b.heads(roomId)).toEqual(await a.heads(roomId))
    expect(await b.stateOf(roomId)).toEqual(await a.stateOf(roomId))
  })
})

describe('a ban on which the join of a server stands', () => {
  it('is no news, though it comes late', async () => {
    const roomId = await a.createRoom(ALICE)
    await a.send(ALICE, roomId, 'old')
    network.fault = ({ path }) => (path.includes('/send/') ? 'status-500' : undefined)
    const ban = await a.state(ALICE, roomId, 'm.room.member', '@other:b.example', { membership: 'ban' })
    await b.join(BOB, roomId, 'a.example')
    network.fault = () => undefined
    await a.send(ALICE, roomId, 'new')
    await until(async () => (await b.context.events.byId(ban))?.outlier === false)
    await until(async () => (await bodiesOf(b, roomId)).includes('new'))
    expect(await b.context.events.byId(ban)).toMatchObject({ pos: undefined, rejected: undefined })
    expect((await b.stateOf(roomId)).get('m.room.member|@other:b.example')).toBe(ban)
    expect(await b.heads(roomId)).toEqual(await a.heads(roomId))
  })
})

describe('what was said while a server was away', () => {
  it('is no news when it has come back and has fetched the last of it', async () => {
    const roomId = await a.createRoom(ALICE)
    await c.join(CAROL, roomId, 'a.example')
    await b.join(BOB, roomId, 'a.example')
    await a.send(ALICE, roomId, 'heard')
    await until(async () => (await bodiesOf(b, roomId)).includes('heard'))
    const left = await b.state(BOB, roomId, 'm.room.member', BOB, { membership: 'leave' })
    await until(async () => (await a.context.events.byId(left)) !== undefined)
    for (let i = 0; i < 5; i++) await a.send(ALICE, roomId, `away ${i}`)
    await until(async () => (await bodiesOf(c, roomId)).length === 6)
    network.down.add('c.example')
    const last = await a.send(ALICE, roomId, 'the last')
    await b.join(BOB, roomId, 'a.example')
    const { signal } = new AbortController()
    expect(await b.replication.backfill.place(roomId, last, ['a.example'], signal)).toBe(true)
    await c.send(CAROL, roomId, 'beside the last')
    network.down.delete('c.example')
    await until(async () => (await bodiesOf(a, roomId)).includes('beside the last'))
    await a.send(ALICE, roomId, 'together')
    await until(async () => (await bodiesOf(b, roomId)).includes('together'))
    const seen = await bodiesOf(b, roomId)
    expect(seen.filter((body) => body.startsWith('away'))).toEqual([])
    expect(seen).toContain('heard')
    expect(await b.heads(roomId)).toEqual(await a.heads(roomId))
    expect(await b.stateOf(roomId)).toEqual(await a.stateOf(roomId))
  })
})

describe('an event that stands on one from before a server came', () => {
  it('is judged by what both lead to; the old one is history', async () => {
    const roomId = await a.createRoom(ALICE)
    await c.join(CAROL, roomId, 'a.example')
    await until(async () => (await c.heads(roomId)).join() === (await a.heads(roomId)).join())
    network.down.add('c.example')
    await c.send(CAROL, roomId, 'early, and unheard')
    const [early] = await c.heads(roomId)
    for (let i = 0; i < 5; i++) await a.send(ALICE, roomId, `before ${i}`)
    await b.join(BOB, roomId, 'a.example')
    // C learns what has happened, and nobody else learns what it has said.
    network.down.delete('c.example')
    network.fault = ({ path }, from) => (from === 'c.example' && path.includes('/send/') ? 'status-500' : undefined) // prettier-ignore
    await until(async () => (await c.heads(roomId)).length === 2 && (await c.stateOf(roomId)).has(`m.room.member|${BOB}`)) // prettier-ignore
    network.fault = (request, from) =>
      from === 'c.example' && request.destination === 'a.example' ? 'status-500' : undefined
    const last = await c.send(CAROL, roomId, 'on both')
    await until(async () => (await bodiesOf(b, roomId)).includes('on both'))
    expect(await bodiesOf(b, roomId)).toEqual(['on both'])
    const [old, both] = [await b.context.events.byId(early!), await b.context.events.byId(last)]
    expect(old).toMatchObject({ outlier: false, pos: undefined })
    expect(both!.event.prevEvents).toContain(early)
    expect(network.log).toContain('GET b.example→c.example /event')
    expect(await b.heads(roomId)).toEqual([last])
  })
})

describe('a redaction', () => {
  it('counts by the state before it, whatever has happened beside it', async () => {
    const roomId = await a.createRoom(ALICE, {
      preset: 'public_chat',
      room_version: '11',
      power_level_content_override: { users: { [ALICE]: 100, [BOB]: 50 } },
    })
    await b.join(BOB, roomId, 'a.example')
    const said = await a.send(ALICE, roomId, 'to be redacted')
    await until(async () => (await bodiesOf(b, roomId)).length === 1)
    network.down.add('b.example')
    const draft = { type: 'm.room.redaction', sender: BOB, content: { redacts: said }, redacts: said }
    await b.context.writer.write(roomId, (room) => addLocalEvent(room, draft, b.context.local))
    await a.state(ALICE, roomId, 'm.room.power_levels', '', { users: { [ALICE]: 100 } })
    network.down.clear()
    const isRedacted = async (node: TestNode): Promise<boolean> =>
      (await node.context.events.byId(said))!.redactedBy !== undefined
    await until(async () => (await a.heads(roomId)).length === 2)
    expect([await isRedacted(a), await isRedacted(b)]).toEqual([true, true])
  })
})
