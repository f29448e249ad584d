import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import * as fc from 'fast-check'
import type { Requester } from '../services/requester.js'
import type { Services } from '../services/services.js'
import type { SlidingBody } from '../services/sync/sliding/request.js'
import { followSliding, type SlidingFollower } from '../services/sync/sliding/testing-sliding-follower.js'
import { follow, type KnownRoom } from '../services/sync/testing-follower.js'
import { refusable } from './testing-refusable.js'
import { testServices, type TestServices } from './testing.js'

let node: TestServices
beforeEach(async () => {
  node = await testServices()
})
afterEach(() => node.close())

const SEED = Number(process.env['CHANCERY_SEED'] ?? 4186)

const KINDS = [
  ...['message', 'message', 'message', 'message', 'state', 'state', 'name', 'visibility', 'redact'],
  ...['join', 'join', 'leave', 'invite', 'kick', 'ban', 'unban', 'forget', 'create'],
  ...['read', 'read', 'tag', 'direct', 'global'],
  ...['poll', 'poll', 'poll', 'poll', 'poll', 'lost', 'restart'],
] as const
const small = fc.nat({ max: 6 })
const step = fc.record({ kind: fc.constantFrom(...KINDS), who: small, whom: small, where: small, n: small })
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const EVERYTHING = [['*', '*']] as const
const FEW = [
  ['m.room.name', ''],
  ['m.room.member', '$ME'],
  ['org.example.state', '*'],
] as const
const EXTENSIONS = {
  account_data: { enabled: true },
  receipts: { enabled: true },
  typing: { enabled: true },
} as const

/** What a client asks for from time to time: other ranges, filters, subscriptions, less state, without extensions. */
function bodyOf(n: number, rooms: readonly string[]): SlidingBody {
  const list = (last: number, limit: number, filters?: object): SlidingBody => ({
    lists: {
      all: {
        ranges: [[0, last]],
        timeline_limit: limit,
        required_state: [...(n % 2 === 0 ? EVERYTHING : FEW)],
        ...(filters === undefined ? {} : { filters }),
      },
    },
    ...(n % 3 === 0 ? {} : { extensions: EXTENSIONS }),
  })
  const subscribed = rooms[n % Math.max(1, rooms.length)]
  switch (n) {
    case 0:
      return list(0, 1)
    case 1:
      return list(1, 2)
    case 2:
      return list(9, 1, { is_dm: false })
    case 3:
      return list(9, 3, { not_tags: ['m.favourite'], is_invite: false })
    case 4:
      return {
        ...list(0, 1),
        ...(subscribed === undefined
          ? {}
          : { room_subscriptions: { [subscribed]: { timeline_limit: 5, required_state: [...EVERYTHING] } } }),
      }
    case 5:
      return { extensions: EXTENSIONS }
    default:
      return list(99, 2)
  }
}
const WHOLE: SlidingBody = {
  lists: { all: { ranges: [[0, 99]], timeline_limit: 2, required_state: [...EVERYTHING] } },
  extensions: EXTENSIONS,
}

