import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { wholeNumbersFrom } from '../platform/testing-numbers.js'
import type { Requester } from '../services/requester.js'
import {
  follow,
  type ClientEvent,
  type Follower,
  type FollowerOptions,
} from '../services/sync/testing-follower.js'
import { refusable } from './testing-refusable.js'
import { testServices, type TestServices } from './testing.js'

/** A failure is run again by its seed: `CHANCERY_SEED=…`. */
const GIVEN = process.env['CHANCERY_SEED']
const SEEDS = GIVEN === undefined ? [1, 2, 3, 4, 5, 6] : [Number(GIVEN)]
const STEPS = 90

let node: TestServices
beforeEach(async () => {
  node = await testServices()
})
afterEach(() => node.close())

const VARIANTS: readonly FollowerOptions[] = [
  { stateAfter: false, lazy: false, limit: 3 },
  { stateAfter: true, lazy: false, limit: 2 },
  { stateAfter: false, lazy: true, limit: 3 },
  { stateAfter: true, lazy: true, limit: 50 },
]
const VISIBILITIES = ['world_readable', 'shared', 'invited', 'joined']

describe('a client that follows a room by incremental syncs', () => {
  it.each(SEEDS)('knows what a fresh one is told, without holes (seed %i)', async (seed) => {
    const below = wholeNumbersFrom(seed)
    let { services } = node
    const users = [await node.user('ann'), await node.user('ben'), await node.user('cid')] as const
    const [founder] = users
    const { room_id: roomId } = await services.roomCreation.create(founder, { preset: 'public_chat' })
    const followers = users.flatMap((user) => VARIANTS.map((options) => follow(user, options)))
    let txn = 0
    const sent: string[] = []

    async function act(): Promise<void> {
      const user = users[below(users.length)]!
      const other = users[1 + below(users.length - 1)]!
      const target = { roomId, userId: other.userId }
      const what = below(24)
      const send = (type: string, content: object): Promise<unknown> =>
        services.sending
          .message(user, { roomId, type, content: content as never, txnId: `t${txn++}` })
          .then(({ event_id: id }) => sent.push(id))
      const setState = (type: string, stateKey: string, content: object): Promise<unknown> =>
        services.sending.state(founder, { roomId, type, stateKey, content: content as never })
      if (what < 7) return refusable(send('m.room.message', { msgtype: 'm.text', body: `${txn}` }))
      if (what < 9) return refusable(setState('org.example.state', `${below(4)}`, { n: txn++ }))
      if (what === 9) return refusable(setState('m.room.name', '', { name: ['', 'A', 'B'][below(3)] }))
      if (what === 10) {
        const visibility = VISIBILITIES[below(VISIBILITIES.length)]
        return refusable(setState('m.room.history_visibility', '', { history_visibility: visibility }))
      }
      if (what < 14) return refusable(services.memberships.join(user, { room: roomId, via: [] }))
      if (what === 14 && user !== founder) return refusable(services.memberships.leave(user, { roomId }))
      if (what === 15) return refusable(services.memberships.invite(founder, target))
      if (what === 16) return refusable(services.memberships.kick(founder, target))
      if (what === 17) return refusable(services.memberships.ban(founder, target))
      if (what === 18) return refusable(services.memberships.unban(founder, target))
      if (what === 19 && user !== founder) return refusable(services.memberships.forget(user, roomId))
      const eventId = sent[below(sent.length)]
      if (eventId === undefined) return
      if (what === 20) {
        const redaction = { roomId, eventId, txnId: `r${txn++}`, reason: undefined, extra: {} }
        return refusable(services.sending.redact(user, redaction))
      }
      const type = what === 21 ? ('m.read.private' as const) : ('m.read' as const)
      return refusable(
        services.receipts.set(user, { roomId, type, eventId: sent.at(-1 - below(2)) ?? eventId }),
      )
    }

    for (let step = 0; step < STEPS; step++) {
      await act()
      if (below(30) === 0) services = (await node.restarted()).services
      for (const follower of followers) if (below(8) === 0) await follower.sync(services)
    }
    for (const follower of followers) await follower.sync(services)

    const events = await allEvents(founder)
    for (const follower of followers) await compare(follower, events)

    /** Every event of the room, oldest first, as its founder may read it: they were never out. */
    async function allEvents(reader: Requester): Promise<readonly ClientEvent[]> {
      const page = await services.history.messages(reader, { roomId, dir: 'b', limit: 1_000 })
      return (page['chunk'] as unknown as readonly ClientEvent[]).toReversed()
    }

    async function compare(follower: Follower, all: readonly ClientEvent[]): Promise<void> {
      const { requester, options } = follower
      const about = `${requester.userId} ${JSON.stringify(options)}`
      const fresh = follow(requester, { ...options, limit: 200 })
      await fresh.sync(services)
      const now = fresh.rooms.get(roomId)
      const known = follower.rooms.get(roomId)
      expect([about, known?.membership === 'join']).toEqual([about, now?.membership === 'join'])
      if (known === undefined) return
      // Nothing twice, and everything in the order in which it was said.
      const order = new Map(all.map((event, i) => [event.event_id, i]))
      const places = known.timeline.map((id) => order.get(id))
      expect([about, new Set(known.timeline).size]).toEqual([about, known.timeline.length])
      expect([about, places]).toEqual([about, places.toSorted((a, b) => a! - b!)])
      if (now?.membership !== 'join') {
        await checkEnd(follower, all)
        return
      }
      // What the user may read now and what they read then differ by nothing that they were not shown.
      const readable = new Set((await allEvents(requester)).map((event) => event.event_id))
      const first = order.get(known.timeline[0]!)!
      // What was said while they were out may have become readable only when they came back: a client that has
      // paged over it once does not ask again.
      const holes = all
        .slice(first)
        .filter((event) => membershipThen(all, event, requester.userId) === 'join')
        .map((event) => event.event_id)
        .filter((id) => readable.has(id) && !known.timeline.includes(id))
      expect([about, holes]).toEqual([about, []])
      const secrets = known.timeline.filter((id) => !readable.has(id))
      expect([about, secrets]).toEqual([about, []])

      const isMember = (key: string): boolean => key.startsWith('m.room.member|')
      const current = await services.history.state(requester, roomId)
      const state = new Map(
        (current as unknown as readonly ClientEvent[]).map((event) => [
          `${event.type}|${event.state_key}`,
          event.event_id,
        ]),
      )
      for (const [key, id] of state) {
        if (options.lazy && isMember(key) && !known.state.has(key)) continue
        expect([about, key, known.state.get(key)]).toEqual([about, key, id])
      }
      expect([about, [...known.state.keys()].filter((key) => !state.has(key))]).toEqual([about, []])
      if (options.lazy) {
        // Whoever spoke is known, and so is the user.
        const speakers = all.slice(-3).map((event) => event.sender)
        for (const userId of [requester.userId, ...speakers])
          expect([about, userId, known.state.has(`m.room.member|${userId}`)]).toEqual([about, userId, true])
      }
      expect([about, sorted(known.receipts)]).toEqual([about, sorted(now.receipts)])
      for (const key of known.receipts.keys()) {
        if (key.startsWith('m.read.private|')) expect(key).toContain(requester.userId)
      }
      expect([about, known.summary.get('m.joined_member_count')]).toEqual([
        about,
        now.summary.get('m.joined_member_count'),
      ])
      expect([about, known.unread]).toEqual([about, now.unread])
      expect([about, known.unread]).toEqual([about, recount(requester.userId, all, now.receipts)])
    }

    /** Of a room that they left a client knows nothing that came after. */
    async function checkEnd(follower: Follower, all: readonly ClientEvent[]): Promise<void> {
      const { userId } = follower.requester
      const own = all.filter((event) => event.type === 'm.room.member' && event.state_key === userId)
      const known = follower.rooms.get(roomId)!
      const isLegible = (event: ClientEvent): boolean => {
        const at = all.indexOf(event)
        const membership = membershipThen(all, event, userId)
        const settings = all
          .slice(0, at + 1)
          .filter((item) => item.type === 'm.room.history_visibility')
          .map((item) => item.content['history_visibility'])
        const isSetting = event.type === 'm.room.history_visibility'
        const visibility = ['shared', ...settings].slice(isSetting ? -2 : -1)
        const joinsLater = own.some((item) => all.indexOf(item) > at && item.content['membership'] === 'join')
        return (
          membership === 'join' ||
          own.includes(event) ||
          // The event that changes the setting is seen by those of the setting before it, too.
          visibility.includes('world_readable') ||
          (joinsLater && visibility.includes('shared')) ||
          (membership === 'invite' && visibility.includes('invited'))
        )
      }
      // Nor of the state that came after it.
      const joinedAt = (event: ClientEvent): boolean => event.content['membership'] === 'join'
      const departure = own.findLast(
        (event, i) => !joinedAt(event) && own[i - 1] !== undefined && joinedAt(own[i - 1]!),
      )
      const late = all
        .slice(departure === undefined ? 0 : all.indexOf(departure) + 1)
        .filter((event) => !own.includes(event) && [...known.state.values()].includes(event.event_id))
      expect([userId, late.map((event) => [event.type, event.event_id])]).toEqual([userId, []])
      const illegible = all.filter((event) => known.timeline.includes(event.event_id) && !isLegible(event))
      expect([userId, illegible.map((event) => [event.type, event.event_id])]).toEqual([userId, []])
    }
  })
})

