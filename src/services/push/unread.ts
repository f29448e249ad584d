import { setImmediate } from 'node:timers/promises'
import { powerLevelsOf, type PowerLevels } from '../../core/auth/power-levels.js'
import type { RoomEvent } from '../../core/event/types.js'
import { evaluate, type PushOutcome } from '../../core/push-rules/evaluate.js'
import type { RuleSet } from '../../core/push-rules/rules.js'
import { liveEventNids } from '../../storage/tables/events.js'
import { replaceUnread } from '../../storage/tables/unread.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { EventStore } from '../rooms/event-store.js'
import { lastArrival } from '../rooms/member-history.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import {
  eventsByIds,
  mapKey,
  stateEvents,
  type RoomReaders,
  type UnreadEffect,
  type UnreadOutcome,
  type UnreadRedaction,
  type WorkingRoom,
} from '../rooms/working-room.js'
import type { PushRules } from './push-rules.js'
import { followedBy, followersOf } from './followed-threads.js'
import { asksForName, joinedMembersOf, namedBy, subjectOf, type RoomFacts } from './subject.js'
import { threadOf } from './thread-of.js'
import { CREATE, POWER_KEYS, POWER_LEVELS } from '../rooms/room-power.js'
import { createUnreadRedaction } from './unread-redaction.js'

/** How far somebody has read: a position for each thread, `main`, and the empty string for the whole room. */
export type ReadUpTo = readonly { readonly thread: string; readonly event_pos: number }[]

export interface Counts {
  readonly notify: number
  readonly highlight: number
}

/** Counts of what users have not read: raised in an event's own transaction, counted anew when a receipt moves. */
export interface Unread {
  effect(room: WorkingRoom, event: RoomEvent): Promise<UnreadEffect | undefined>
  /** What counts no more when an event is redacted; undefined where nothing does, or it lies too far back. */
  redaction(room: WorkingRoom, target: StoredEvent): Promise<UnreadRedaction | undefined>
  /** What a user who has read so far has not read, by thread. Pre: the room has its turn, so no event comes in between. */
  count(room: WorkingRoom, userId: string, read: ReadUpTo): Promise<ReadonlyMap<string, Counts>>
  /** Post: these are the user's counts in the room. */
  replace(roomNid: number, userId: string, counts: ReadonlyMap<string, Counts>): Tx<void>
}

/** Beyond so many events after the last one read the count stops; a client shows 99+ long before. */
const MAX_COUNTED = 2_000
/** Threads of one room whose counts are kept. */
const MAX_THREADS = 500
/** Events judged before others get their turn. */
const BATCH = 250

type Counted = UnreadEffect['common']

const SILENT: UnreadOutcome = { notify: false, highlight: false, lasting: false }

/** Power levels by the event that sets them: a room has one create event, and events do not change. */
const levels = new WeakMap<RoomEvent, PowerLevels>()

function levelsOf(create: RoomEvent | undefined, event: RoomEvent | undefined): PowerLevels {
  if (create === undefined || event === undefined) return powerLevelsOf(create, event)
  let known = levels.get(event)
  if (known === undefined) {
    known = powerLevelsOf(create, event)
    levels.set(event, known)
  }
  return known
}