describe('a client of sliding sync, after whatever happened', () => {
  it('knows what one of /sync knows', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 90 }), fc.nat(), async (steps, seed) => {
        await play(steps, `${seed}`)
      }),
      // The same histories each time; `CHANCERY_SEED` gives others, `SLIDING_RUNS` more.
      { seed: SEED, numRuns: Number(process.env['SLIDING_RUNS'] ?? 6), endOnFailure: true },
    )
  })

  async function play(steps: readonly Step[], run: string): Promise<void> {
    let services: Services = node.services
    const users: Requester[] = []
    for (const name of ['ann', 'ben', 'cid'])
      users.push({ ...(await node.user(`${name}${run}-${Math.floor(performance.now())}`)), deviceId: 'D' })
    const followers = users.map((user) => ({ user, client: followSliding(user) }))
    const rooms: string[] = []
    const sent: { roomId: string; eventId: string }[] = []
    let txn = 0
    const create = async (user: Requester): Promise<void> => {
      const made = await services.roomCreation.create(user, { preset: 'public_chat' })
      rooms.push(made.room_id)
    }
    await create(users[0]!)

    async function act({ kind, who, whom, where, n }: Step): Promise<void> {
      const user = users[who % users.length]!
      const other = users[whom % users.length]!
      const roomId = rooms[where % rooms.length]!
      const setState = (type: string, stateKey: string, content: object): Promise<unknown> =>
        services.sending.state(user, { roomId, type, stateKey, content: content as never })
      const setData = (room: string, type: string, content: object): Promise<unknown> =>
        services.accountData.set(user.userId, room, type, content as never)
      const target = { roomId, userId: other.userId }
      const { client } = followers[who % users.length]!
      const event = sent[n % Math.max(1, sent.length)]
      switch (kind) {
        case 'message':
          return refusable(
            services.sending
              .message(user, {
                roomId,
                type: 'm.room.message',
                content: { msgtype: 'm.text', body: `${n}` },
                txnId: `t${run}${txn++}`,
              })
              .then(({ event_id: eventId }) => sent.push({ roomId, eventId })),
          )
        case 'state':
          return refusable(setState('org.example.state', `${n % 3}`, { n: txn++ }))
        case 'name':
          return refusable(setState('m.room.name', '', { name: ['', 'A', 'B'][n % 3] }))
        case 'visibility':
          return refusable(
            setState('m.room.history_visibility', '', {
              history_visibility: ['shared', 'joined', 'invited', 'world_readable'][n % 4],
            }),
          )
        case 'redact':
          if (event === undefined) return
          return refusable(
            services.sending.redact(user, {
              ...event,
              txnId: `r${run}${txn++}`,
              reason: undefined,
              extra: {},
            }),
          )
        case 'join':
          return refusable(services.memberships.join(user, { room: roomId, via: [] }))
        case 'leave':
          return refusable(services.memberships.leave(user, { roomId }))
        case 'invite':
        case 'kick':
        case 'ban':
        case 'unban':
          return refusable(services.memberships[kind](user, target))
        case 'forget':
          return refusable(services.memberships.forget(user, roomId))
        case 'create':
          return rooms.length < 5 ? create(user) : undefined
        case 'read':
          if (event === undefined) return
          return refusable(
            services.receipts.set(user, { ...event, type: n % 2 === 0 ? 'm.read' : 'm.read.private' }),
          )
        case 'tag':
          return refusable(setData(roomId, 'm.tag', { tags: n % 2 === 0 ? { 'm.favourite': {} } : {} }))
        case 'direct':
          return refusable(setData('', 'm.direct', n % 2 === 0 ? { [other.userId]: [roomId] } : {}))
        case 'global':
          return refusable(setData('', 'org.example.data', { n }))
        case 'poll':
          await client.poll(services, bodyOf(n, rooms))
          return
        case 'lost':
          await client.poll(services, bodyOf(n, rooms), true)
          return
        case 'restart':
          ;({ services } = await node.restarted())
      }
    }

    for (const one of steps) await act(one)
    for (const { user, client } of followers) {
      await untilQuiet(client)
      const fresh = follow(user, { stateAfter: true, lazy: false, limit: 200 })
      const answer = await fresh.sync(services)
      compare(user, client, fresh.rooms)
      compareGlobal(
        client,
        answer as unknown as { account_data: { events: { type: string; content: unknown }[] } },
      )
    }

    /** Polls as long as there is something to tell, which is not for ever. */
    async function untilQuiet(client: SlidingFollower): Promise<void> {
      for (let i = 0; i < 4; i++) {
        const { rooms: told, extensions } = await client.poll(services, WHOLE)
        const isQuiet =
          Object.keys(told).length === 0 &&
          extensions.account_data!.global.length === 0 &&
          Object.keys(extensions.account_data!.rooms).length === 0 &&
          Object.keys(extensions.receipts!.rooms).length === 0
        if (isQuiet) return
      }
      throw new Error('sliding sync does not come to an end')
    }
  }

  function compare(user: Requester, client: SlidingFollower, truth: ReadonlyMap<string, KnownRoom>): void {
    const of = (membership: string): string[] =>
      [...truth]
        .filter(([, room]) => room.membership === membership)
        .map(([id]) => id)
        .toSorted()
    const known = (membership: string): string[] =>
      [...client.rooms]
        .filter(([, room]) => room.membership === membership)
        .map(([id]) => id)
        .toSorted()
    expect([user.userId, known('join')]).toEqual([user.userId, of('join')])
    expect([user.userId, known('invite')]).toEqual([user.userId, of('invite')])
    for (const roomId of of('join')) {
      const room = client.rooms.get(roomId)!
      const real = truth.get(roomId)!
      const about = `${user.userId} ${roomId}`
      expect([about, sorted(room.state)]).toEqual([about, sorted(real.state)])
      expect([about, room.unread]).toEqual([about, real.unread])
      expect([about, room.joined]).toEqual([about, real.summary.get('m.joined_member_count')])
      // The latest events are the same ones in the same order, as far as the client has them.
      const length = Math.min(room.timeline.length, real.timeline.length)
      expect([about, length > 0]).toEqual([about, real.timeline.length > 0])
      expect([about, room.timeline.slice(-length)]).toEqual([about, real.timeline.slice(-length)])
      expect([about, new Set(room.timeline).size]).toEqual([about, room.timeline.length])
      expect([about, sorted(room.accountData)]).toEqual([about, sorted(real.accountData)])
      // Others' receipts for events that the client was never shown are left out.
      const own = (receipts: ReadonlyMap<string, string>): unknown =>
        sorted(receipts).filter(([key]) => key.includes(user.userId))
      expect([about, own(room.receipts)]).toEqual([about, own(real.receipts)])
      for (const [key, eventId] of room.receipts) {
        expect([about, key, eventId]).toEqual([about, key, real.receipts.get(key)])
        if (key.startsWith('m.read.private|')) expect(key).toContain(user.userId)
      }
    }
  }

  function compareGlobal(
    client: SlidingFollower,
    answer: { account_data: { events: { type: string; content: unknown }[] } },
  ): void {
    const real = new Map(
      answer.account_data.events.map(({ type, content }) => [type, JSON.stringify(content)]),
    )
    expect(sorted(client.global)).toEqual(sorted(real))
  }
})

const sorted = (map: ReadonlyMap<string, string>): readonly (readonly [string, string])[] =>
  [...map].toSorted(([a], [b]) => (a < b ? -1 : 1))
