import { setImmediate } from 'node:timers/promises'
import { powerLevelsOf, type PowerLevels } from '../../core/auth/power-levels.js'
import type { RoomEvent } from '../../core/event/types.js'
import { isObject, ownValue } from '../../core/json/value.js'
import { rulesOf } from '../../core/push-rules/defaults.js'
import { evaluate, type PushOutcome, type PushSubject } from '../../core/push-rules/evaluate.js'
import { NO_STORED_RULES, type RuleSet } from '../../core/push-rules/rules.js'
import { liveEventNids } from '../../storage/tables/events.js'
import { clearUnread, setUnread } from '../../storage/tables/unread.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { EventStore } from '../rooms/event-store.js'
import { lastArrival } from '../rooms/member-history.js'
import {
  eventsByIds,
  mapKey,
  stateEvents,
  type RoomReaders,
  type UnreadRise,
  type WorkingRoom,
} from '../rooms/working-room.js'
import type { PushRules } from './push-rules.js'
import { threadOf } from './thread-of.js'

/** How far somebody has read: a position for each thread, `main`, and the empty string for the whole room. */
export type ReadUpTo = readonly { readonly thread: string; readonly event_pos: number }[]

export interface Counts {
  readonly notify: number
  readonly highlight: number
}

/** Counts of what users have not read: raised in an event's own transaction, counted anew when a receipt moves. */
export interface Unread {
  rises(room: WorkingRoom, event: RoomEvent): Promise<readonly UnreadRise[]>
  /** What a user who has read so far has not read, by thread. Pre: the room has its turn, so no event comes in between. */
  count(room: WorkingRoom, userId: string, read: ReadUpTo): Promise<ReadonlyMap<string, Counts>>
  /** Post: these are the user's counts in the room. */
  replace(roomNid: number, userId: string, counts: ReadonlyMap<string, Counts>): Tx<void>
}

const CREATE = { type: 'm.room.create', stateKey: '' }
const POWER_LEVELS = { type: 'm.room.power_levels', stateKey: '' }
/** Somebody whom no rule names: stands for all with default rules who are not mentioned. */
const NOBODY_RULES = rulesOf('@:', NO_STORED_RULES)
/** Beyond so many events after the last one read the count stops; a client shows 99+ long before. */
const MAX_COUNTED = 2_000
/** Threads of one room whose counts are kept. */
const MAX_THREADS = 500
/** Events judged before others get their turn. */
const BATCH = 250

/** Of a room, what every judgement in it looks at. */
interface RoomFacts {
  readonly levels: PowerLevels
  readonly joinedMembers: number
}

