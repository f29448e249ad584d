import { MatrixError, invalidParam, missingParam } from '../../core/errors.js'
import { isRoomId } from '../../core/ids/room-id.js'
import { isUserId } from '../../core/ids/user-id.js'
import { isObject, type Json, type JsonObject } from '../../core/json/value.js'
import {
  RULE_KINDS,
  type Action,
  type Condition,
  type PushRule,
  type RuleKind,
} from '../../core/push-rules/rules.js'

const MAX_ID_BYTES = 255
const MAX_PATTERN_BYTES = 1_024
const MAX_KEY_BYTES = 512
const MAX_CONDITIONS = 50
const MAX_ACTIONS = 20
/** Of one rule as JSON. */
const MAX_RULE_BYTES = 16 * 1024

const isPlainAction = (item: Json): item is 'notify' | 'dont_notify' | 'coalesce' =>
  item === 'notify' || item === 'dont_notify' || item === 'coalesce'

export const isRuleKind = (kind: string): kind is RuleKind => (RULE_KINDS as readonly string[]).includes(kind)

/** Throws M_INVALID_PARAM for an id that a user may not give a rule of this kind. */
export function checkRuleId(kind: RuleKind, ruleId: string): void {
  if (ruleId.startsWith('.')) throw invalidParam('Ids that begin with a dot are those of the default rules')
  if (/[/\\]/.test(ruleId)) throw invalidParam('The id of a rule holds no slashes')
  const bytes = Buffer.byteLength(ruleId)
  if (bytes === 0 || bytes > MAX_ID_BYTES)
    throw invalidParam(`The id of a rule has 1 to ${MAX_ID_BYTES} bytes`)
  if (kind === 'room' && !isRoomId(ruleId)) throw invalidParam('The id of a room rule is the id of its room')
  if (kind === 'sender' && !isUserId(ruleId)) throw invalidParam('The id of a sender rule is a user id')
}

function shortText(value: Json | undefined, what: string, max: number): string {
  if (typeof value !== 'string') throw invalidParam(`${what} must be a string`)
  if (Buffer.byteLength(value) > max) throw invalidParam(`${what} has at most ${max} bytes`)
  return value
}

/** Throws M_MISSING_PARAM, M_INVALID_PARAM. Historical actions are kept as they were set, so that clients find their rule unchanged. */
export function readActions(json: Json | undefined): readonly Action[] {
  if (json === undefined) throw missingParam('Missing parameter: actions')
  if (!Array.isArray(json)) throw invalidParam('actions must be a list')
  const list = json as readonly Json[]
  if (list.length > MAX_ACTIONS) throw invalidParam(`A rule has at most ${MAX_ACTIONS} actions`)
  return list.map((item): Action => {
    if (isPlainAction(item)) return item
    if (!isObject(item) || typeof item['set_tweak'] !== 'string') throw invalidParam('Not an action')
    const { set_tweak: tweak, value } = item
    return value === undefined ? { set_tweak: tweak } : { set_tweak: tweak, value }
  })
}

/** Conditions that nobody here knows are kept: they never hold. */
function readConditions(json: Json | undefined): readonly Condition[] {
  if (json === undefined) return []
  if (!Array.isArray(json)) throw invalidParam('conditions must be a list')
  const list = json as readonly Json[]
  if (list.length > MAX_CONDITIONS) throw invalidParam(`A rule has at most ${MAX_CONDITIONS} conditions`)
  for (const item of list) {
    if (!isObject(item) || typeof item['kind'] !== 'string') throw invalidParam('Not a condition')
    checkCondition(item)
  }
  return list as unknown as readonly Condition[]
}

function checkCondition(condition: JsonObject): void {
  switch (condition['kind']) {
    case 'event_match':
      shortText(condition['key'], 'key', MAX_KEY_BYTES)
      shortText(condition['pattern'], 'pattern', MAX_PATTERN_BYTES)
      break
    case 'event_property_is':
    case 'event_property_contains': {
      shortText(condition['key'], 'key', MAX_KEY_BYTES)
      const { value } = condition
      const isPlain = value === null || ['string', 'number', 'boolean'].includes(typeof value)
      if (!isPlain || (typeof value === 'number' && !Number.isSafeInteger(value)))
        throw invalidParam('value must be a string, an integer, a boolean or null')
      break
    }
    case 'room_member_count':
      if (!/^(?:==|<|>|<=|>=)?\d{1,9}$/.test(shortText(condition['is'], 'is', 16)))
        throw invalidParam('is must be a number, with a comparison before it or not')
      break
    case 'sender_notification_permission':
      shortText(condition['key'], 'key', MAX_KEY_BYTES)
      break
    default:
  }
}

/** A rule of a user's own, as they sent it. Throws M_MISSING_PARAM, M_INVALID_PARAM, M_TOO_LARGE. */
export function readRule(kind: RuleKind, ruleId: string, enabled: boolean, json: JsonObject): PushRule {
  checkRuleId(kind, ruleId)
  const base = { rule_id: ruleId, default: false, enabled, actions: readActions(json['actions']) }
  const rule: PushRule =
    kind === 'content'
      ? { ...base, pattern: readPattern(json['pattern']) }
      : kind === 'override' || kind === 'underride'
        ? { ...base, conditions: readConditions(json['conditions']) }
        : base
  if (Buffer.byteLength(JSON.stringify(rule)) > MAX_RULE_BYTES)
    throw new MatrixError('M_TOO_LARGE', `A rule has at most ${MAX_RULE_BYTES} bytes`)
  return rule
}

function readPattern(json: Json | undefined): string {
  if (json === undefined) throw missingParam('Missing parameter: pattern')
  const pattern = shortText(json, 'pattern', MAX_PATTERN_BYTES)
  if (pattern === '') throw invalidParam('pattern must not be empty')
  return pattern
}
