import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { testServices, type TestServices } from '../../composition/testing.js'
import type { JsonObject } from '../../core/json/value.js'
import { all, run } from '../../storage/tx.js'
import type { Requester } from '../requester.js'
import type { SearchInput } from './search.js'

let test: TestServices
let alice: Requester
let bob: Requester
beforeAll(async () => {
  test = await testServices()
  alice = await test.user('alice')
  bob = await test.user('bob')
})
afterAll(() => test.close())

let txn = 0
async function say(who: Requester, roomId: string, body: string, type = 'm.room.message'): Promise<string> {
  const content = { msgtype: 'm.text', body }
  const input = { roomId, type, content, txnId: `t${++txn}` }
  return (await test.services.sending.message(who, input)).event_id
}
async function roomOf(who: Requester, more: object = {}): Promise<string> {
  const { room_id: roomId } = await test.services.roomCreation.create(who, { preset: 'public_chat', ...more })
  return roomId
}
const join = (who: Requester, room: string): Promise<unknown> =>
  test.services.memberships.join(who, { room, via: [] })
const setState = (who: Requester, roomId: string, type: string, content: JsonObject): Promise<unknown> =>
  test.services.sending.state(who, { roomId, type, stateKey: '', content })

interface Answer {
  readonly count: number
  readonly highlights: string[]
  readonly results: { rank: number; result: Record<string, unknown>; context?: Record<string, never> }[]
  readonly state?: Record<string, { type: string }[]>
  readonly groups?: Record<string, Record<string, { results: string[]; next_batch?: string; order: number }>>
  readonly next_batch?: string
}
async function search(who: Requester, term: string, more: Partial<SearchInput> = {}): Promise<Answer> {
  const input: SearchInput = { term, orderBy: 'recent', includeState: false, groupBy: [], ...more }
  return (await test.services.search.search(who, input)) as unknown as Answer
}
const ids = ({ results }: Answer): unknown[] => results.map(({ result }) => result['event_id'])
const found = async (who: Requester, term: string, more: Partial<SearchInput> = {}): Promise<unknown[]> =>
  ids(await search(who, term, more))