export function createUnread(deps: {
  readonly store: Store
  readonly pushRules: PushRules
  readonly events: EventStore
  readonly readers: RoomReaders
}): Unread {
  const { store, pushRules, events, readers } = deps

  async function factsOf(room: WorkingRoom): Promise<RoomFacts> {
    const state = await stateEvents(room, [CREATE, POWER_LEVELS], readers)
    let joinedMembers = room.roster.local.size
    for (const count of room.roster.servers.values()) joinedMembers += count
    return {
      levels: powerLevelsOf(state.get(mapKey(CREATE))?.event, state.get(mapKey(POWER_LEVELS))?.event),
      joinedMembers,
    }
  }

  const subjectOf = (event: RoomEvent, { levels, joinedMembers }: RoomFacts): PushSubject => ({
    type: event.type,
    sender: event.sender,
    roomId: event.roomId,
    stateKey: event.stateKey,
    content: event.content,
    joinedMembers,
    senderLevel: levels.user(event.sender),
    notificationLevel: (kind) => levels.notification(kind),
  })

  async function displayNameIn(
    room: WorkingRoom,
    userId: string,
    rules: RuleSet,
  ): Promise<string | undefined> {
    const asked = [...rules.override, ...rules.underride].some((rule) =>
      rule.conditions?.some((condition) => condition.kind === 'contains_display_name'),
    )
    if (!asked) return undefined
    const key = { type: 'm.room.member', stateKey: userId }
    const name = (await stateEvents(room, [key], readers)).get(mapKey(key))?.event.content['displayname']
    return typeof name === 'string' ? name : undefined
  }

  const findIn =
    (room: WorkingRoom) =>
    async (eventId: string): Promise<RoomEvent | undefined> =>
      (await eventsByIds(room, [eventId], readers)).get(eventId)?.event

  return {
    async rises(room, event) {
      const { local } = room.roster
      const answers = event.stateKey === undefined && local.has(event.sender)
      if (local.size === 0) return []
      if (local.size === 1 && local.has(event.sender)) {
        if (!answers) return []
        return [{ thread: await threadOf(event, findIn(room)), users: [event.sender], effect: 'read' }]
      }
      const subject = subjectOf(event, await factsOf(room))
      const mentions = ownValue(event.content, 'm.mentions')
      const mentioned =
        isObject(mentions) && Array.isArray(mentions['user_ids'])
          ? new Set<unknown>(mentions['user_ids'])
          : undefined
      const common = evaluate(NOBODY_RULES, subject, undefined)
      const settings = await pushRules.ownOf(local)
      const notified: string[] = []
      const highlighted: string[] = []
      for (const userId of local) {
        if (userId === event.sender) continue
        const own = settings.get(userId)
        if (own?.ignored.has(event.sender) === true) continue
        let outcome: PushOutcome = common
        if (own?.rules !== undefined) {
          outcome = evaluate(own.rules, subject, await displayNameIn(room, userId, own.rules))
        } else if (mentioned?.has(userId) === true || event.stateKey === userId) {
          outcome = evaluate(rulesOf(userId, NO_STORED_RULES), subject, undefined)
        }
        if (outcome.highlight) highlighted.push(userId)
        else if (outcome.notify) notified.push(userId)
      }
      if (notified.length === 0 && highlighted.length === 0 && !answers) return []
      const thread = await threadOf(event, findIn(room))
      return [
        // Who speaks has read. SPEC: client-server-api/#receiving-notifications (marking notifications as read)
        ...(answers ? [{ thread, users: [event.sender], effect: 'read' } as const] : []),
        ...(notified.length > 0 ? [{ thread, users: notified, effect: 'notify' } as const] : []),
        ...(highlighted.length > 0 ? [{ thread, users: highlighted, effect: 'highlight' } as const] : []),
      ]
    },

    async count(room, userId, read) {
      const { nid } = room.base
      // What was said before they came is not unread to them.
      const arrival = (await lastArrival({ store, events }, nid, userId))?.pos ?? 0
      const floors = new Map<string, number>()
      for (const row of read) floors.set(row.thread, Math.max(row.event_pos, floors.get(row.thread) ?? 0))
      const lowest = Math.max(arrival, floors.get('') ?? 0)
      const floorOf = (thread: string): number =>
        Math.max(lowest, floors.get(thread === '' ? 'main' : thread) ?? 0)
      const facts = await factsOf(room)
      const settings = (await pushRules.ownOf([userId])).get(userId)
      const rules = settings?.rules ?? rulesOf(userId, NO_STORED_RULES)
      const name = await displayNameIn(room, userId, rules)
      const counts = new Map<string, Counts>()
      /** Threads in which an event of the user's own was found: what came before it counts as read. */
      const answered = new Set<string>()
      let before = Number.MAX_SAFE_INTEGER
      for (let counted = 0; counted < MAX_COUNTED; counted += BATCH) {
        const rows = await store.read('unread.events', () => liveEventNids(nid, lowest, before, BATCH))
        const found = await events.byNids(rows.map((row) => row.nid))
        for (const row of rows) {
          before = row.pos - 1
          const event = found.get(row.nid)?.event
          if (event === undefined) continue
          const thread = await threadOf(event, findIn(room))
          if (event.sender === userId) {
            if (event.stateKey === undefined) answered.add(thread)
            continue
          }
          if (
            answered.has(thread) ||
            row.pos <= floorOf(thread) ||
            settings?.ignored.has(event.sender) === true
          ) {
            continue
          }
          const outcome = evaluate(rules, subjectOf(event, facts), name)
          if (!outcome.notify) continue
          const { notify, highlight } = counts.get(thread) ?? { notify: 0, highlight: 0 }
          counts.set(thread, { notify: notify + 1, highlight: highlight + (outcome.highlight ? 1 : 0) })
        }
        if (rows.length < BATCH) break
        await setImmediate()
      }
      return counts
    },

    *replace(roomNid, userId, counts) {
      yield* clearUnread(userId, roomNid)
      yield* setUnread(
        [...counts]
          .slice(0, MAX_THREADS)
          .map(([thread, count]) => ({ room_nid: roomNid, thread, user_id: userId, ...count })),
      )
    },
  }
}
