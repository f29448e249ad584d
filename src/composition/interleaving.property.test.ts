import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { wholeNumbersFrom } from '../platform/testing-numbers.js'
import type { Requester } from '../services/requester.js'
import type { Services } from '../services/services.js'
import { refusable } from './testing-refusable.js'
import { testServices, type TestServices } from './testing.js'

/** A failure is run again by its seed: `CHANCERY_SEED=…`. */
const GIVEN = process.env['CHANCERY_SEED']
const SEEDS = GIVEN === undefined ? [1, 2, 3, 4] : [Number(GIVEN)]
const USERS = 4
/** Each begins with empty caches, as after a restart. */
const PHASES = 8
const STEPS = 6
/** Keys of the room's state, so that a change that a client missed is seldom covered by a later one. */
const KEYS = 12

interface ClientEvent {
  readonly event_id: string
  readonly type: string
  readonly state_key?: string
  readonly sender: string
  readonly content: Readonly<Record<string, unknown>>
}

interface RoomAnswer {
  readonly timeline: { readonly events: readonly ClientEvent[]; readonly limited: boolean }
  readonly state?: { readonly events: readonly ClientEvent[] }
  readonly state_after?: { readonly events: readonly ClientEvent[] }
  readonly unread_notifications?: { readonly notification_count: number }
}

const keyOf = (event: ClientEvent): string => `${event.type} ${event.state_key}`

/** What a client knows of one room by its syncs alone. */
interface Follower {
  readonly requester: Requester
  /** Event ids, by type and key. */
  readonly state: Map<string, string>
  /** Event ids since the last gap. */
  readonly seen: string[]
  readonly joined: boolean
  readonly unread: number
  sync(services: Services): Promise<void>
  /** Forgets all, as a client does that begins anew. */
  reset(): void
}

function follow(roomId: string, requester: Requester, stateAfter: boolean): Follower {
  const state = new Map<string, string>()
  const seen: string[] = []
  let joined = false
  let unread = 0
  let since: string | undefined
  return {
    requester,
    state,
    seen,
    get joined() {
      return joined
    },
    get unread() {
      return unread
    },
    reset() {
      since = undefined
      joined = false
      seen.splice(0)
      state.clear()
    },
    async sync(services) {
      const answer = (await services.sync.sync(requester, {
        since,
        filter: { room: { timeline: { limit: 10 } } },
        fullState: false,
        timeoutMs: 0,
        stateAfter: stateAfter ? 'state_after' : 'no',
        signal: new AbortController().signal,
      })) as unknown as { next_batch: string; rooms: Record<string, Record<string, RoomAnswer>> }
      since = answer.next_batch
      if (answer.rooms['leave']?.[roomId] !== undefined) joined = false
      const room = answer.rooms['join']?.[roomId]
      if (room === undefined) return
      joined = true
      unread = room.unread_notifications?.notification_count ?? unread
      if (room.timeline.limited) seen.splice(0)
      for (const event of room.state?.events ?? []) state.set(keyOf(event), event.event_id)
      for (const event of room.timeline.events) {
        seen.push(event.event_id)
        if (event.state_key !== undefined && !stateAfter) state.set(keyOf(event), event.event_id)
      }
      for (const event of room.state_after?.events ?? []) state.set(keyOf(event), event.event_id)
    },
  }
}

let node: TestServices
beforeEach(async () => {
  node = await testServices()
})
afterEach(() => node.close())

const mayBeForbidden = (request: Promise<unknown>): Promise<void> => refusable(request, ['M_FORBIDDEN'])

