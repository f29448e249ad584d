import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../../../core/json/value.js'
import { missingEvents } from '../../../storage/tables/events.js'
import { all } from '../../../storage/tx.js'
import { addAccepted, prepareLocalEvent } from '../../rooms/local-event.js'
import { addLocalEvent } from '../../rooms/add-local-event.js'
import { readWholeState } from '../../rooms/context.js'
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

async function roomOfBoth(options: Parameters<typeof addNode>[2] = {}): Promise<string> {
  a = await addNode(network, 'a.example')
  b = await addNode(network, 'b.example', options)
  const roomId = await a.createRoom(ALICE)
  await b.join(BOB, roomId, 'a.example')
  await network.settle()
  network.fault = (request) => (request.path.includes('/send/') ? 'status-500' : undefined)
  return roomId
}

async function pduOf(node: TestNode, id: string): Promise<JsonObject> {
  return (await node.context.events.byId(id))!.event.pdu as JsonObject
}

let transactions = 0
const hand = (...pdus: JsonObject[]): Promise<unknown> =>
  b.replication.inbound.handleTransaction('a.example', `t${++transactions}`, { pdus })

const asked = (what: string): number => network.log.filter((line) => line.endsWith(`/${what}`)).length
const staged = (): Promise<readonly unknown[]> => b.store.read('test', () => all('SELECT * FROM staged_pdus'))

describe('the removal of our last user', () => {
  it('takes effect although nobody says any more what lies before it', async () => {
    const roomId = await roomOfBoth()
    await a.send(ALICE, roomId, 'unseen')
    const ban = await a.state(ALICE, roomId, 'm.room.member', BOB, { membership: 'ban' })
    await hand(await pduOf(a, ban))
    const room = (await b.context.loader.load(roomId))!
    await until(async () => (await b.context.rosters.of(room.nid)).local.size === 0)
    expect((await b.stateOf(roomId)).get(`m.room.member|${BOB}`)).toBe(ban)
    expect(asked('state_ids')).toBeGreaterThan(0)
    expect(await staged()).toEqual([])
  })

  it('is not believed of somebody who may not', async () => {
    const roomId = await roomOfBoth()
    network.fault = () => undefined
    const c = await addNode(network, 'c.example')
    await c.join('@carol:c.example', roomId, 'a.example')
    await network.settle()
    await until(async () => (await b.stateOf(roomId)).has('m.room.member|@carol:c.example'))
    network.fault = () => 'status-500'
    const draft = { type: 'm.room.member', sender: '@carol:c.example', stateKey: BOB, content: { membership: 'ban' } } // prettier-ignore
    const ban = await c.context.writer.write(roomId, async (room) => {
      await addLocalEvent(
        room,
        { type: 'm.room.message', sender: '@carol:c.example', content: {} },
        c.context.local,
      )
      const prepared = await prepareLocalEvent(room, draft, c.context.local)
      return addAccepted(room, prepared, {}, c.context.local)
    })
    await b.replication.inbound.handleTransaction('c.example', 'ban', { pdus: [ban.event.pdu as JsonObject] })
    await until(async () => (await staged()).length === 0)
    expect((await b.context.events.byId(ban.event.id))?.rejected).toBe('member.ban.level')
    const room = (await b.context.loader.load(roomId))!
    expect((await b.context.rosters.of(room.nid)).local.size).toBe(1)
  })
})

