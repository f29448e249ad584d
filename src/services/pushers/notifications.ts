import { setImmediate } from 'node:timers/promises'
import { invalidParam } from '../../core/errors.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import { outcomeOf } from '../../core/push-rules/evaluate.js'
import { liveEventNids } from '../../storage/tables/events.js'
import { newestUpTo } from '../../storage/tables/push-queue.js'
import { joinedRoomNids } from '../../storage/tables/pushers.js'
import { readUpTo } from '../../storage/tables/receipts.js'
import type { Requester } from '../requester.js'
import type { RoomsContext } from '../rooms/context.js'
import { lastArrival } from '../rooms/member-history.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { ClientViews } from '../timeline/client-view.js'
import type { Judge, RoomJudge } from './judge.js'
import { isReadTo, storedThreadOf } from './reading.js'

export interface NotificationsPage {
  /** Where the last page ended. */
  readonly from?: string | undefined
  readonly limit: number
  readonly only?: string | undefined
}

/**
 * What a user was notified of, newest first, in the rooms that they are in. It is found when asked for, by the rules of now: nothing is kept
 * for it, so events of users who never ask cost nothing, and it reaches back as far as the rooms do.
 */
export interface Notifications {
  /** Throws M_INVALID_PARAM for a token that is none. */
  list(
    requester: Requester,
    page: NotificationsPage,
  ): Promise<{ readonly notifications: readonly JsonObject[]; readonly next_token?: string }>
}

const TOKEN = /^n([0-9]{1,15})$/
/** Events of one room that are read together. */
const BATCH = 50
/** Events judged for one page: a user who is notified of little gets a short page. */
const MAX_JUDGED = 2_000

/** A room on the way back. */
interface Walk {
  readonly roomNid: number
  /** Of its next event, or of what may be its next event. */
  pos: number
  readonly waiting: { readonly nid: number; readonly pos: number }[]
  facts: Facts | undefined
}
interface Facts {
  readonly judge: RoomJudge
  readonly arrival: number
  readonly receipts: Parameters<typeof isReadTo>[0]
}

export function createNotifications(deps: {
  readonly context: RoomsContext
  readonly views: ClientViews
  readonly judge: Judge
}): Notifications {
  const { context, views, judge } = deps
  const { store, events } = context

  async function factsOf(roomNid: number, userId: string): Promise<Facts | undefined> {
    const { roomId } = await events.meta(roomNid)
    const room = await context.loader.load(roomId)
    if (room === undefined) return undefined
    return {
      judge: await judge.forRoom(room),
      // What was said before they came is no notification to them.
      arrival: (await lastArrival({ store, events }, roomNid, userId))?.pos ?? 0,
      receipts: await store.read('notifications.read', () => readUpTo(roomNid, userId)),
    }
  }

  /** The next event of a room; undefined at its end. Post: `walk.pos` is that event's. */
  async function next(walk: Walk, userId: string): Promise<number | undefined> {
    walk.facts ??= await factsOf(walk.roomNid, userId)
    if (walk.facts === undefined || walk.pos <= walk.facts.arrival) return undefined
    if (walk.waiting.length === 0) {
      const { arrival } = walk.facts
      const rows = await store.read('notifications.events', () =>
        liveEventNids(walk.roomNid, arrival, walk.pos, BATCH),
      )
      walk.waiting.push(...rows)
    }
    const first = walk.waiting[0]
    if (first !== undefined) walk.pos = first.pos
    return first?.nid
  }

  return {
    async list(requester, { from, limit, only }) {
      const { userId } = requester
      const match = from === undefined ? undefined : TOKEN.exec(from)
      if (match === null) throw invalidParam('from is no token of this server')
      const upTo = match === undefined ? await store.position() : Number(match[1])
      const bounds = await store.read('notifications.rooms', function* () {
        return yield* newestUpTo(yield* joinedRoomNids(userId), upTo)
      })
      const walks: Walk[] = bounds.map(({ room_nid: roomNid, pos }) => ({
        roomNid,
        pos,
        waiting: [],
        facts: undefined,
      }))
      const found: JsonObject[] = []
      let judged = 0
      while (walks.length > 0 && found.length < limit && judged < MAX_JUDGED) {
        const at = walks.reduce((best, walk, i) => (walk.pos > walks[best]!.pos ? i : best), 0)
        const walk = walks[at]!
        const before = walk.pos
        const nid = await next(walk, userId)
        if (nid === undefined) {
          walks.splice(at, 1)
          continue
        }
        // Another room may have something newer.
        if (walk.pos < before) continue
        walk.waiting.shift()
        const stored = (await events.byNids([nid])).get(nid)
        const { pos } = walk
        walk.pos = walk.waiting[0]?.pos ?? pos - 1
        if (++judged % BATCH === 0) await setImmediate()
        if (stored !== undefined) {
          const told = await notificationOf(requester, stored, pos, walk.facts!, only === 'highlight')
          if (told !== undefined) found.push(told)
        }
      }
      const rest = walks.reduce((most, walk) => Math.max(most, walk.pos), 0)
      return { notifications: found, ...(rest === 0 ? {} : { next_token: `n${rest}` }) }
    },
  }

  async function notificationOf(
    requester: Requester,
    stored: StoredEvent,
    pos: number,
    facts: Facts,
    onlyHighlights: boolean,
  ): Promise<JsonObject | undefined> {
    const { userId } = requester
    const { event } = stored
    const actions = (await facts.judge.judge(event, [userId])).get(userId)
    if (actions === undefined || (onlyHighlights && !outcomeOf(actions).highlight)) return undefined
    const [view] = await views.view([stored], requester, { omitRoomId: true })
    const thread = await storedThreadOf(events, event)
    return {
      actions: actions as readonly Json[],
      event: view!,
      read: isReadTo(facts.receipts, thread, pos),
      room_id: event.roomId,
      ts: event.originServerTs,
    }
  }
}