describe('what a search finds', () => {
  it('is what has all the words, whatever their case and accents, the latest first', async () => {
    const room = await roomOf(alice)
    const first = await say(alice, room, 'The Café of Zürich')
    const second = await say(alice, room, 'zurich has many a CAFE')
    await say(alice, room, 'Zürich alone')
    const answer = await search(alice, 'café ZÜRICH')
    expect(ids(answer)).toEqual([second, first])
    expect(answer.count).toBe(2)
    expect(answer.highlights.sort()).toEqual(['CAFE', 'Café', 'Zürich', 'zurich'])
    expect(await found(alice, 'caf')).toEqual([])
    expect(await found(alice, '   "" !? ')).toEqual([])
  })

  it('is what has a quoted phrase as it stands, and text without spaces', async () => {
    const room = await roomOf(alice)
    const right = await say(alice, room, 'we meet next monday, early')
    await say(alice, room, 'monday we meet next to it')
    const japanese = await say(alice, room, '会議は東京都で')
    await say(alice, room, '京東')
    expect(await found(alice, '"meet next monday"')).toEqual([right])
    expect(await found(alice, '東京')).toEqual([japanese])
  })

  it('is names and topics too, or only the keys that are asked for', async () => {
    const room = await roomOf(alice, { name: 'Walrus office', topic: 'All about the walrus' })
    const body = await say(alice, room, 'A walrus!')
    expect(await found(alice, 'walrus')).toHaveLength(3)
    expect(await found(alice, 'walrus', { keys: ['content.body'] })).toEqual([body])
    const { results } = await search(alice, 'walrus', { keys: ['content.topic', 'content.name'] })
    expect(new Set(results.map(({ result }) => result['type']))).toEqual(
      new Set(['m.room.name', 'm.room.topic']),
    )
    expect(results).toHaveLength(2)
  })

  it('is not what other types of events say', async () => {
    const room = await roomOf(alice)
    await say(alice, room, 'ocelot', 'org.example.note')
    await setState(alice, room, 'org.example.state', { body: 'ocelot' })
    expect(await found(alice, 'ocelot')).toEqual([])
  })

  it('is ranked: more often in fewer words comes first', async () => {
    const room = await roomOf(alice)
    const long = await say(alice, room, `a gnu ${'and other things '.repeat(20)}`)
    const often = await say(alice, room, 'gnu gnu gnu')
    const once = await say(alice, room, 'one gnu')
    const answer = await search(alice, 'gnu', { orderBy: 'rank' })
    expect(ids(answer)).toEqual([often, once, long])
    const ranks = answer.results.map(({ rank }) => rank)
    expect(ranks).toEqual(ranks.toSorted((a, b) => b - a))
    expect(await found(alice, 'gnu')).toEqual([once, often, long])
  })

  it('can be filtered', async () => {
    const room = await roomOf(alice)
    const other = await roomOf(alice)
    await join(bob, room)
    const hers = await say(alice, room, 'a lynx')
    const his = await say(bob, room, 'my lynx')
    const elsewhere = await say(alice, other, 'that lynx')
    expect(await found(alice, 'lynx', { filter: { rooms: [other] } })).toEqual([elsewhere])
    expect(await found(alice, 'lynx', { filter: { not_rooms: [other] } })).toEqual([his, hers])
    expect(await found(alice, 'lynx', { filter: { senders: [bob.userId] } })).toEqual([his])
    expect(await found(alice, 'lynx', { filter: { types: ['m.room.name'] } })).toEqual([])
    expect(await found(alice, 'lynx', { filter: { rooms: [] } })).toEqual([])
    expect(await found(alice, 'lynx', { filter: { limit: 1 } })).toEqual([elsewhere])
    // Somebody else's room is as one that is not there.
    expect(await found(bob, 'lynx', { filter: { rooms: [other] } })).toEqual([])
  })
})

describe('what a search must not show', () => {
  it('is what was said before somebody came, where that is not shared, and its number', async () => {
    const room = await roomOf(alice, {
      initial_state: [
        { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'joined' } },
      ],
    })
    await say(alice, room, 'marmoset before')
    expect((await search(bob, 'marmoset')).count).toBe(0)
    await join(bob, room)
    const answer = await search(bob, 'marmoset')
    expect([answer.count, answer.highlights, answer.results]).toEqual([0, [], []])
    const seen = await say(alice, room, 'marmoset after')
    expect(await found(bob, 'marmoset')).toEqual([seen])
    expect(await found(alice, 'marmoset')).toHaveLength(2)
  })

  it('is what was said after they left, and all of a room that they forgot', async () => {
    const room = await roomOf(alice)
    await join(bob, room)
    const before = await say(alice, room, 'tapir before')
    await test.services.memberships.leave(bob, { roomId: room })
    await say(alice, room, 'tapir after')
    expect(await found(bob, 'tapir')).toEqual([before])
    await test.services.memberships.forget(bob, room)
    expect(await found(bob, 'tapir')).toEqual([])
  })

  it('is what people say whom they ignore', async () => {
    const room = await roomOf(alice)
    await join(bob, room)
    const eve = await test.user('eve')
    await join(eve, room)
    const his = await say(bob, room, 'an okapi')
    await say(eve, room, 'an okapi')
    await test.services.accountData.set(alice.userId, '', 'm.ignored_user_list', {
      ignored_users: { [eve.userId]: {} },
    })
    expect(await found(alice, 'okapi')).toEqual([his])
    expect((await search(alice, 'okapi')).count).toBe(1)
  })

  it('is what was redacted, indexed or not, and not a word of it stays', async () => {
    const room = await roomOf(alice)
    const redact = (eventId: string): Promise<unknown> =>
      test.services.sending.redact(alice, { roomId: room, eventId, txnId: `r${++txn}`, reason: undefined, extra: {} }) // prettier-ignore
    const early = await say(alice, room, 'a secretbird')
    await redact(early)
    expect(await found(alice, 'secretbird')).toEqual([])
    const late = await say(alice, room, 'a secretbird')
    expect(await found(alice, 'secretbird')).toEqual([late])
    await redact(late)
    const rows = await test.store.read('test', () => all('SELECT 1 FROM search_docs WHERE words LIKE ?', '%secretbird%')) // prettier-ignore
    expect(rows).toEqual([])
    expect(await found(alice, 'secretbird')).toEqual([])
  })

  it('is anything of an encrypted room', async () => {
    const room = await roomOf(alice)
    await say(alice, room, 'a plain numbat')
    expect(await found(alice, 'numbat')).toHaveLength(1)
    await setState(alice, room, 'm.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2' })
    expect(await found(alice, 'numbat')).toEqual([])
  })
})

