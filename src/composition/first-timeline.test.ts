import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { buildEvent } from '../core/event/build.js'
import { applyEvent } from '../services/rooms/apply-event.js'
import type { Requester } from '../services/requester.js'
import { testServices, type TestServices } from './testing.js'

let node: TestServices
let alice: Requester
beforeAll(async () => {
  node = await testServices()
  alice = await node.user('alice')
})
afterAll(() => node.close())

let txn = 0
const say = async (roomId: string, type = 'm.room.message'): Promise<string> => {
  const content = { msgtype: 'm.text', body: 'x' }
  return (await node.services.sending.message(alice, { roomId, type, content, txnId: `${++txn}` })).event_id
}

/** A name of the room that was given right after an event and arrives now. */
async function lateName(roomId: string, after: string): Promise<string> {
  const { context } = node.built.rooms
  const before = (await context.events.byId(after))!.event
  const room = (await context.loader.load(roomId))!
  const { event } = await context.writer.write(roomId, (working) =>
    applyEvent(
      working,
      buildEvent(
        {
          type: 'm.room.name',
          stateKey: '',
          sender: alice.userId,
          roomId,
          content: { name: `late ${++txn}` },
          originServerTs: before.originServerTs,
          depth: before.depth + 1,
          prevEvents: [after],
          authEvents: before.authEvents,
        },
        room.rules,
        context.local.signer,
      ),
      { live: true, origin: 'far.example' },
      context.local,
    ),
  )
  return event.id
}

type Ids = readonly { readonly event_id: string }[]
const ids = (events: Ids): string[] => events.map((event) => event.event_id)

/** All that paging back from a timeline shows, oldest first. */
async function before(roomId: string, from: string): Promise<string[]> {
  const input = { roomId, dir: 'b', from, limit: 100, localOnly: true } as const
  const page = await node.services.history.messages(alice, input)
  return ids(page['chunk'] as unknown as Ids).toReversed()
}

describe('the first timeline of a room', () => {
  /** One message, a name that comes late from right after it, two messages of before that, one after it. */
  async function forked(): Promise<{
    roomId: string
    first: string
    old: string[]
    name: string
    last: string
  }> {
    const { room_id: roomId } = await node.services.roomCreation.create(alice, {})
    const first = await say(roomId)
    const old = [await say(roomId), await say(roomId)]
    const name = await lateName(roomId, first)
    return { roomId, first, old, name, last: await say(roomId, 'please.filter.me') }
  }
  const filtered = (limit: number) => ({ room: { timeline: { limit, not_types: ['please.filter.me'] } } })

  it('shows what stands last in the room, and what came late from an old fork as state', async () => {
    const { roomId, old, name } = await forked()
    const { timeline, state } = (await node.sync(alice, { filter: filtered(1) })).rooms.join[roomId]
    expect(ids(timeline.events)).toEqual([old[1]])
    expect(timeline.limited).toBe(true)
    expect(ids(state.events)).toContain(name)
    const earlier = await before(roomId, timeline.prev_batch)
    expect(earlier).toContain(old[0])
    expect(earlier).toContain(name)
    expect(earlier).not.toContain(old[1])
  })

  it('keeps the order of arrival where it shows both sides of the fork, and repeats none of them as state', async () => {
    const { roomId, first, old, name, last } = await forked()
    const { timeline, state } = (await node.sync(alice, { filter: { room: { timeline: { limit: 5 } } } }))
      .rooms.join[roomId]
    expect(ids(timeline.events)).toEqual([first, ...old, name, last])
    expect(ids(state.events)).not.toContain(name)
    expect(await before(roomId, timeline.prev_batch)).not.toContain(first)
  })

  it('loses no event, whatever its limit', async () => {
    const { roomId, last } = await forked()
    const { timeline: whole } = (await node.sync(alice, { filter: { room: { timeline: { limit: 50 } } } }))
      .rooms.join[roomId]
    for (let limit = 1; limit < 12; limit++) {
      const filter = { room: { timeline: { limit } } }
      const { timeline, state } = (await node.sync(alice, { filter })).rooms.join[roomId]
      expect(timeline.events).toHaveLength(Math.min(limit, whole.events.length))
      expect(ids(timeline.events)).toContain(last)
      const all = new Set([...(await before(roomId, timeline.prev_batch)), ...ids(timeline.events)])
      expect(all).toEqual(new Set(ids(whole.events)))
      // Nothing is told twice.
      for (const id of ids(timeline.events)) expect(ids(state.events)).not.toContain(id)
    }
  })

  it('of a client that has been here shows what came since in the order of its arrival', async () => {
    const { roomId, first } = await forked()
    const { next_batch: since } = await node.sync(alice)
    const name = await lateName(roomId, first)
    const filter = { room: { timeline: { limit: 1 } } }
    const { timeline } = (await node.sync(alice, { since, filter })).rooms.join[roomId]
    expect(ids(timeline.events)).toEqual([name])
  })
})