describe('clients that follow a room while the database answers in any order', () => {
  it.each(SEEDS)('know at the end what the server knows (seed %i)', async (seed) => {
    const below = wholeNumbersFrom(seed)
    let { services } = node
    let { context } = node.built.rooms
    const users = await Promise.all(Array.from({ length: USERS }, (_, i) => node.user(`user${i}`)))
    const [founder] = users as [Requester]
    const { room_id: roomId } = await services.roomCreation.create(founder, { preset: 'public_chat' })
    const followers = users.flatMap((user) => [follow(roomId, user, false), follow(roomId, user, true)])
    // Most answers come at once, some much later than what was asked after them.
    const wait = (): Promise<void> =>
      new Promise((resolve) => setTimeout(resolve, below(6) > 0 ? below(2) : below(40)))

    let txn = 0
    const sent: string[] = []
    async function act(user: Requester): Promise<void> {
      const what = below(10)
      if (what < 3) {
        const message = { roomId, type: 'm.room.message', content: { msgtype: 'm.text', body: `${txn}` }, txnId: `t${txn++}` } // prettier-ignore
        return mayBeForbidden(
          services.sending.message(user, message).then(({ event_id: id }) => sent.push(id)),
        )
      }
      if (what < 5) {
        const change = {
          roomId,
          type: 'org.example.state',
          stateKey: `${below(KEYS)}`,
          content: { n: txn++ },
        }
        return mayBeForbidden(services.sending.state(founder, change))
      }
      if (what < 6) {
        const typing = { roomId, userId: user.userId, timeoutMs: 1_000 }
        return mayBeForbidden(services.typingNotices.set(user, typing))
      }
      if (what < 7) {
        const eventId = sent[below(sent.length)]
        if (eventId === undefined) return
        return mayBeForbidden(services.receipts.set(user, { roomId, type: 'm.read', eventId }))
      }
      if (what < 9 || user === founder)
        return mayBeForbidden(services.memberships.join(user, { room: roomId, via: [] }))
      return mayBeForbidden(services.memberships.leave(user, { roomId }))
    }
    let followed = 0
    for (let phase = 0; phase < PHASES; phase++) {
      const built = await node.restarted()
      services = built.services
      context = built.rooms.context
      node.store.delay(wait)
      let acting = true
      const acts = users.map(async (user) => {
        for (let step = 0; step < STEPS; step++) await act(user)
      })
      const syncs = followers.map(async (follower) => {
        while (acting) {
          if (below(6) === 0) follower.reset()
          await follower.sync(services)
        }
      })
      await Promise.all(acts).finally(() => (acting = false))
      await Promise.all(syncs)
      node.store.delay(undefined)
      for (const follower of followers) await follower.sync(services)

      const messages = { roomId, dir: 'b' as const, limit: 1_000 }
      const { chunk } = (await services.history.messages(founder, messages)) as unknown as {
        chunk: readonly ClientEvent[]
      }
      const timeline = chunk.map((event) => event.event_id).toReversed()
      expect(sent.every((id) => timeline.includes(id))).toBe(true)
      const current = (await services.history.state(founder, roomId)) as unknown as readonly ClientEvent[]
      const state = new Map(current.map((event) => [keyOf(event), event.event_id]))
      const members = new Set(
        current.filter(({ content }) => content['membership'] === 'join').map((event) => event.state_key),
      )
      const { nid } = (await context.loader.load(roomId))!
      expect((await context.rosters.of(nid)).local).toEqual(members)
      const joined = followers.filter((follower) => members.has(follower.requester.userId))
      followed += joined.length
      for (const follower of followers) {
        expect(follower.joined).toBe(members.has(follower.requester.userId))
      }
      for (const follower of joined) {
        const { userId } = follower.requester
        expect({ userId, seen: follower.seen }).toEqual({
          userId,
          seen: timeline.slice(-follower.seen.length),
        })
        expect({ userId, state: follower.state }).toEqual({ userId, state })
      }

      for (const { requester } of joined)
        await services.receipts.set(requester, { roomId, type: 'm.read', eventId: timeline.at(-1)! })
      for (const follower of joined) {
        await follower.sync(services)
        const { userId } = follower.requester
        expect({ userId, unread: follower.unread }).toEqual({ userId, unread: 0 })
      }
    }
    // The founder alone would be two for each phase.
    expect(followed).toBeGreaterThan(3 * PHASES)
  })
})