describe('a gap', () => {
  it('of 500 events is filled with all of them, in order', async () => {
    const roomId = await roomOfBoth()
    let last = ''
    for (let i = 0; i < 501; i++) last = await a.send(ALICE, roomId, `m${i}`)
    await hand(await pduOf(a, last))
    await until(async () => (await bodiesOf(b, roomId)).length === 501)
    expect(await bodiesOf(b, roomId)).toEqual(Array.from({ length: 501 }, (_, i) => `m${i}`))
    expect(await b.heads(roomId)).toEqual([last])
    expect(await b.stateOf(roomId)).toEqual(await a.stateOf(roomId))
    expect(asked('state_ids')).toBe(0)
    expect(await staged()).toEqual([])
  })

  it('that is too long is bridged by the state that a peer gives, and what changed in between is known', async () => {
    const roomId = await roomOfBoth({ replication: { gapFill: { maxEvents: 20 } } })
    for (let i = 0; i < 30; i++) await a.send(ALICE, roomId, `old ${i}`)
    await a.state(ALICE, roomId, 'm.room.topic', '', { topic: 'changed in the gap' })
    const c = await addNode(network, 'c.example')
    await c.join('@carol:c.example', roomId, 'a.example')
    let last = ''
    for (let i = 0; i < 30; i++) last = await a.send(ALICE, roomId, `new ${i}`)
    await hand(await pduOf(a, last))
    await until(async () => (await bodiesOf(b, roomId)).includes('new 29'))
    await network.settle()
    expect(asked('state_ids')).toBeGreaterThan(0)
    expect(await b.stateOf(roomId)).toEqual(await a.stateOf(roomId))
    const room = (await b.context.loader.load(roomId))!
    expect((await b.context.rosters.of(room.nid)).servers.has('c.example')).toBe(true)
    expect(await b.store.read('test', () => missingEvents(room.nid, 10))).not.toEqual([])
    // B's own old head and the new one are both heads until somebody speaks.
    network.fault = () => undefined
    await b.send(BOB, roomId, 'here')
    await until(async () => (await bodiesOf(a, roomId)).includes('here'))
    expect(await b.stateOf(roomId)).toEqual(await a.stateOf(roomId))
  })

  it('is filled by another server of the room when the origin does not help, with garbage or silence', async () => {
    const roomId = await roomOfBoth({ replication: { gapFill: { timeoutMs: 3_000 } } })
    network.fault = () => undefined
    const c = await addNode(network, 'c.example')
    await c.join('@carol:c.example', roomId, 'a.example')
    await network.settle()
    network.down.add('b.example')
    const ids: string[] = []
    for (let i = 0; i < 5; i++) ids.push(await a.send(ALICE, roomId, `m${i}`))
    await until(async () => (await bodiesOf(c, roomId)).length === 5)
    // What A's outbox still holds must not arrive by itself.
    network.fault = ({ path }, from) =>
      from === 'a.example' && path.includes('/send/') ? 'status-500' : undefined
    network.down.delete('b.example')
    let answers = 0
    const real = a
    network.nodes.set('a.example', {
      ...a,
      serve(origin, request) {
        if (request.path.includes('/send/')) return real.serve(origin, request)
        const garbage = [
          '{"events":[1,{},"x"],"pdus":[],"auth_chain":7}',
          '{"events":"no"}',
          '[]',
          '{"events":[]}',
        ]
        return Promise.resolve(garbage[answers++ % garbage.length]!)
      },
    })
    await hand(await pduOf(a, ids.at(-1)!))
    await until(async () => (await bodiesOf(b, roomId)).length === 5)
    expect(answers).toBeGreaterThan(0)
    expect(await bodiesOf(b, roomId)).toEqual(['m0', 'm1', 'm2', 'm3', 'm4'])
  })

  it('that nobody can fill does not hold up the room, and its event is dropped in the end', async () => {
    const roomId = await roomOfBoth({
      replication: {
        gapFill: { timeoutMs: 300 },
        drain: { retry: { initialMs: 10, maxMs: 50 }, maxAttempts: 3 },
      },
    })
    const first = await pduOf(a, await a.send(ALICE, roomId, 'never handed over'))
    const lost = await pduOf(a, await a.send(ALICE, roomId, 'stands on what nobody has'))
    const serve = a.serve.bind(a)
    network.nodes.set('a.example', {
      ...a,
      serve: (origin, request) =>
        request.path.includes('/send/')
          ? serve(origin, request)
          : new Promise((_, reject) => {
              const gone = (): void => reject(request.signal!.reason as Error)
              if (request.signal?.aborted === true) gone()
              request.signal?.addEventListener('abort', gone)
            }),
    })
    await hand(lost)
    await b.send(BOB, roomId, 'the room goes on')
    const other = await b.createRoom(BOB)
    await b.send(BOB, other, 'so do others')
    expect(await bodiesOf(b, roomId)).toEqual(['the room goes on'])
    await until(async () => (await staged()).length === 0)
    expect(await bodiesOf(b, roomId)).toEqual(['the room goes on'])
    // It may come again, with what it stands on.
    await hand(first, lost)
    await until(async () => (await bodiesOf(b, roomId)).length === 3)
  })
})

