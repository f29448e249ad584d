import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { testServices, type TestServices } from '../../composition/testing.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import { addLocalEvent } from '../rooms/add-local-event.js'
import type { Requester } from '../requester.js'

/* oxlint-disable typescript/no-explicit-any */

let test: TestServices
let alice: Requester
let bob: Requester
let carol: Requester
beforeAll(async () => {
  test = await testServices()
  alice = await test.user('alice')
  bob = await test.user('bob')
  carol = await test.user('carol')
})
afterAll(() => test.close())

async function room(...members: Requester[]): Promise<string> {
  const created = await test.services.roomCreation.create(alice, { preset: 'public_chat' })
  for (const member of members) await join(member, created.room_id)
  return created.room_id
}
const join = (who: Requester, room: string): Promise<unknown> =>
  test.services.memberships.join(who, { room, via: [], content: {} })

let txn = 0
async function send(
  who: Requester,
  roomId: string,
  content: JsonObject,
  type = 'm.room.message',
): Promise<string> {
  const sent = await test.services.sending.message(who, { roomId, type, content, txnId: `t${++txn}` })
  return sent.event_id
}
const text = (who: Requester, roomId: string, body: string): Promise<string> =>
  send(who, roomId, { msgtype: 'm.text', body })
const related = (
  who: Requester,
  roomId: string,
  relType: string,
  parent: string,
  extra: JsonObject = {},
  type?: string,
): Promise<string> =>
  send(who, roomId, { body: 'x', ...extra, 'm.relates_to': { rel_type: relType, event_id: parent } }, type)
const edit = (who: Requester, roomId: string, parent: string, body: string, type?: string): Promise<string> =>
  related(who, roomId, 'm.replace', parent, { 'm.new_content': { body } }, type)
const redact = (who: Requester, roomId: string, eventId: string): Promise<unknown> =>
  test.services.sending.redact(who, { roomId, eventId, txnId: `t${++txn}`, reason: undefined, extra: {} })
const setIgnored = (who: Requester, users: readonly string[]): Promise<void> =>
  test.services.accountData.set(who.userId, '', 'm.ignored_user_list', {
    ignored_users: Object.fromEntries(users.map((id): [string, Json] => [id, {}])),
  })

async function relationsOf(who: Requester, roomId: string, eventId: string): Promise<any> {
  const event: any = await test.services.history.event(who, roomId, eventId)
  return event.unsigned['m.relations']
}
const ids = (chunk: any): string[] => chunk.map((event: any) => event.event_id)
const relating = (who: Requester, roomId: string, eventId: string, more: object = {}): Promise<any> =>
  test.services.relations.relating.page(who, { roomId, eventId, dir: 'b', ...more })
const threads = (who: Requester, roomId: string, more: object = {}): Promise<any> =>
  test.services.relations.threads.page(who, { roomId, include: 'all', ...more })

describe('the latest edit', () => {
  it('is bundled with the original, whose content stays as it was', async () => {
    const roomId = await room(bob)
    const original = await text(alice, roomId, 'first')
    await edit(alice, roomId, original, 'second')
    const last = await edit(alice, roomId, original, 'third')
    const event: any = await test.services.history.event(bob, roomId, original)
    expect(event.content).toEqual({ msgtype: 'm.text', body: 'first' })
    expect(event.unsigned['m.relations']).toMatchObject({
      'm.replace': { event_id: last, sender: alice.userId, content: { 'm.new_content': { body: 'third' } } },
    })
  })

  it('by somebody else, of another type, without new content, or of an edit does not count', async () => {
    const roomId = await room(bob)
    const original = await text(alice, roomId, 'mine')
    await edit(bob, roomId, original, 'not yours')
    await edit(alice, roomId, original, 'another type', 'm.sticker')
    await related(alice, roomId, 'm.replace', original)
    expect(await relationsOf(alice, roomId, original)).toBeUndefined()
    const first = await edit(alice, roomId, original, 'an edit')
    await edit(alice, roomId, first, 'an edit of an edit')
    expect(await relationsOf(alice, roomId, first)).toBeUndefined()
    expect((await relationsOf(alice, roomId, original))['m.replace'].event_id).toBe(first)
  })

  it('of an encrypted event is known by what stands in the clear', async () => {
    const roomId = await room()
    const original = await send(alice, roomId, { algorithm: 'm.megolm', ciphertext: 'a' }, 'm.room.encrypted')
    const last = await related(alice, roomId, 'm.replace', original, { ciphertext: 'b' }, 'm.room.encrypted')
    expect((await relationsOf(alice, roomId, original))['m.replace'].event_id).toBe(last)
  })

  it('gives way to the one before when it is redacted, and to none when the original is', async () => {
    const roomId = await room()
    const original = await text(alice, roomId, 'a')
    const first = await edit(alice, roomId, original, 'b')
    const second = await edit(alice, roomId, original, 'c')
    await redact(alice, roomId, second)
    expect((await relationsOf(alice, roomId, original))['m.replace'].event_id).toBe(first)
    await redact(alice, roomId, original)
    expect(await relationsOf(alice, roomId, original)).toBeUndefined()
  })

  it('that came after somebody left is not shown to them; the one before is', async () => {
    const roomId = await room(bob)
    const original = await text(alice, roomId, 'a')
    const seen = await edit(alice, roomId, original, 'b')
    await test.services.memberships.leave(bob, { roomId })
    await edit(alice, roomId, original, 'secret')
    expect((await relationsOf(bob, roomId, original))['m.replace'].event_id).toBe(seen)
  })
})