export function createUnread(deps: {
  readonly store: Store
  readonly pushRules: PushRules
  readonly events: EventStore
  readonly readers: RoomReaders
}): Unread {
  const { store, pushRules, events, readers } = deps

  async function factsOf(room: WorkingRoom): Promise<RoomFacts> {
    const state = await stateEvents(room, POWER_KEYS, readers)
    return {
      levels: levelsOf(state.get(mapKey(CREATE))?.event, state.get(mapKey(POWER_LEVELS))?.event),
      joinedMembers: joinedMembersOf(room.roster),
    }
  }

  async function displayNameIn(
    room: WorkingRoom,
    userId: string,
    rules: RuleSet,
  ): Promise<string | undefined> {
    if (!asksForName(rules)) return undefined
    const key = { type: 'm.room.member', stateKey: userId }
    const name = (await stateEvents(room, [key], readers)).get(mapKey(key))?.event.content['displayname']
    return typeof name === 'string' ? name : undefined
  }

  const findIn =
    (room: WorkingRoom) =>
    async (eventId: string): Promise<RoomEvent | undefined> =>
      (await eventsByIds(room, [eventId], readers)).get(eventId)?.event

  const redaction = createUnreadRedaction({ store, events })

  const unread: Unread = {
    async effect(room, event) {
      const { local } = room.roster
      if (local.size === 0) return undefined
      const reader = event.stateKey === undefined && local.has(event.sender) ? event.sender : undefined
      const special = new Map<string, UnreadOutcome>()
      let common: UnreadEffect['common'] = SILENT
      // Where no rule asks for the thread, it is looked for only once the event concerns somebody.
      const asked = pushRules.threads ? await threadOf(event, findIn(room)) : ''
      if (local.size > 1 || !local.has(event.sender)) {
        const subject = subjectOf(event, await factsOf(room))
        const follows = await followersOf(store, pushRules, room.roomId, asked)
        common = told(evaluate(pushRules.nobody, subject, { follows: follows('') }))
        for (const [userId, own] of await pushRules.ownIn(local)) {
          if (userId === event.sender) continue
          if (own.ignored.has(event.sender)) special.set(userId, SILENT)
          else if (own.rules !== undefined) {
            const name = await displayNameIn(room, userId, own.rules)
            const reader = { displayName: name, follows: follows(userId) }
            special.set(userId, { ...told(evaluate(own.rules, subject, reader)), lasting: true })
          }
        }
        const apart = follows('') === undefined ? [] : [...local].filter((userId) => follows(userId) === true)
        for (const userId of [...namedBy(event), ...apart]) {
          if (userId === event.sender || special.has(userId) || !local.has(userId)) continue
          const outcome = told(evaluate(pushRules.rulesOf(userId), subject, { follows: follows(userId) }))
          special.set(userId, { ...outcome, lasting: follows(userId) === true })
        }
        // A message of one's own marks all as read; a change of state does not, and counts for everybody else.
        if (common.notify && reader === undefined && local.has(event.sender))
          special.set(event.sender, SILENT)
      }
      if (!common.notify && special.size === 0 && reader === undefined) return undefined
      const thread = pushRules.threads ? asked : await threadOf(event, findIn(room))
      return { thread, common, reader, special }
    },

    async redaction(room, target) {
      const effect = target.pos === undefined ? undefined : await unread.effect(room, target.event)
      if (effect === undefined) return undefined
      const facts = await factsOf(room)
      const follows = await followersOf(store, pushRules, room.roomId, effect.thread)
      const { local } = room.roster
      // Of most events many people are asked, and those without rules of their own are told alike, but for whom the event names.
      const known = new Map<RoomEvent, { readonly common: Counted; readonly named: ReadonlySet<string> }>()
      const generalOf = (
        event: RoomEvent,
      ): { readonly common: Counted; readonly named: ReadonlySet<string> } => {
        let general = known.get(event)
        if (general === undefined) {
          const isHeard = local.size > 1 || !local.has(event.sender)
          const common = isHeard
            ? told(evaluate(pushRules.nobody, subjectOf(event, facts), { follows: follows('') }))
            : SILENT
          general = { common, named: namedBy(event) }
          known.set(event, general)
        }
        return general
      }
      return await redaction({
        room,
        target,
        effect,
        threadOf: (event) => threadOf(event, findIn(room)),
        common: (event) => generalOf(event).common,
        async judgeOf(userId) {
          const settings = (await pushRules.ownOf([userId])).get(userId)
          const rules = settings?.rules ?? pushRules.rulesOf(userId)
          const displayName = await displayNameIn(room, userId, rules)
          const reader = { displayName, follows: follows(userId) }
          const isAlike = settings?.rules === undefined && reader.follows === follows('')
          return (event) => {
            if (event.sender === userId || settings?.ignored.has(event.sender) === true) return SILENT
            const { common, named } = generalOf(event)
            return isAlike && !named.has(userId)
              ? common
              : told(evaluate(rules, subjectOf(event, facts), reader))
          }
        },
      })
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
      const rules = settings?.rules ?? pushRules.rulesOf(userId)
      const displayName = await displayNameIn(room, userId, rules)
      const follows = await followedBy(store, pushRules, room.roomId, userId)
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
            found.get(row.nid)?.redactedBy !== undefined ||
            answered.has(thread) ||
            row.pos <= floorOf(thread) ||
            settings?.ignored.has(event.sender) === true
          ) {
            continue
          }
          const outcome = evaluate(rules, subjectOf(event, facts), { displayName, follows: follows(thread) })
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
      yield* replaceUnread(
        roomNid,
        userId,
        [...counts].slice(0, MAX_THREADS).map(([thread, count]) => ({ thread, ...count })),
      )
    },
  }
  return unread
}

/** What highlights without a notification is not counted. */
const told = ({ notify, highlight }: PushOutcome): UnreadEffect['common'] => ({
  notify,
  highlight: notify && highlight,
})