/** A user's membership right after an event. */
const membershipThen = (all: readonly ClientEvent[], event: ClientEvent, userId: string): unknown =>
  all
    .slice(0, all.indexOf(event) + 1)
    .findLast((item) => item.type === 'm.room.member' && item.state_key === userId)?.content['membership']

const sorted = (map: ReadonlyMap<string, string>): readonly (readonly [string, string])[] =>
  [...map].toSorted(([a], [b]) => (a < b ? -1 : 1))

/** Unread messages by the rules of the specification, counted from the whole room. */
function recount(userId: string, all: readonly ClientEvent[], receipts: ReadonlyMap<string, string>): number {
  const order = new Map(all.map((event, i) => [event.event_id, i]))
  const isOwnMembership = (event: ClientEvent): boolean =>
    event.type === 'm.room.member' && event.state_key === userId
  let arrival = -1
  let membership: unknown
  all.forEach((event, i) => {
    if (!isOwnMembership(event)) return
    if (event.content['membership'] === 'join' && membership !== 'join') arrival = i
    membership = event.content['membership']
  })
  const read = ['m.read', 'm.read.private'].map(
    (type) => order.get(receipts.get(`${type}|${userId}|`) ?? '') ?? -1,
  )
  const spoken = all.findLastIndex((event) => event.sender === userId && event.state_key === undefined)
  const from = Math.max(arrival, spoken, ...read)
  // What was redacted counts no more.
  const counts = (event: ClientEvent): boolean =>
    event.type === 'm.room.message' &&
    event.sender !== userId &&
    event.unsigned?.['redacted_because'] === undefined
  return all.slice(from + 1).filter(counts).length
}