describe('a reaction', () => {
  const react = (
    who: Requester,
    roomId: string,
    parent: string,
    key: string,
    type = 'm.reaction',
  ): Promise<string> =>
    send(who, roomId, { 'm.relates_to': { rel_type: 'm.annotation', event_id: parent, key } }, type)

  it('is sent once by each user, until it is redacted', async () => {
    const roomId = await room(bob)
    const parent = await text(alice, roomId, 'a')
    const first = await react(alice, roomId, parent, '+')
    await react(alice, roomId, parent, '-')
    await react(bob, roomId, parent, '+')
    await react(alice, roomId, parent, '+', 'org.example.reaction')
    const twice = { errcode: 'M_DUPLICATE_ANNOTATION', status: 400 }
    await expect(react(alice, roomId, parent, '+')).rejects.toMatchObject(twice)
    await redact(alice, roomId, first)
    const results = await Promise.allSettled([1, 2, 3].map(() => react(alice, roomId, parent, '+')))
    expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected', 'rejected'])
  })
})

describe('references', () => {
  it('are listed by id, without those of ignored users', async () => {
    const roomId = await room(bob)
    const parent = await text(alice, roomId, 'verify me')
    const one = await related(alice, roomId, 'm.reference', parent)
    const two = await related(bob, roomId, 'm.reference', parent)
    expect(await relationsOf(alice, roomId, parent)).toEqual({
      'm.reference': { chunk: [{ event_id: one }, { event_id: two }] },
    })
    await setIgnored(alice, [bob.userId])
    expect((await relationsOf(alice, roomId, parent))['m.reference'].chunk).toEqual([{ event_id: one }])
    await setIgnored(alice, [])
  })
})

