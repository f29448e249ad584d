import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { MatrixError } from '../../../core/errors.js'
import type { JsonObject } from '../../../core/json/value.js'
import { all } from '../../../storage/tx.js'
import { until } from '../../../platform/testing-until.js'
import type { FederationRequest } from '../../federation/client.js'
import { addNode, bodiesOf, createNetwork, type Network, type TestNode } from '../testing/network.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:b.example'
const HOUR = 3_600_000
const OFTEN = { initialMs: 10, maxMs: 50 }

let network: Network
let a: TestNode
let b: TestNode
beforeEach(() => {
  network = createNetwork()
})
afterEach(() => network.close())

/** A tells B nothing by itself from then on. */
async function roomOfBoth(drain: {
  retry: { initialMs: number; maxMs: number }
  maxAttempts?: number
}): Promise<string> {
  a = await addNode(network, 'a.example')
  b = await addNode(network, 'b.example', { replication: { drain } })
  const roomId = await a.createRoom(ALICE)
  await b.join(BOB, roomId, 'a.example')
  await network.settle()
  network.fault = (request) => (request.path.includes('/send/') ? 'status-500' : undefined)
  network.log.length = 0
  network.bodies.length = 0
  return roomId
}

/** A answers these itself, everything else as ever. */
function answering(answers: (request: FederationRequest) => JsonObject | undefined): void {
  network.nodes.set('a.example', {
    ...a,
    serve: (origin, request) => {
      const answer = answers(request)
      return answer === undefined ? a.serve(origin, request) : Promise.resolve(JSON.stringify(answer))
    },
  })
}

const pduOf = async (id: string): Promise<JsonObject> =>
  (await a.context.events.byId(id))!.event.pdu as JsonObject
let transactions = 0
const hand = async (id: string): Promise<unknown> =>
  b.replication.inbound.handleTransaction('a.example', `t${++transactions}`, { pdus: [await pduOf(id)] })
const asked = (what: string): number => network.log.filter((line) => line.endsWith(`/${what}`)).length
const staged = (): Promise<readonly unknown[]> => b.store.read('test', () => all('SELECT * FROM staged_pdus'))

describe('an event whose predecessors its sender does not give', () => {
  it('gets no state at the first attempt, and holds up none that comes after it', async () => {
    const roomId = await roomOfBoth({ retry: { initialMs: HOUR, maxMs: HOUR } })
    answering(({ path }) => (path.includes('get_missing_events') ? { events: [] } : undefined))
    await a.send(ALICE, roomId, 'never given')
    const first = await a.send(ALICE, roomId, 'stands on it')
    await hand(first)
    await b.replication.drain.idle()
    const second = await a.send(ALICE, roomId, 'stands on that')
    await hand(second)
    await b.replication.drain.idle()
    const latest = network.bodies.flatMap((body) => (body?.['latest_events'] as string[] | undefined) ?? [])
    expect(latest).toEqual([first, second])
    expect(asked('state_ids')).toBe(0)
    expect(await bodiesOf(b, roomId)).toEqual([])
    expect(await staged()).toHaveLength(2)
  })

  it('gets it at the second attempt, with the predecessor itself', async () => {
    const roomId = await roomOfBoth({ retry: OFTEN })
    answering(({ path }) => (path.includes('get_missing_events') ? { events: [] } : undefined))
    await a.state(ALICE, roomId, 'm.room.topic', '', { topic: 'unseen' })
    await a.send(ALICE, roomId, 'not pushed')
    await hand(await a.send(ALICE, roomId, 'pushed'))
    await until(async () => (await bodiesOf(b, roomId)).includes('pushed'))
    expect(await bodiesOf(b, roomId)).toEqual(['not pushed', 'pushed'])
    expect(await b.stateOf(roomId)).toEqual(await a.stateOf(roomId))
    expect(await staged()).toEqual([])
  })
})

