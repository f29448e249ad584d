import { beforeEach, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../../core/json/value.js'
import { manualClock, type ManualClock } from '../../platform/clock.js'
import { silentLogger } from '../../platform/logger.js'
import { untilPasses } from '../../platform/testing-until.js'
import { createCircleRooms, type CircleRooms, type RoomsQuery } from './circle-rooms.js'
import { testCircle, type TestCircle } from './testing-circle.js'

const OWN = 'own.example'
const name = (n: number): string => `n${String(n).padStart(2, '0')}.example`
const ROOMS = 120

const room = (server: string, n: number, people: number, more: JsonObject = {}): JsonObject => ({
  room_id: `!r${n}:${server}`,
  name: `Room ${n} of ${server}`,
  num_joined_members: people,
  join_rule: 'public',
  world_readable: false,
  guest_can_join: false,
  ...more,
})

let clock: ManualClock
let circle: TestCircle
/** The whole list of each node. */
let lists: Map<string, JsonObject[]>
/** Pages that were asked for: `SERVER SINCE`. */
let asked: string[]
let rooms: CircleRooms

function build(members: readonly string[], waitMs?: number): void {
  clock = manualClock()
  asked = []
  lists = new Map()
  circle = testCircle(Object.fromEntries([OWN, ...members].map((one) => [one, { label: `L ${one}` }])))
  rooms = createCircleRooms({
    clock,
    logger: silentLogger,
    nodes: circle.nodesOf(OWN, clock, waitMs),
    async fetchRemote(server, { limit = 0, since }: RoomsQuery) {
      asked.push(`${server} ${since ?? ''}`)
      const list = lists.get(server)
      // A node that takes the question and never says anything.
      if (list === undefined) return new Promise(() => undefined)
      await Promise.resolve()
      const start = Number(since ?? 0)
      return {
        chunk: list.slice(start, start + limit),
        ...(start + limit < list.length ? { next_batch: String(start + limit) } : {}),
      }
    },
  })
}

const list = (query: Omit<RoomsQuery, 'limit'> = {}, own: readonly JsonObject[] = []): Promise<JsonObject> =>
  rooms.list({ limit: 50, ...query }, own)
const idOf = (entry: JsonObject): string => entry['room_id'] as string
const idsIn = (answer: JsonObject): string[] => (answer['chunk'] as JsonObject[]).map(idOf)

describe('the list of rooms of a circle of 17 nodes of which three are dead', () => {
  const alive = Array.from({ length: 13 }, (_, n) => name(n))
  const own = [room(OWN, 0, 1_000), room(OWN, 1, 0)]
  beforeEach(() => {
    build([...alive, 'dead1.example', 'dead2.example', 'dead3.example'], 20)
    for (const [i, server] of alive.entries())
      lists.set(
        server,
        Array.from({ length: ROOMS }, (_, n) => room(server, n, ((i * ROOMS + n) % 50) + 1)),
      )
  })
  const all = (): string[] =>
    [...own, ...[...lists.values()].flat()]
      .toSorted(
        (a, b) =>
          Number(b['num_joined_members']) - Number(a['num_joined_members']) || (idOf(a) < idOf(b) ? -1 : 1),
      )
      .map(idOf)

  /** The rest of each list comes after its first page. */
  async function wholeLists(): Promise<void> {
    await untilPasses(async () => {
      expect((await list({}, own))['total_room_count_estimate']).toBe(13 * ROOMS + 2)
    })
  }

  it('is there without the dead, and has every room once, by pages in both directions', async () => {
    const first = await list({}, own)
    expect(idsIn(first)[0]).toBe(`!r0:${OWN}`)
    expect(first).not.toHaveProperty('prev_batch')
    await wholeLists()
    const forward: string[] = []
    let last: JsonObject = {}
    for (let since: string | undefined = ''; since !== undefined;) {
      last = await list({ since }, own)
      forward.push(...idsIn(last))
      since = last['next_batch'] as string | undefined
    }
    expect(forward).toEqual(all())
    const backward = idsIn(last)
    for (let since = last['prev_batch'] as string | undefined; since !== undefined;) {
      const page = await list({ since }, own)
      backward.unshift(...idsIn(page))
      since = page['prev_batch'] as string | undefined
    }
    expect(backward).toEqual(all())
  })

  it('has tokens that stay good while rooms come and go, even the room that they name', async () => {
    await wholeLists()
    const first = await list({}, own)
    const gone = idsIn(first).at(-1)!
    for (const [server, entries] of lists)
      lists.set(
        server,
        entries.filter((entry) => entry['room_id'] !== gone),
      )
    clock.advance(30_000)
    await untilPasses(async () => {
      expect((await list({}, own))['total_room_count_estimate']).toBe(13 * ROOMS + 1)
    })
    const second = await list({ since: first['next_batch'] as string }, own)
    expect(idsIn(second)).toEqual(all().slice(49, 99))
  })

  it('is looked for in names, topics and aliases, and by type, on all nodes', async () => {
    await wholeLists()
    lists.set(alive[3]!, [
      room(alive[3]!, 1, 5, { name: 'Zebra' }),
      room(alive[3]!, 2, 4, { topic: 'About ZEBRAS' }),
      room(alive[3]!, 3, 3, { canonical_alias: `#zebra:${alive[3]}`, room_type: 'm.space' }),
    ])
    clock.advance(30_000)
    await untilPasses(async () => expect(idsIn(await list({ term: 'zebra' }))).toHaveLength(3))
    expect(idsIn(await list({ term: 'zebra', roomTypes: ['m.space'] }))).toEqual([`!r3:${alive[3]}`])
    expect(idsIn(await list({ term: 'zebra', roomTypes: [null] }))).toHaveLength(2)
  })

  it('asks nodes again after half a minute, not before, and the dead after a minute', async () => {
    await wholeLists()
    const before = asked.length
    await list()
    expect(asked.slice(before)).toEqual([])
    clock.advance(30_000)
    await list()
    expect(new Set(asked.slice(before).map((line) => line.split(' ')[0]))).toEqual(new Set(alive))
  })
})

describe('a list of rooms', () => {
  const A = 'a.example'
  const B = 'b.example'
  beforeEach(() => build([A, B]))

  it('shows a room that two nodes list once, as the one has it that made it, and knows both', async () => {
    lists.set(A, [room(B, 1, 9, { name: 'A lie' }), room(A, 2, 8)])
    lists.set(B, [room(B, 1, 3, { name: 'The truth' })])
    const { chunk } = (await list()) as { chunk: JsonObject[] }
    expect(chunk.map((entry) => entry['name'])).toEqual([`Room 2 of ${A}`, 'The truth'])
    expect(rooms.serversOf(`!r1:${B}`)).toEqual([A, B])
    expect(rooms.serversOf('!other:a.example')).toEqual([])
  })

  it('says of each room on which node it is, and whose that is', async () => {
    lists.set(A, [room(A, 1, 1)])
    lists.set(B, [])
    expect(await list()).toEqual({
      chunk: [{ ...room(A, 1, 1), 'org.chancery.server': A, 'org.chancery.label': `L ${A}` }],
      total_room_count_estimate: 1,
    })
  })

  it('takes no alias of another node, and nothing that is too long or no picture', async () => {
    const entry = room(A, 1, 1, {
      name: 'n'.repeat(9_000),
      topic: 't'.repeat(9_000),
      canonical_alias: `#minister:${B}`,
      avatar_url: 'https://a.example/picture',
      room_type: 'x'.repeat(300),
    })
    lists.set(A, [entry])
    lists.set(B, [])
    const [shown] = (await list())['chunk'] as JsonObject[]
    expect(shown).toEqual({
      ...room(A, 1, 1),
      name: 'n'.repeat(255),
      topic: 't'.repeat(1_000),
      'org.chancery.server': A,
      'org.chancery.label': `L ${A}`,
    })
  })

  it('takes of a node that gives without end a thousand rooms', async () => {
    lists.set(
      A,
      Array.from({ length: 3_000 }, (_, n) => room(A, n, 1)),
    )
    lists.set(B, [])
    await untilPasses(async () => {
      expect((await list())['total_room_count_estimate']).toBe(1_000)
    })
    expect(asked.filter((line) => line.startsWith(A))).toHaveLength(10)
  })

  it('goes on for ten minutes with what a node has said last', async () => {
    lists.set(A, [room(A, 1, 1)])
    lists.set(B, [])
    await list()
    lists.delete(A)
    clock.advance(599_000)
    expect(idsIn(await list())).toEqual([`!r1:${A}`])
  })

  it.each([
    'p50',
    'c1a5_',
    'c1x5_IXI6YQ',
    'c1a5_bm90IGEgcm9vbQ',
    `c1a${'9'.repeat(30)}_IXI6YQ`,
    'c1a-5_IXI6YQ',
  ])('refuses %s, which is no token of its own', async (since) => {
    lists.set(A, [])
    lists.set(B, [])
    await expect(list({ since })).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
  })
})