describe('pages of results', () => {
  it.each(['recent', 'rank'] as const)(
    'have each result once in order of %s, whatever comes meanwhile',
    async (orderBy) => {
      const room = await roomOf(alice)
      await join(bob, room)
      const said: string[] = []
      for (let i = 0; i < 35; i++)
        said.unshift(await say(i % 3 === 0 ? bob : alice, room, `quoll ${orderBy} ${'x '.repeat(i % 7)}`))
      const seen: unknown[] = []
      const more = { orderBy, filter: { limit: 10, rooms: [room] } }
      let answer = await search(alice, 'quoll', more)
      expect(answer.count).toBe(35)
      for (;;) {
        seen.push(...ids(answer))
        if (answer.next_batch === undefined) break
        await say(alice, room, 'quoll quoll quoll')
        answer = await search(alice, 'quoll', { ...more, nextBatch: answer.next_batch })
      }
      expect(new Set(seen).size).toBe(35)
      expect(new Set(seen)).toEqual(new Set(said))
      expect(seen).toHaveLength(35)
      if (orderBy === 'recent') expect(seen).toEqual(said)
    },
  )

  it.each(['recent', 'rank'] as const)('of one group go on within it, by %s', async (orderBy) => {
    const rooms = [await roomOf(alice), await roomOf(alice)]
    const term = `aye${orderBy}`
    const said: string[][] = [[], []]
    for (let i = 0; i < 24; i++)
      said[i % 2]!.unshift(await say(alice, rooms[i % 2]!, `${term} ${'y '.repeat((i * 7) % 11)}`))
    const more = { orderBy, groupBy: ['room_id', 'sender'] as const, filter: { limit: 5 } }
    const first = await search(alice, term, more)
    const groups = first.groups!['room_id']!
    expect(Object.values(first.groups!['sender']!).map(({ results }) => results)).toEqual([ids(first)])
    expect(new Set(Object.values(groups).map(({ order }) => order))).toEqual(new Set([0, 1]))
    for (const [index, room] of rooms.entries()) {
      const group = groups[room]!
      const seen = [...group.results]
      for (let next = group.next_batch; next !== undefined;) {
        const page = await search(alice, term, { ...more, nextBatch: next })
        expect(page.results.every(({ result }) => result['room_id'] === room)).toBe(true)
        seen.push(...(ids(page) as string[]))
        next = page.next_batch
      }
      expect(seen.toSorted()).toEqual(said[index]!.toSorted())
      expect(seen).toHaveLength(12)
    }
  })

  it('go through hundreds of results, and through what the user may not see', async () => {
    const room = await roomOf(alice)
    const count = 700
    await Promise.all(Array.from({ length: count }, () => say(alice, room, 'kakapo')))
    const seen = new Set<unknown>()
    const more = { filter: { limit: 100 } }
    let answer = await search(alice, 'kakapo', more)
    expect(answer.count).toBe(300)
    for (;;) {
      for (const id of ids(answer)) seen.add(id)
      if (answer.next_batch === undefined) break
      answer = await search(alice, 'kakapo', { ...more, nextBatch: answer.next_batch })
    }
    expect(seen.size).toBe(count)
  })

  it('leads nowhere from an empty page alone', async () => {
    const room = await roomOf(alice)
    for (const text of ['takahe', 'a takahe', 'the takahe']) await say(alice, room, text)
    const more = { filter: { limit: 3, rooms: [room] } }
    const last = await search(alice, 'takahe', more)
    expect(last).toMatchObject({ count: 3, results: [{}, {}, {}] })
    const end = await search(alice, 'takahe', { ...more, nextBatch: last.next_batch! })
    expect(end).toMatchObject({ count: last.count, results: [] })
    expect(end.next_batch).toBeUndefined()
  })

  it('are refused for a token of somewhere else', async () => {
    for (const nextBatch of ['', 's1_1_1_1', 'q1_x_0', 'q1_1_0_room_%', 'q1_99999999999999999_0'])
      await expect(search(alice, 'kakapo', { nextBatch })).rejects.toMatchObject({
        errcode: 'M_INVALID_PARAM',
      })
    // A group that one may not see is empty.
    const hidden = await roomOf(alice, { preset: 'private_chat' })
    await say(alice, hidden, 'kakapo')
    const nextBatch = `q1_9007199254740991_0_room_${Buffer.from(hidden).toString('base64url')}`
    expect(await found(alice, 'kakapo', { nextBatch })).toHaveLength(1)
    expect(await found(bob, 'kakapo', { nextBatch })).toEqual([])
  })
})