describe('a short answer about missing events', () => {
  it('is all that a server has: it is not asked again, and what the answer stands on is asked for by its id', async () => {
    const roomId = await roomOfBoth({ retry: { initialMs: HOUR, maxMs: HOUR } })
    await a.state(ALICE, roomId, 'm.room.topic', '', { topic: 'unseen' })
    const edge = await a.send(ALICE, roomId, 'beyond the answer')
    const middle = await a.send(ALICE, roomId, 'the answer')
    const answer = { events: [await pduOf(middle)] }
    const states: unknown[] = []
    answering(({ path, query }) => {
      if (path.includes('/state_ids/')) states.push(query?.['event_id'])
      return path.includes('get_missing_events') ? answer : undefined
    })
    await hand(await a.send(ALICE, roomId, 'pushed'))
    await until(async () => (await bodiesOf(b, roomId)).includes('pushed'))
    expect(await bodiesOf(b, roomId)).toEqual(['beyond the answer', 'the answer', 'pushed'])
    expect(asked('get_missing_events')).toBe(1)
    expect(states).toEqual([edge])
    expect(await b.stateOf(roomId)).toEqual(await a.stateOf(roomId))
  })

  it('gets the state before itself where what it stands on cannot be had', async () => {
    const roomId = await roomOfBoth({ retry: { initialMs: HOUR, maxMs: HOUR } })
    await a.state(ALICE, roomId, 'm.room.topic', '', { topic: 'unseen' })
    const edge = await a.send(ALICE, roomId, 'nowhere any more')
    const middle = await a.send(ALICE, roomId, 'the answer')
    const answer = { events: [await pduOf(middle)] }
    const states: unknown[] = []
    answering(({ path, query }) => {
      if (path.endsWith(`/event/${encodeURIComponent(edge)}`))
        throw new MatrixError('M_NOT_FOUND', 'not here')
      if (path.includes('/state_ids/')) states.push(query?.['event_id'])
      return path.includes('get_missing_events') ? answer : undefined
    })
    await hand(await a.send(ALICE, roomId, 'pushed'))
    await until(async () => (await bodiesOf(b, roomId)).includes('pushed'))
    expect(await bodiesOf(b, roomId)).toEqual(['the answer', 'pushed'])
    expect(states).toEqual([middle])
    expect(await b.stateOf(roomId)).toEqual(await a.stateOf(roomId))
  })
})

describe('what stands on an event that the others have refused, so that nobody gives it or its state', () => {
  it('gets the state before itself in the end', async () => {
    const roomId = await roomOfBoth({ retry: OFTEN, maxAttempts: 20 })
    await a.state(ALICE, roomId, 'm.room.topic', '', { topic: 'unseen' })
    const unknown = await a.send(ALICE, roomId, 'nowhere any more')
    const refused = await a.send(ALICE, roomId, 'refused')
    const middle = await a.send(ALICE, roomId, 'accepted')
    const answer = { events: [await pduOf(refused), await pduOf(middle)] }
    const asked: unknown[] = []
    answering(({ path, query }) => {
      const ofWhat = path.includes('/state_ids/') ? query?.['event_id'] : undefined
      asked.push(ofWhat)
      if (ofWhat === refused || path.endsWith(`/event/${encodeURIComponent(unknown)}`))
        throw new MatrixError('M_NOT_FOUND', 'not here')
      return path.includes('get_missing_events') ? answer : undefined
    })
    await hand(await a.send(ALICE, roomId, 'pushed'))
    await until(async () => (await staged()).length === 0)
    expect(await bodiesOf(b, roomId)).toEqual(['accepted', 'pushed'])
    // As long as there is hope nobody is taken at their word for more than needs be.
    expect(asked.filter((id) => id === refused).length).toBeGreaterThanOrEqual(5)
    expect(asked.indexOf(middle)).toBeGreaterThan(asked.indexOf(refused))
    expect(await b.stateOf(roomId)).toEqual(await a.stateOf(roomId))
  })
})

describe('a state whose auth chain has a link that nobody gives', () => {
  it('is not taken past that link, and what stands on it is not applied', async () => {
    const roomId = await roomOfBoth({ retry: OFTEN, maxAttempts: 3 })
    const before = (await b.stateOf(roomId)).get(`m.room.member|${ALICE}`)
    const names: string[] = []
    for (const displayname of ['A', 'B', 'C'])
      names.push(await a.state(ALICE, roomId, 'm.room.member', ALICE, { membership: 'join', displayname }))
    await a.send(ALICE, roomId, 'beyond the answer')
    const middle = await a.send(ALICE, roomId, 'the answer')
    const answer = { events: [await pduOf(middle)] }
    const hidden = `/event/${encodeURIComponent(names[1]!)}`
    let refused = 0
    answering(({ path }) => {
      if (path.endsWith(hidden)) {
        refused++
        throw new MatrixError('M_NOT_FOUND', 'not here')
      }
      return path.includes('get_missing_events') ? answer : undefined
    })
    await hand(await a.send(ALICE, roomId, 'pushed'))
    await until(async () => (await staged()).length === 0)
    expect(refused).toBeGreaterThan(0)
    expect(asked('state_ids')).toBeGreaterThan(0)
    expect(await bodiesOf(b, roomId)).toEqual([])
    expect((await b.stateOf(roomId)).get(`m.room.member|${ALICE}`)).toBe(before)
  })
})