describe('a thread', () => {
  it('is summed up with its root: latest event, its own edits, count, who takes part', async () => {
    const roomId = await room(bob, carol)
    const root = await text(alice, roomId, 'root')
    await related(bob, roomId, 'm.thread', root)
    const last = await related(bob, roomId, 'm.thread', root)
    const change = await edit(bob, roomId, last, 'better')
    const summary = (await relationsOf(carol, roomId, root))['m.thread']
    expect(summary).toMatchObject({
      count: 2,
      current_user_participated: false,
      latest_event: { event_id: last },
    })
    expect(summary.latest_event.unsigned['m.relations']['m.replace'].event_id).toBe(change)
    expect((await relationsOf(alice, roomId, root))['m.thread'].current_user_participated).toBe(true)
    expect((await relationsOf(bob, roomId, root))['m.thread'].current_user_participated).toBe(true)
  })

  it('shrinks when one of its events is redacted, and is gone with the last', async () => {
    const roomId = await room(bob)
    const root = await text(alice, roomId, 'root')
    const first = await related(bob, roomId, 'm.thread', root)
    const second = await related(alice, roomId, 'm.thread', root)
    await redact(alice, roomId, second)
    expect((await relationsOf(bob, roomId, root))['m.thread']).toMatchObject({
      count: 1,
      latest_event: { event_id: first },
    })
    await redact(alice, roomId, first)
    expect(await relationsOf(bob, roomId, root)).toBeUndefined()
    expect((await threads(bob, roomId)).chunk).toEqual([])
  })

  it('outlives the redaction of its root', async () => {
    const roomId = await room(bob)
    const root = await text(alice, roomId, 'root')
    await related(bob, roomId, 'm.thread', root)
    await redact(alice, roomId, root)
    expect((await relationsOf(bob, roomId, root))['m.thread'].count).toBe(1)
  })

  it('does not count ignored users, nor show what they said', async () => {
    const roomId = await room(bob)
    const root = await text(alice, roomId, 'root')
    const mine = await related(alice, roomId, 'm.thread', root)
    await related(bob, roomId, 'm.thread', root)
    const theirs = await text(alice, roomId, 'theirs')
    await related(bob, roomId, 'm.thread', theirs)
    await setIgnored(alice, [bob.userId])
    expect((await relationsOf(alice, roomId, root))['m.thread']).toMatchObject({
      count: 1,
      latest_event: { event_id: mine },
    })
    expect(await relationsOf(alice, roomId, theirs)).toBeUndefined()
    expect(ids((await threads(alice, roomId)).chunk)).toEqual([root])
    await setIgnored(alice, [])
  })

  it('cannot start at an event that relates to another, by a client of ours', async () => {
    const roomId = await room()
    const parent = await text(alice, roomId, 'a')
    const child = await related(alice, roomId, 'm.reference', parent)
    await expect(related(alice, roomId, 'm.thread', child)).rejects.toMatchObject({
      errcode: 'M_UNKNOWN',
      status: 400,
    })
  })

  it('is no thread upon an event that relates to another, which another server may send', async () => {
    const roomId = await room()
    const parent = await text(alice, roomId, 'a')
    const child = await related(alice, roomId, 'm.annotation', parent, {}, 'm.reaction')
    const { context } = test.built.rooms
    const content = { 'm.relates_to': { rel_type: 'm.thread', event_id: child } }
    const draft = { type: 'm.room.message', sender: alice.userId, content }
    await context.writer.write(roomId, (working) => addLocalEvent(working, draft, context.local))
    expect(await relationsOf(alice, roomId, child)).toBeUndefined()
    expect((await threads(alice, roomId)).chunk).toEqual([])
  })

  it('shows to who has left what was said before', async () => {
    const roomId = await room(bob)
    const root = await text(alice, roomId, 'root')
    const seen = await related(alice, roomId, 'm.thread', root)
    await test.services.memberships.leave(bob, { roomId })
    for (let i = 0; i < 12; i++) await related(alice, roomId, 'm.thread', root)
    expect((await relationsOf(bob, roomId, root))['m.thread']).toMatchObject({
      count: 1,
      latest_event: { event_id: seen },
    })
  })
})

