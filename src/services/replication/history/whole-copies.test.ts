import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { redact } from '../../../core/event/redact.js'
import type { Pdu, RoomEvent } from '../../../core/event/types.js'
import { canonicalJson } from '../../../core/json/canonical.js'
import type { JsonObject } from '../../../core/json/value.js'
import { until } from '../../../platform/testing-until.js'
import { addLocalEvent } from '../../rooms/add-local-event.js'
import { addNode, bodiesOf, createNetwork, type Network, type TestNode } from '../testing/network.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:b.example'
const CAROL = '@carol:c.example'

let network: Network
let a: TestNode
let b: TestNode
let c: TestNode
let roomId: string
let said: string

/** Alice and Bob have spoken of A and B; Carol comes to C later, and asks B alone for the history. */
beforeEach(async () => {
  network = createNetwork()
  a = await addNode(network, 'a.example')
  b = await addNode(network, 'b.example')
  c = await addNode(network, 'c.example', { replication: { backfill: { maxServers: 1 } } })
  roomId = await a.createRoom(ALICE, { preset: 'public_chat', room_version: '10' })
  for (const name of ['bob', 'ben', 'bill']) await b.join(`@${name}:b.example`, roomId, 'a.example')
  said = await a.send(ALICE, roomId, 'said by Alice')
  await until(async () => (await bodiesOf(b, roomId)).length === 1)
})
afterEach(() => network.close())

/** B gives history, and single events, without what they say. */
function stripping(): void {
  network.nodes.set('b.example', {
    ...b,
    async serve(origin, request) {
      const answer = await b.serve(origin, request)
      if (!/\/(backfill|event|get_missing_events)\//.test(request.path)) return answer
      const { rules } = (await b.context.loader.load(roomId))!
      const stripped = Object.entries(JSON.parse(answer) as Record<string, Pdu[]>).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.map((pdu) => redact(pdu, rules)) : value,
      ])
      return canonicalJson(Object.fromEntries(stripped) as JsonObject, 'lenient')
    },
  })
}

async function scrolledBack(): Promise<RoomEvent> {
  await c.join(CAROL, roomId, 'a.example')
  while ((await c.context.events.byId(said))?.outlier !== false)
    expect(await c.replication.backfill.backfill(roomId, Number.MAX_SAFE_INTEGER, 100)).toBe(true)
  return (await c.context.events.byId(said))!.event
}

const asked = (): string[] => network.log.filter((line) => line.endsWith('/event'))

function redactSaid(node: TestNode, sender: string): Promise<unknown> {
  const draft = { type: 'm.room.redaction', sender, content: {}, redacts: said }
  return node.context.writer.write(roomId, (room) => addLocalEvent(room, draft, node.context.local))
}

it('what one server has stripped of its content comes whole from the server of its author', async () => {
  stripping()
  expect((await scrolledBack()).content).toEqual({ msgtype: 'm.text', body: 'said by Alice' })
  expect(asked()).toContain('GET c.example→a.example /event')
})

it('what no other server gives stays as it came', async () => {
  stripping()
  network.fault = ({ path, destination }) =>
    path.includes('/event/') && destination === 'a.example' ? 'status-500' : undefined
  expect((await scrolledBack()).content).toEqual({})
})

it('what lies in a gap waits while those who may have it whole cannot be asked', async () => {
  await c.join(CAROL, roomId, 'a.example')
  await network.settle()
  network.fault = ({ path, destination }) =>
    destination === 'c.example' ||
    (destination === 'a.example' && /\/(event|get_missing_events)\//.test(path))
      ? 'status-500'
      : undefined
  const first = await a.send(ALICE, roomId, 'unheard by Carol')
  const last = await a.send(ALICE, roomId, 'pushed')
  await until(async () => (await bodiesOf(b, roomId)).includes('pushed'))
  stripping()
  const room = (await c.context.loader.load(roomId))!
  const { event } = (await a.context.events.byId(last))!
  const given = async (orPart: boolean): Promise<unknown[]> => {
    const { events } = await c.replication.gapFill.fill(room, [event], 'b.example', { orPart, waits: () => true }) // prettier-ignore
    return events.map(({ id, content }) => [id, content])
  }
  expect(await given(false)).toEqual([[last, event.content]])
  expect(await given(true)).toEqual([
    [first, {}],
    [last, event.content],
  ])
  network.fault = () => undefined
  expect(await given(false)).toEqual([
    [first, { msgtype: 'm.text', body: 'unheard by Carol' }],
    [last, event.content],
  ])
})

it('what is asked for by its id, because nobody gives the way back to it, comes whole or waits', async () => {
  await c.join(CAROL, roomId, 'a.example')
  await network.settle()
  network.fault = ({ path, destination }) =>
    destination === 'c.example' || path.includes('/get_missing_events/') ? 'status-500' : undefined
  const first = await a.send(ALICE, roomId, 'unheard by Carol')
  const last = await a.send(ALICE, roomId, 'pushed')
  await until(async () => (await bodiesOf(b, roomId)).includes('pushed'))
  stripping()
  const room = (await c.context.loader.load(roomId))!
  const { event } = (await a.context.events.byId(last))!
  const given = async (orPart: boolean): Promise<unknown> => {
    const { events, stateBefore } = await c.replication.gapFill.fill(room, [event], 'b.example', { orPart })
    return { events: events.map(({ id, content }) => [id, content]), states: [...stateBefore.keys()] }
  }
  const whole = { msgtype: 'm.text', body: 'unheard by Carol' }
  expect(await given(false)).toEqual({ events: [[first, whole], [last, event.content]], states: [first] }) // prettier-ignore
  network.fault = ({ path, destination }) =>
    destination === 'c.example' ||
    path.includes('/get_missing_events/') ||
    (destination === 'a.example' && path.includes('/event/'))
      ? 'status-500'
      : undefined
  expect(await given(false)).toEqual({ events: [[last, event.content]], states: [] })
  expect(await given(true)).toEqual({ events: [[first, {}], [last, event.content]], states: [first] }) // prettier-ignore
})

it('what a redaction that counts has taken stays away, and whoever is asked says the same', async () => {
  await a.state(ALICE, roomId, 'm.room.power_levels', '', { users: { [ALICE]: 100, [BOB]: 50 } })
  await until(async () => (await b.heads(roomId)).join() === (await a.heads(roomId)).join())
  await redactSaid(b, BOB)
  await until(async () => (await a.context.events.byId(said))!.redactedBy !== undefined)
  expect((await scrolledBack()).content).toEqual({})
  expect((await c.context.events.byId(said))!.redactedBy).toBeDefined()
})

it('nobody else is asked about what its author has taken back', async () => {
  await redactSaid(a, ALICE)
  await until(async () => (await b.context.events.byId(said))!.redactedBy !== undefined)
  expect((await scrolledBack()).content).toEqual({})
  expect(asked()).toEqual([])
})