describe('what comes with results', () => {
  it('is what was said around them, with the names of that time', async () => {
    const room = await roomOf(alice)
    const around: string[] = []
    for (let i = 0; i < 3; i++) around.push(await say(alice, room, `before ${i}`))
    const hit = await say(alice, room, 'a dugong')
    for (let i = 0; i < 3; i++) around.push(await say(alice, room, `after ${i}`))
    const context = { before: 2, after: 1, includeProfile: true }
    const { results } = await search(alice, 'dugong', { context })
    const given = results[0]!.context as unknown as {
      events_before: { event_id: string }[]
      events_after: { event_id: string }[]
      profile_info: Record<string, object>
      start: string
    }
    expect(results[0]!.result['event_id']).toBe(hit)
    expect(given.events_before.map((event) => event.event_id)).toEqual([around[2], around[1]])
    expect(given.events_after.map((event) => event.event_id)).toEqual([around[3]])
    expect(Object.keys(given.profile_info)).toEqual([alice.userId])
    const page = await test.services.history.messages(alice, { roomId: room, dir: 'b', from: given.start, limit: 1 }) // prettier-ignore
    expect((page['chunk'] as JsonObject[])[0]!['event_id']).toBe(around[0])
    expect((await search(alice, 'dugong')).results[0]!.context).toBeUndefined()
  })

  it('is the state of their rooms', async () => {
    const room = await roomOf(alice, { name: 'Zoo' })
    await say(alice, room, 'a potto')
    const { state } = await search(alice, 'potto', { includeState: true })
    expect(Object.keys(state!)).toEqual([room])
    expect(state![room]!.map((event) => event.type)).toContain('m.room.name')
  })
})

describe('the index', () => {
  it('takes in what was here before it, once, and what a crash left waiting', async () => {
    const room = await roomOf(alice)
    const early = await say(alice, room, 'bilby one')
    expect(await found(alice, 'bilby')).toEqual([early])
    // As a database that was upgraded: events, and no index.
    await test.store.write('test', function* () {
      yield* run('DELETE FROM search_docs')
      yield* run(
        `UPDATE background_fills SET done = 0, last = (SELECT MAX(nid) FROM events) WHERE name = 'search'`,
      )
    })
    const late = await say(alice, room, 'bilby two')
    const { services } = await test.restarted()
    while (await services.search.indexer.fill());
    await services.search.indexer.follow()
    expect(await found(alice, 'bilby')).toEqual([late, early])
    expect(await services.search.indexer.fill()).toBe(false)
    expect(await test.store.read('test', () => all('SELECT * FROM search_queue'))).toEqual([])
  })
})
