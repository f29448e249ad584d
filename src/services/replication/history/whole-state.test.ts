import { afterEach, beforeEach, expect, it } from '@jest/globals'
import type { JsonObject } from '../../../core/json/value.js'
import { until } from '../../../platform/testing-until.js'
import { readWholeState } from '../../rooms/context.js'
import { addNode, bodiesOf, createNetwork, type Network, type TestNode } from '../testing/network.js'
import { fetchStateBefore } from './fetch-state.js'

const ALICE = '@alice:a.example'
const CAROL = '@carol:c.example'
const CAROLS = `m.room.member|${CAROL}`

let network: Network
let a: TestNode
let b: TestNode
let roomId: string
let last: string

/** A room of A, in which B lacks more than it may fetch one by one, a join from C among it. */
beforeEach(async () => {
  network = createNetwork()
  a = await addNode(network, 'a.example')
  b = await addNode(network, 'b.example', {
    replication: {
      gapFill: { maxEvents: 5 },
      drain: { retry: { initialMs: 5, maxMs: 10 }, maxAttempts: 10 },
    },
  })
  roomId = await a.createRoom(ALICE)
  await b.join('@bob:b.example', roomId, 'a.example')
  await network.settle()
  network.fault = ({ path }) => (path.includes('/send/') ? 'status-500' : undefined)
  const c = await addNode(network, 'c.example')
  await c.join(CAROL, roomId, 'a.example')
  for (let i = 0; i < 10; i++) last = await a.send(ALICE, roomId, `m${i}`)
})
afterEach(() => network.close())

/** What B gets of the state before the last event, by name, and how much it lacks. */
async function got(...servers: string[]): Promise<{ state: string[]; absent: number }> {
  const room = (await b.context.loader.load(roomId))!
  const { context, replication } = b
  const { signal } = new AbortController()
  const fetched = await fetchStateBefore({ context, peers: replication.peers }, room, last, servers, signal)
  const whole = await readWholeState(context, room, fetched!.root)
  const state = whole.map(({ event }) => `${event.type}|${event.stateKey}`).toSorted()
  return { state, absent: fetched!.absent }
}

const names = async (): Promise<string[]> => [...(await a.stateOf(roomId)).keys()].toSorted()

it('a state is known not to be whole while a key of somebody in it cannot be had', async () => {
  b.learnable = new Set(['a.example'])
  const part = (await names()).filter((name) => name !== CAROLS)
  expect(await got('a.example')).toEqual({ state: part, absent: 1 })
  b.learnable = undefined
  expect(await got('a.example')).toEqual({ state: await names(), absent: 0 })
})

it('what a server names and does not give is asked of another', async () => {
  network.nodes.set('a.example', {
    ...a,
    serve: (origin, request) =>
      /\/(event|state)\//.test(request.path)
        ? Promise.reject(new Error('no answer'))
        : a.serve(origin, request),
  })
  expect((await got('a.example')).absent).toBeGreaterThan(0)
  expect(await got('a.example', 'c.example')).toEqual({ state: await names(), absent: 0 })
})

it('an event waits for the whole state before it', async () => {
  b.learnable = new Set(['a.example'])
  const room = (await b.context.loader.load(roomId))!
  const { event } = (await a.context.events.byId(last))!
  const fill = (orPart: boolean) => b.replication.gapFill.fill(room, [event], 'a.example', { orPart })
  expect((await fill(false)).stateBefore.size).toBe(0)
  expect((await fill(true)).stateBefore.size).toBe(1)
  b.learnable = undefined
  expect((await fill(false)).stateBefore.size).toBe(1)
})

it('an event that has waited long is applied although a part of the state before it can be had nowhere', async () => {
  b.learnable = new Set(['a.example'])
  const pdu = (await a.context.events.byId(last))!.event.pdu as JsonObject
  await b.replication.inbound.handleTransaction('a.example', 'x', { pdus: [pdu] })
  await until(async () => (await bodiesOf(b, roomId)).includes('m9'))
  const state = await a.stateOf(roomId)
  state.delete(CAROLS)
  expect(await b.stateOf(roomId)).toEqual(state)
})