describe('an event that waits for its next attempt', () => {
  it('is applied as soon as what it stands on comes, and so is what stands on it', async () => {
    const hour = 3_600_000
    const roomId = await roomOfBoth({
      replication: { drain: { retry: { initialMs: hour, maxMs: hour } }, gapFill: { timeoutMs: 200 } },
    })
    const hidden = await pduOf(a, await a.send(ALICE, roomId, 'hidden'))
    const waits = await pduOf(a, await a.send(ALICE, roomId, 'stands on it'))
    const last = await pduOf(a, await a.send(ALICE, roomId, 'stands on that'))
    const honest = network.nodes.get('a.example')!
    network.nodes.set('a.example', { ...a, serve: () => Promise.reject(new Error('no answer')) })
    await hand(waits, last)
    await b.replication.drain.idle()
    expect(await bodiesOf(b, roomId)).toEqual([])
    expect(await staged()).toHaveLength(2)
    await hand(hidden)
    await until(async () => (await bodiesOf(b, roomId)).length === 3)
    expect(await bodiesOf(b, roomId)).toEqual(['hidden', 'stands on it', 'stands on that'])
    network.nodes.set('a.example', honest)
  })
})

describe('missing auth events', () => {
  it('are fetched before an event is judged, so that it is not rejected for them', async () => {
    const roomId = await roomOfBoth()
    const c = await addNode(network, 'c.example')
    await c.join('@carol:c.example', roomId, 'a.example')
    const speech = await c.send('@carol:c.example', roomId, 'hello from c')
    await b.replication.inbound.handleTransaction('c.example', 'x', { pdus: [await pduOf(c, speech)] })
    await until(async () => (await bodiesOf(b, roomId)).length === 1)
    expect((await b.stateOf(roomId)).has('m.room.member|@carol:c.example')).toBe(true)
    expect((await b.context.events.byId(speech))?.rejected).toBeUndefined()
  })

  it('that nobody has make an event wait and go, never be rejected for good', async () => {
    const roomId = await roomOfBoth()
    const id = await a.send(ALICE, roomId, 'x')
    const stored = (await a.context.events.byId(id))!
    const { buildEvent } = await import('../../../core/event/build.js')
    const forged = buildEvent(
      {
        type: 'm.room.message',
        sender: ALICE,
        content: { body: 'on nothing' },
        roomId,
        depth: 9,
        originServerTs: 1,
        prevEvents: stored.event.prevEvents,
        authEvents: [...stored.event.authEvents.slice(1), `$${'A'.repeat(43)}`],
      },
      stored.event.rules,
      { serverName: 'a.example', keyId: a.signer.keyId, sign: a.signer.sign },
    )
    await hand(forged.pdu as JsonObject)
    await until(async () => (await staged()).length === 1)
    await until(async () => (await staged()).length === 0)
    expect(await b.context.events.byId(forged.id)).toBeUndefined()
  })
})

