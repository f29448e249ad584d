import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../../../core/json/value.js'
import { systemClock } from '../../../platform/clock.js'
import { createStickyEvents } from '../../rooms/sticky-events.js'
import { createClientViews } from '../../timeline/client-view.js'
import { createEventByTime, type EventByTime } from '../../timeline/event-by-time.js'
import { createHistory, type History } from '../../timeline/history.js'
import { until } from '../../../platform/testing-until.js'
import { addNode, bodiesOf, createNetwork, type Network, type TestNode } from '../testing/network.js'

/* oxlint-disable typescript/no-explicit-any */

const ALICE = '@alice:a.example'
const BOB = '@bob:b.example'
const viewer = { userId: BOB, deviceId: undefined }
const MESSAGES = 80

let network: Network
let a: TestNode
let b: TestNode
let history: History
let byTime: EventByTime
let roomId: string
/** Ids of Alice's messages, and when she sent them. */
let sent: { readonly id: string; readonly ts: number }[]

/** B has the first ten messages of A, the last one and the one before it, which came with the state; nothing of what lies between. */
beforeEach(async () => {
  network = createNetwork()
  let now = Date.now() - 10_000_000
  const clock = { ...systemClock, now: () => (now += 1_000) }
  a = await addNode(network, 'a.example', { clock })
  b = await addNode(network, 'b.example', { replication: { gapFill: { maxEvents: 1 } } })
  roomId = await a.createRoom(ALICE)
  await b.join(BOB, roomId, 'a.example')
  await network.settle()
  sent = []
  const say = async (): Promise<void> => {
    const id = await a.send(ALICE, roomId, `m${sent.length}`)
    sent.push({ id, ts: (await a.context.events.byId(id))!.event.originServerTs })
  }
  for (let i = 0; i < 10; i++) await say()
  await until(async () => (await bodiesOf(b, roomId)).length === 10)
  network.fault = (request) => (request.path.includes('/send/') ? 'status-500' : undefined)
  while (sent.length < MESSAGES) await say()
  const last = (await a.context.events.byId(sent.at(-1)!.id))!.event.pdu as JsonObject
  await b.replication.inbound.handleTransaction('a.example', 'last', { pdus: [last] })
  await until(async () => (await bodiesOf(b, roomId)).includes(`m${MESSAGES - 1}`))
  expect((await bodiesOf(b, roomId)).length).toBeLessThan(20)
  const { context } = b
  history = createHistory({
    context,
    views: createClientViews({ ...context, sticky: createStickyEvents(context) }),
    aggregations: { of: () => Promise.resolve(new Map()) },
    backfill: (...input) => b.replication.backfill.backfill(...input),
  })
  byTime = createEventByTime({ context, fetch: (...input) => b.replication.fetchByTime.fetch(...input) })
})
afterEach(() => network.close())

/** All messages that B's user pages through. */
async function read(dir: 'f' | 'b', limit: number): Promise<string[]> {
  const ids: string[] = []
  for (let from: string | undefined; ;) {
    const page: any = await history.messages(viewer, { roomId, dir, limit, ...(from && { from }) })
    for (const event of page.chunk) if (event.type === 'm.room.message') ids.push(event.event_id)
    if (page.end === undefined) return dir === 'f' ? ids : ids.reverse()
    from = page.end
  }
}
const all = (): string[] => sent.map((item) => item.id)

describe('a hole in the middle of history', () => {
  it.each([7, 30, 200])('is filled by who pages back through it, %s at a time', async (limit) => {
    expect(await read('b', limit)).toEqual(all())
  })

  it('is filled by who pages forward through it', async () => {
    expect(await read('f', 30)).toEqual(all())
  })

  it('does not keep from what is here when nobody helps', async () => {
    network.down.add('a.example')
    const ids = await read('b', 30)
    expect(ids.slice(0, 10)).toEqual(all().slice(0, 10))
    expect(ids.at(-1)).toBe(sent.at(-1)!.id)
  })
})

describe('the event next to a moment', () => {
  it('is found on another server where history is missing here, and can be read then', async () => {
    const { id, ts } = sent[40]!
    expect(await b.context.events.byId(id)).toBeUndefined()
    expect(await byTime.find(viewer, { roomId, ts: ts - 1, dir: 'f' })).toEqual({
      event_id: id,
      origin_server_ts: ts,
    })
    expect(await history.event(viewer, roomId, id)).toMatchObject({ content: { body: 'm40' } })
    const before = network.log.length
    expect(await byTime.find(viewer, { roomId, ts, dir: 'b' })).toEqual({
      event_id: id,
      origin_server_ts: ts,
    })
    // It is here now: nobody is asked again.
    expect(network.log.slice(before).filter((line) => line.includes('timestamp'))).toEqual([])
  })

  it('is found here without asking where nothing is missing', async () => {
    const [one, two] = [sent[3]!, sent[4]!]
    expect((await byTime.find(viewer, { roomId, ts: one.ts + 1, dir: 'f' })).event_id).toBe(two.id)
    expect((await byTime.find(viewer, { roomId, ts: two.ts - 1, dir: 'b' })).event_id).toBe(one.id)
    expect(network.log.filter((line) => line.includes('timestamp'))).toEqual([])
  })

  it('is the nearest one here when the others say nonsense or nothing', async () => {
    const { ts } = sent[40]!
    network.down.add('a.example')
    expect((await byTime.find(viewer, { roomId, ts, dir: 'f' })).event_id).toBe(sent.at(-2)!.id)
    expect((await byTime.find(viewer, { roomId, ts, dir: 'b' })).event_id).toBe(sent[9]!.id)
  })

  it('is told to nobody outside of the room, user or server, and not where there is none', async () => {
    const outsider = { userId: '@eve:b.example', deviceId: undefined }
    const { ts } = sent[0]!
    await expect(byTime.find(outsider, { roomId, ts, dir: 'f' })).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
    await expect(byTime.find(viewer, { roomId, ts: ts + 1e12, dir: 'f' })).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' }) // prettier-ignore
    const request = { destination: 'a.example', method: 'GET' as const, path: `/_matrix/federation/v1/timestamp_to_event/${encodeURIComponent(roomId)}`, query: { ts, dir: 'f' } } // prettier-ignore
    await expect(a.serve('c.example', request)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    expect(JSON.parse(await a.serve('b.example', request))).toEqual({
      event_id: sent[0]!.id,
      origin_server_ts: ts,
    })
  })
})