describe('GET /threads', () => {
  it('lists roots by their latest event, in pages, and those with own messages alone', async () => {
    const roomId = await room(bob)
    const roots: string[] = []
    for (let i = 0; i < 5; i++) roots.push(await text(alice, roomId, `root ${i}`))
    for (const root of roots) await related(alice, roomId, 'm.thread', root)
    await related(bob, roomId, 'm.thread', roots[1]!)
    const order = [roots[1]!, roots[4]!, roots[3]!, roots[2]!, roots[0]!]
    const first = await threads(bob, roomId, { limit: 2 })
    expect(ids(first.chunk)).toEqual(order.slice(0, 2))
    expect(first.chunk[0].unsigned['m.relations']['m.thread'].count).toBe(2)
    const second = await threads(bob, roomId, { limit: 2, from: first.next_batch })
    expect(ids(second.chunk)).toEqual(order.slice(2, 4))
    const third = await threads(bob, roomId, { limit: 2, from: second.next_batch })
    expect(ids(third.chunk)).toEqual(order.slice(4))
    expect(third.next_batch).toBeUndefined()
    expect(ids((await threads(bob, roomId, { include: 'participated' })).chunk)).toEqual([roots[1]])
    expect(ids((await threads(alice, roomId, { include: 'participated' })).chunk)).toEqual(order)
  })

  it('gives the root of an ignored user redacted', async () => {
    const roomId = await room(bob)
    const root = await text(bob, roomId, 'nonsense')
    await related(alice, roomId, 'm.thread', root)
    await setIgnored(alice, [bob.userId])
    const { chunk } = await threads(alice, roomId)
    expect(chunk).toMatchObject([{ event_id: root, content: {} }])
    await setIgnored(alice, [])
  })

  it('is for those in the room, and takes its own tokens', async () => {
    const { room_id: roomId } = await test.services.roomCreation.create(alice, { preset: 'private_chat' })
    await expect(threads(carol, roomId)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await expect(threads(carol, '!none:ours.example')).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await expect(threads(alice, roomId, { from: 'x' })).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
    await expect(threads(alice, roomId, { from: 's1_1_0_0' })).rejects.toMatchObject({
      errcode: 'M_INVALID_PARAM',
    })
  })
})

describe('GET /relations', () => {
  it('gives children newest first or oldest first, in pages, by type of relation and of event', async () => {
    const roomId = await room(bob)
    const parent = await text(alice, roomId, 'parent')
    const a = await related(bob, roomId, 'm.annotation', parent, {}, 'm.reaction')
    const b = await related(bob, roomId, 'm.thread', parent)
    const c = await related(alice, roomId, 'm.thread', parent, {}, 'm.sticker')
    expect(ids((await relating(alice, roomId, parent)).chunk)).toEqual([c, b, a])
    expect(ids((await relating(alice, roomId, parent, { dir: 'f' })).chunk)).toEqual([a, b, c])
    expect(ids((await relating(alice, roomId, parent, { relType: 'm.thread' })).chunk)).toEqual([c, b])
    const narrow = { relType: 'm.thread', type: 'm.sticker' }
    expect(ids((await relating(alice, roomId, parent, narrow)).chunk)).toEqual([c])
    for (const [dir, order] of [
      ['b', [c, b, a]],
      ['f', [a, b, c]],
    ] as const) {
      // prettier-ignore
      const first = await relating(alice, roomId, parent, { dir, limit: 2 })
      expect(ids(first.chunk)).toEqual(order.slice(0, 2))
      expect(first.prev_batch).toBeUndefined()
      const second = await relating(alice, roomId, parent, { dir, limit: 2, from: first.next_batch })
      expect(ids(second.chunk)).toEqual(order.slice(2))
      expect(second.next_batch).toBeUndefined()
      const upTo = await relating(alice, roomId, parent, { dir, to: first.next_batch })
      expect(ids(upTo.chunk)).toEqual(order.slice(0, 2))
    }
  })

  it('takes the tokens of /messages and /sync', async () => {
    const roomId = await room()
    const parent = await text(alice, roomId, 'parent')
    const early = await related(alice, roomId, 'm.thread', parent)
    const { next_batch: since } = await test.sync(alice)
    const { start }: any = await test.services.history.messages(alice, { roomId, dir: 'b', from: since })
    await related(alice, roomId, 'm.thread', parent)
    for (const from of [since, start]) {
      expect(ids((await relating(alice, roomId, parent, { from })).chunk)).toEqual([early])
    }
  })

  it('follows relations of relations over three levels, through what is asked for only', async () => {
    const roomId = await room()
    const parent = await text(alice, roomId, 'parent')
    const one = await related(alice, roomId, 'm.thread', parent)
    const two = await related(alice, roomId, 'm.annotation', one, {}, 'm.reaction')
    const three = await related(alice, roomId, 'm.reference', two)
    const four = await related(alice, roomId, 'm.reference', three)
    const all = await relating(alice, roomId, parent, { recurse: true })
    expect(ids(all.chunk)).toEqual([three, two, one])
    expect(all.recursion_depth).toBe(3)
    expect(ids(all.chunk)).not.toContain(four)
    const page = await relating(alice, roomId, parent, { recurse: true, dir: 'f', limit: 2 })
    expect(ids(page.chunk)).toEqual([one, two])
    const rest = await relating(alice, roomId, parent, {
      recurse: true,
      dir: 'f',
      limit: 2,
      from: page.next_batch,
    })
    expect(ids(rest.chunk)).toEqual([three])
    expect(
      ids((await relating(alice, roomId, parent, { recurse: true, relType: 'm.thread' })).chunk),
    ).toEqual([one])
    const plain = await relating(alice, roomId, parent)
    expect(ids(plain.chunk)).toEqual([one])
    expect('recursion_depth' in plain).toBe(false)
  })

  it('does not turn in a circle', async () => {
    const roomId = await room()
    const parent = await text(alice, roomId, 'parent')
    const child = await related(alice, roomId, 'm.thread', parent)
    const again = await related(alice, roomId, 'm.reference', child)
    await related(alice, roomId, 'm.reference', again)
    expect((await relating(alice, roomId, parent, { recurse: true })).chunk).toHaveLength(3)
  })

  it('leaves out ignored users and what was redacted', async () => {
    const roomId = await room(bob)
    const parent = await text(alice, roomId, 'parent')
    const mine = await related(alice, roomId, 'm.thread', parent)
    const gone = await related(alice, roomId, 'm.thread', parent)
    await related(bob, roomId, 'm.thread', parent)
    await redact(alice, roomId, gone)
    await setIgnored(alice, [bob.userId])
    expect(ids((await relating(alice, roomId, parent, { limit: 1 })).chunk)).toEqual([mine])
    await setIgnored(alice, [])
  })

  it('does not take events of another room for children', async () => {
    const [here, there] = [await room(), await room()]
    const parent = await text(alice, here, 'parent')
    await related(alice, there, 'm.thread', parent)
    await edit(alice, there, parent, 'from elsewhere')
    expect((await relating(alice, here, parent)).chunk).toEqual([])
    expect(await relationsOf(alice, here, parent)).toBeUndefined()
    await expect(relating(alice, there, parent)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
  })

  it('tells rooms and events that one may not see like those that are not there', async () => {
    const { room_id: roomId } = await test.services.roomCreation.create(alice, { preset: 'private_chat' })
    const parent = await text(alice, roomId, 'secret')
    const unknown = { errcode: 'M_NOT_FOUND', message: 'Unknown event' }
    await expect(relating(carol, roomId, parent)).rejects.toMatchObject(unknown)
    await expect(relating(carol, '!none:ours.example', parent)).rejects.toMatchObject(unknown)
    await expect(relating(alice, roomId, '$none')).rejects.toMatchObject(unknown)
    await expect(relating(alice, roomId, parent, { from: 'nonsense' })).rejects.toMatchObject({
      errcode: 'M_INVALID_PARAM',
    })
  })

  it('shows to who has left nothing that came later', async () => {
    const roomId = await room(bob)
    const parent = await text(alice, roomId, 'parent')
    const seen = await related(alice, roomId, 'm.thread', parent)
    await test.services.memberships.leave(bob, { roomId })
    await related(alice, roomId, 'm.thread', parent)
    for (const dir of ['b', 'f'])
      expect(ids((await relating(bob, roomId, parent, { dir })).chunk)).toEqual([seen])
  })
})

describe('a page of events', () => {
  it('is told with what relates to them by /messages, /context, /threads and a limited /sync', async () => {
    const roomId = await room()
    const parent = await text(alice, roomId, 'parent')
    const change = await edit(alice, roomId, parent, 'changed')
    const { chunk }: any = await test.services.history.messages(alice, { roomId, dir: 'b' })
    const of = (list: any[]): any => list.find((event) => event.event_id === parent).unsigned['m.relations']
    expect(of(chunk)['m.replace'].event_id).toBe(change)
    const context: any = await test.services.history.context(alice, { roomId, eventId: change, limit: 4 })
    expect(of(context.events_before)['m.replace'].event_id).toBe(change)
    const synced = await test.sync(alice, { filter: { room: { timeline: { limit: 3 } } } })
    const { timeline } = synced.rooms.join[roomId]
    expect(timeline.limited).toBe(true)
    expect(of(timeline.events)['m.replace'].event_id).toBe(change)
  })

  it('costs as many queries for 100 events with edits, threads and references as for 10', async () => {
    const roomId = await room(bob)
    const parents = await Promise.all(Array.from({ length: 100 }, (_, i) => text(alice, roomId, `p${i}`)))
    await Promise.all(
      parents.map(async (parent) => {
        await edit(alice, roomId, parent, 'edited')
        const reply = await related(bob, roomId, 'm.thread', parent)
        await edit(bob, roomId, reply, 'edited')
        await related(bob, roomId, 'm.reference', parent)
      }),
    )
    const queries = async (limit: number): Promise<number> => {
      const { services, rooms } = await test.restarted()
      const loaded = await rooms.context.events.byIds(parents.slice(0, limit))
      const { accessOf } = await import('../timeline/room-access.js')
      const access = await accessOf(rooms.context, alice, roomId)
      // What is asked of the state before is not counted.
      for (const event of loaded.values()) await access.reader.mayRead(event)
      let asked = 0
      test.store.delay(() => {
        asked++
        return Promise.resolve()
      })
      const found = await services.relations.aggregations.of([...loaded.values()], alice, access)
      expect(found.size).toBe(limit)
      for (const own of found.values())
        expect(Object.keys(own)).toEqual(['m.replace', 'm.thread', 'm.reference'])
      test.store.delay(undefined)
      return asked
    }
    const few = await queries(10)
    expect(await queries(100)).toBeLessThanOrEqual(few + 2)
    expect(few).toBeLessThan(20)
  })

  it('leaves out of /messages what ignored users said, not what they decided', async () => {
    const roomId = await room(bob)
    await text(bob, roomId, 'noise')
    await setIgnored(alice, [bob.userId])
    const { chunk }: any = await test.services.history.messages(alice, { roomId, dir: 'b', limit: 3 })
    expect(chunk[0]).toMatchObject({ type: 'm.room.member', state_key: bob.userId })
    await setIgnored(alice, [])
  })
})