describe('history from before the join', () => {
  async function joinedLate(messages: number): Promise<string> {
    a = await addNode(network, 'a.example')
    b = await addNode(network, 'b.example')
    const roomId = await a.createRoom(ALICE)
    for (let i = 0; i < messages; i++) {
      await a.send(ALICE, roomId, `m${i}`)
      if (i === 20) await a.state(ALICE, roomId, 'm.room.topic', '', { topic: 'early' })
    }
    await a.state(ALICE, roomId, 'm.room.topic', '', { topic: 'late' })
    await b.join(BOB, roomId, 'a.example')
    await network.settle()
    return roomId
  }
  const history = async (roomId: string): Promise<string[]> => {
    const { eventsBefore } = await import('../../../storage/tables/events.js')
    const room = (await b.context.loader.load(roomId))!
    const rows = await b.store.read('test', () => eventsBefore(room.nid, Number.MAX_SAFE_INTEGER, 0, 1_000))
    const events = await b.context.events.revive(rows)
    return events.flatMap(({ event }) =>
      event.type === 'm.room.message' ? [event.content['body'] as string] : [],
    )
  }

  it('comes page by page in its order down to the beginning, and changes nothing now', async () => {
    const roomId = await joinedLate(90)
    const state = await b.stateOf(roomId)
    const pos = await b.store.position()
    expect(await history(roomId)).toEqual([])
    let pages = 0
    while (await b.replication.backfill.backfill(roomId, Number.MAX_SAFE_INTEGER, 30)) pages++
    expect(pages).toBeGreaterThan(2)
    expect(await history(roomId)).toEqual(Array.from({ length: 90 }, (_, i) => `m${89 - i}`))
    expect(await b.stateOf(roomId)).toEqual(state)
    expect(await bodiesOf(b, roomId)).toEqual([])
    expect(await b.store.position()).toBe(pos)
    const room = (await b.context.loader.load(roomId))!
    expect(await b.store.read('test', () => missingEvents(room.nid, 10))).toEqual([])
    // The state of that time, as it was there.
    const before = async (node: TestNode, body: string): Promise<string[]> => {
      const at = (await node.context.loader.load(roomId))!
      const rows = await node.store.read('test', () => all<{ event_id: string }>(`SELECT event_id FROM events WHERE json LIKE ?`, `%"body":"${body}"%`)) // prettier-ignore
      const stored = (await node.context.events.byId(rows[0]!.event_id))!
      const events = await readWholeState(node.context, at, stored.stateBefore!)
      return events.map(({ event }) => event.id).sort()
    }
    for (const body of ['m3', 'm30', 'm89']) expect(await before(b, body)).toEqual(await before(a, body))
    expect(await before(b, 'm3')).not.toEqual(await before(b, 'm30'))
  })

  it('is asked for once for all who wait, and not again for a while when nobody has it', async () => {
    const roomId = await joinedLate(40)
    network.log.length = 0
    const both = await Promise.all([1, 2, 3].map(() => b.replication.backfill.backfill(roomId, 100, 30)))
    expect(both).toEqual([true, true, true])
    expect(asked('backfill')).toBe(1)
    network.down.add('a.example')
    expect(await b.replication.backfill.backfill(roomId, 20, 30)).toBe(false)
    network.down.clear()
    expect(await b.replication.backfill.backfill(roomId, 20, 30)).toBe(false)
    expect(asked('backfill')).toBe(1)
  })

  it('that is forged is not placed', async () => {
    const roomId = await joinedLate(40)
    const real = a
    network.nodes.set('a.example', {
      ...a,
      async serve(origin, request) {
        const answer = await real.serve(origin, request)
        return request.path.includes('/backfill/')
          ? answer.replaceAll('"m39"', '"forged"').replaceAll(/"ed25519:[^"]+":"[^"]{20}/g, '"ed25519:x":"')
          : answer
      },
    })
    expect(await b.replication.backfill.backfill(roomId, 100, 30)).toBe(false)
    expect(await history(roomId)).toEqual([])
  })
})

describe('an event that names an event of another room as its predecessor', () => {
  it('is not placed on the state of that room', async () => {
    const roomId = await roomOfBoth()
    const other = await a.createRoom(ALICE)
    await b.join(BOB, other, 'a.example')
    await network.settle()
    const [head] = await b.heads(other)
    const own = (await a.context.events.byId(await a.send(ALICE, roomId, 'x')))!.event
    const { buildEvent } = await import('../../../core/event/build.js')
    const forged = buildEvent(
      {
        type: 'm.room.message',
        sender: ALICE,
        content: { body: 'from elsewhere' },
        roomId,
        depth: 9,
        originServerTs: 1,
        prevEvents: [head!],
        authEvents: own.authEvents,
      },
      own.rules,
      { serverName: 'a.example', keyId: a.signer.keyId, sign: a.signer.sign },
    )
    await hand(forged.pdu as JsonObject)
    await until(async () => (await staged()).length === 0)
    expect(await b.context.events.byId(forged.id)).toBeUndefined()
    await b.send(BOB, roomId, 'still well')
    expect(await bodiesOf(b, roomId)).toEqual(['still well'])
  })
})
