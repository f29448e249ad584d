import { isObject, ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import type { PushRule } from '../../core/push-rules/rules.js'
import type { Logger } from '../../platform/logger.js'
import type { Notifier } from '../../platform/notifier.js'
import { accountData as storedData } from '../../storage/tables/account-data.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import type { AccountData } from '../account-data/account-data.js'
import type { PushRules } from '../push/push-rules.js'
import type { RuleEditor } from '../push/rule-editor.js'
import { readStateEvent, type RoomsContext } from '../rooms/context.js'

/** What a user has set about a room, for the room that replaces it. */
export interface SettingsCarrier {
  /**
   * After a local user joined a room: copies tags, push rules and the mark as a direct chat from the room that it replaces, if
   * it does. What fails is logged.
   */
  onLocalJoin(roomId: string, userId: string): Promise<void>
}

export interface SettingsCarrierDeps {
  readonly context: Pick<RoomsContext, 'store' | 'events' | 'states' | 'loader'>
  readonly accountData: Pick<AccountData, 'put' | 'tags' | 'setTag'>
  readonly pushRules: Pick<PushRules, 'of'>
  readonly ruleEditor: Pick<RuleEditor, 'put' | 'setEnabled'>
  readonly notifier: Pick<Notifier, 'notify'>
  readonly logger: Logger
}

const MAX_TAGS = 100
const MAX_RULES = 20

export function createSettingsCarrier(deps: SettingsCarrierDeps): SettingsCarrier {
  const { context, accountData } = deps

  /** The old room, where it is one: any room may claim to replace another, so that one must say so, or our user is who replaces it. */
  async function predecessorOf(roomId: string, userId: string): Promise<string | undefined> {
    const room = await context.loader.load(roomId)
    const create = room === undefined ? undefined : await readStateEvent(context, room, 'm.room.create', '')
    const predecessor = create?.event.content['predecessor']
    const old = isObject(predecessor) ? ownValue(predecessor, 'room_id') : undefined
    if (typeof old !== 'string' || old === roomId) return undefined
    if (create?.event.sender === userId) return old
    const oldRoom = await context.loader.load(old)
    const tombstone =
      oldRoom === undefined ? undefined : await readStateEvent(context, oldRoom, 'm.room.tombstone', '')
    return tombstone?.event.content['replacement_room'] === roomId ? old : undefined
  }

  async function carryTags(userId: string, from: string, to: string): Promise<void> {
    const known = await accountData.tags(userId, to)
    const tags = Object.entries(await accountData.tags(userId, from)).slice(0, MAX_TAGS)
    for (const [tag, content] of tags) {
      if (!Object.hasOwn(known, tag))
        await accountData.setTag(userId, to, tag, isObject(content) ? content : {})
    }
  }

  async function carryRules(userId: string, from: string, to: string): Promise<void> {
    const rules = await deps.pushRules.of(userId)
    const copy = async (
      kind: 'room' | 'override',
      rule: PushRule,
      id: string,
      json: JsonObject,
    ): Promise<void> => {
      if (rules[kind].some((known) => known.rule_id === id)) return
      await deps.ruleEditor.put(userId, kind, id, json, {})
      if (!rule.enabled) await deps.ruleEditor.setEnabled(userId, kind, id, false)
    }
    for (const rule of rules.room.filter((one) => one.rule_id === from)) {
      await copy('room', rule, to, { actions: rule.actions as unknown as Json })
    }
    const about = rules.override.filter((rule) => !rule.default && namesRoom(rule, from))
    for (const rule of about.slice(0, MAX_RULES)) {
      const conditions = rule.conditions!.map((condition) =>
        isAbout(condition as unknown as JsonObject, from) ? { ...condition, pattern: to } : condition,
      )
      const json = { conditions, actions: rule.actions } as unknown as JsonObject
      await copy('override', rule, rule.rule_id.replace(from, to), json)
    }
  }

  /** Clients keep which rooms are direct chats with whom in one entry. */
  async function carryDirect(userId: string, from: string, to: string): Promise<void> {
    const changed = await context.store.write('upgrade.direct', function* () {
      // First of all: its lock keeps two changes from reading the same old entry.
      yield* allocatePosition()
      const text = yield* storedData(userId, '', 'm.direct')
      const direct = text === undefined ? {} : (JSON.parse(text) as JsonObject)
      let found = false
      const entries = Object.entries(direct).map(([user, rooms]): [string, Json] => {
        const list = Array.isArray(rooms) ? (rooms as readonly Json[]) : []
        if (!list.includes(from) || list.includes(to)) return [user, rooms]
        found = true
        return [user, [...list, to]]
      })
      if (found) yield* accountData.put(userId, '', 'm.direct', Object.fromEntries(entries))
      return found
    })
    if (changed) deps.notifier.notify([userId])
  }

  return {
    async onLocalJoin(roomId, userId) {
      try {
        const from = await predecessorOf(roomId, userId)
        if (from === undefined) return
        await carryTags(userId, from, roomId)
        await carryRules(userId, from, roomId)
        await carryDirect(userId, from, roomId)
      } catch (error) {
        deps.logger.warn({ err: error, roomId, userId }, 'settings of a replaced room were not carried over')
      }
    },
  }
}

const isAbout = (condition: JsonObject, roomId: string): boolean =>
  condition['kind'] === 'event_match' && condition['key'] === 'room_id' && condition['pattern'] === roomId

/** Clients mute a room by an override rule named after it. A rule of another name would meet its own copy. */
const namesRoom = (rule: PushRule, roomId: string): boolean =>
  rule.rule_id.includes(roomId) &&
  (rule.conditions ?? []).some((condition) => isAbout(condition as unknown as JsonObject, roomId))
