import { powerLevelsOf } from '../../core/auth/power-levels.js'
import type { RoomEvent } from '../../core/event/types.js'
import { isObject, ownValue } from '../../core/json/value.js'
import { evaluate, type PushOutcome, type PushSubject } from '../../core/push-rules/evaluate.js'
import type { RuleSet } from '../../core/push-rules/rules.js'
import { readUpTo } from '../../storage/tables/receipts.js'
import { clearUnread, setUnread } from '../../storage/tables/unread.js'
import { all, type Store } from '../../storage/tx.js'
import type { EventStore } from '../rooms/event-store.js'
import {
  mapKey,
  stateEvents,
  type RoomReaders,
  type UnreadRise,
  type WorkingRoom,
} from '../rooms/working-room.js'
import type { PushRules } from './push-rules.js'

/** Counts of what users have not read: raised in an event's own transaction, counted anew when a receipt moves. */
export interface Unread {
  rises(room: WorkingRoom, event: RoomEvent): Promise<readonly UnreadRise[]>
  /** Pre: the room has its turn, so no event comes in between. Post: the user's counts follow their receipts. */
  recount(room: WorkingRoom, userId: string): Promise<void>
}

const CREATE = { type: 'm.room.create', stateKey: '' }
const POWER_LEVELS = { type: 'm.room.power_levels', stateKey: '' }
/** Somebody whom no rule names: stands for all with default rules who are not mentioned. */
const NOBODY = '@:'
/** Beyond so many unread events the count stops; a client shows 99+ long before. */
const MAX_COUNTED = 10_000

/** The thread of an event: its root, or the empty string for the main timeline. */
export function threadOf(event: RoomEvent): string {
  const relation = ownValue(event.content, 'm.relates_to')
  if (!isObject(relation) || relation['rel_type'] !== 'm.thread') return ''
  const root = relation['event_id']
  return typeof root === 'string' ? root : ''
}

export function createUnread(deps: {
  readonly store: Store
  readonly pushRules: PushRules
  readonly events: EventStore
  readonly readers: RoomReaders
}): Unread {
  async function subjectOf(room: WorkingRoom, event: RoomEvent): Promise<PushSubject> {
    const state = await stateEvents(room, [CREATE, POWER_LEVELS], deps.readers)
    const levels = powerLevelsOf(state.get(mapKey(CREATE))?.event, state.get(mapKey(POWER_LEVELS))?.event)
    let joinedMembers = room.roster.local.size
    for (const count of room.roster.servers.values()) joinedMembers += count
    return {
      type: event.type,
      sender: event.sender,
      roomId: event.roomId,
      stateKey: event.stateKey,
      content: event.content,
      joinedMembers,
      senderLevel: levels.user(event.sender),
      notificationLevel: (kind) => levels.notification(kind),
    }
  }

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
    const name = (await stateEvents(room, [key], deps.readers)).get(mapKey(key))?.event.content['displayname']
    return typeof name === 'string' ? name : undefined
  }

  async function judge(room: WorkingRoom, subject: PushSubject, userId: string): Promise<PushOutcome> {
    const { rules } = await deps.pushRules.of(userId)
    return evaluate(rules, subject, await displayNameIn(room, userId, rules))
  }

  return {
    async rises(room, event) {
      const { local } = room.roster
      if (local.size === 0 || (local.size === 1 && local.has(event.sender))) return []
      const subject = await subjectOf(room, event)
      const mentions = ownValue(event.content, 'm.mentions')
      const mentioned =
        isObject(mentions) && Array.isArray(mentions['user_ids'])
          ? new Set<unknown>(mentions['user_ids'])
          : undefined
      const { rules: defaults } = await deps.pushRules.of(NOBODY)
      const common = evaluate(defaults, subject, undefined)
      const notified: string[] = []
      const highlighted: string[] = []
      for (const userId of local) {
        if (userId === event.sender) continue
        const own = await deps.pushRules.of(userId)
        const alone = !own.isDefault || mentioned?.has(userId) === true || event.stateKey === userId
        const outcome = alone ? await judge(room, subject, userId) : common
        if (outcome.highlight) highlighted.push(userId)
        else if (outcome.notify) notified.push(userId)
      }
      const thread = threadOf(event)
      return [
        ...(notified.length > 0 ? [{ thread, users: notified, highlight: false }] : []),
        ...(highlighted.length > 0 ? [{ thread, users: highlighted, highlight: true }] : []),
      ]
    },

    async recount(room, userId) {
      const { nid } = room.base
      const read = await deps.store.read('unread.receipts', () => readUpTo(nid, userId))
      const upTo = (thread: string): number => read.find((row) => row.thread === thread)?.event_pos ?? 0
      const unthreaded = upTo('')
      const main = Math.max(unthreaded, upTo('main'))
      const lowest = Math.min(main, ...read.map((row) => Math.max(unthreaded, row.event_pos)))
      const rows = await deps.store.read('unread.events', () =>
        all<{ nid: number }>(
          'SELECT nid FROM events WHERE room_nid = ? AND pos > ? AND soft_failed = 0 AND sender <> ? ORDER BY pos DESC LIMIT ?',
          nid,
          Math.max(lowest, unthreaded),
          userId,
          MAX_COUNTED,
        ),
      )
      const counts = new Map<string, { notify: number; highlight: number }>()
      const events = await deps.events.byNids(rows.map((row) => row.nid))
      for (const stored of events.values()) {
        const thread = threadOf(stored.event)
        const limit = thread === '' ? main : Math.max(unthreaded, upTo(thread))
        if ((stored.pos ?? 0) <= limit) continue
        const outcome = await judge(room, await subjectOf(room, stored.event), userId)
        if (!outcome.notify) continue
        const count = counts.get(thread) ?? { notify: 0, highlight: 0 }
        count.notify++
        if (outcome.highlight) count.highlight++
        counts.set(thread, count)
      }
      await deps.store.write('unread.recount', function* () {
        yield* clearUnread(userId, nid)
        for (const [thread, count] of counts) {
          yield* setUnread({ room_nid: nid, thread, user_id: userId, ...count })
        }
      })
    },
  }
}
