import { compileGlob, compileWordGlob, toPoints, type Points } from '../glob.js'
import { isObject, ownValue, RawNumber, type Json, type JsonObject } from '../json/value.js'
import { splitPath } from '../property-path.js'
import type { Action, Condition, PushRule, RuleSet } from './rules.js'
import { POSTCONTENT } from './rules.js'

/** An event and its room, as push rules look at them. */
export interface PushSubject {
  readonly type: string
  readonly sender: string
  readonly roomId: string
  readonly stateKey: string | undefined
  readonly content: JsonObject
  readonly joinedMembers: number
  /** The sender's power level, and the level that a notification of a kind takes. */
  readonly senderLevel: number
  notificationLevel(kind: string): number
}

/** For whom an event is judged. */
export interface PushReader {
  /** The user's name in the room, where a rule asks for it. */
  readonly displayName?: string | undefined
  /** Whether the user follows the event's thread; undefined for an event in none. */
  readonly follows?: boolean | undefined
}

export const ANYBODY: PushReader = {}

export interface PushOutcome {
  readonly notify: boolean
  readonly highlight: boolean
  readonly sound: string | undefined
}

const SILENT: PushOutcome = { notify: false, highlight: false, sound: undefined }

/** NOTSPEC: characters of a text, and of a pattern, that are looked at. */
const MAX_TEXT = 32_768
const MAX_PATTERN = 1_024
/**
 * NOTSPEC: characters that one judgement reads at the most, over all rules: ten thousand rules against a long message
 * would take a second. A rule of the user's own that is reached later does not match.
 */
const MAX_READ = 2_000_000

/** Of an event, what many rules of many users look at. */
interface Prepared {
  readonly body: string | undefined
  /** The body in small letters, cut. */
  readonly lower: string
  points: Points | undefined
}

// What follows from an event or a rule alone is found once: one event is judged for many users, one rule on many events.
const preparedEvents = new WeakMap<PushSubject, Prepared>()
const wordMatchers = new WeakMap<object, WordMatcher>()
const valueMatchers = new WeakMap<object, (text: string) => boolean>()
const paths = new WeakMap<object, readonly string[]>()

function memo<K extends object, V>(cache: WeakMap<K, V>, key: K, make: () => V): V {
  let value = cache.get(key)
  if (value === undefined) {
    value = make()
    cache.set(key, value)
  }
  return value
}

const prepare = (subject: PushSubject): Prepared =>
  memo(preparedEvents, subject, () => {
    const body = ownValue(subject.content, 'body')
    const text = typeof body === 'string' ? body : undefined
    return { body: text, lower: (text ?? '').slice(0, MAX_TEXT).toLowerCase(), points: undefined }
  })

type WordMatcher = (prepared: Prepared) => boolean

function wordMatcher(pattern: string): WordMatcher {
  const glob = pattern.slice(0, MAX_PATTERN).toLowerCase()
  const matches = compileWordGlob(glob)
  // The longest literal part must be there at all, which is told fastest.
  const needle = glob
    .split(/[*?]/)
    .reduce((longest, part) => (part.length > longest.length ? part : longest), '')
  const probe = needle.slice(0, 8)
  return (prepared) => {
    if (!prepared.lower.includes(probe)) return false
    prepared.points ??= toPoints(prepared.lower)
    return matches(prepared.points)
  }
}

/** Whether a glob matches words of a text. SPEC: https://spec.matrix.org/v1.19/client-server-api/#push-rules (content rules) */
export const matchesWords = (pattern: string, text: string): boolean =>
  wordMatcher(pattern)({ body: text, lower: text.slice(0, MAX_TEXT).toLowerCase(), points: undefined })

function valueAt(subject: PushSubject, condition: { readonly key: string }): Json | undefined {
  const parts = memo(paths, condition, () => splitPath(condition.key))
  const head = parts[0]
  if (head === 'content') {
    let value: Json | undefined = subject.content
    for (const part of parts.slice(1)) {
      if (!isObject(value)) return undefined
      value = ownValue(value, part)
    }
    return value
  }
  if (parts.length > 1) return undefined
  switch (head) {
    case 'type':
      return subject.type
    case 'sender':
      return subject.sender
    case 'room_id':
      return subject.roomId
    case 'state_key':
      return subject.stateKey
    default:
      return undefined
  }
}

/** What is left of `MAX_READ`. */
interface Budget {
  left: number
}

/** Whether a text may still be read with a pattern; one with question marks reads it several times over. */
function spend(budget: Budget, length: number, pattern = ''): boolean {
  budget.left -= 16 + length * (pattern.includes('?') ? 1 + pattern.length / 31 : 1)
  return budget.left >= 0
}

function memberCount(is: string, count: number): boolean {
  const match = typeof is === 'string' ? /^(==|<|>|<=|>=)?(\d{1,9})$/.exec(is) : null
  if (match === null) return false
  const wanted = Number(match[2])
  switch (match[1]) {
    case '<':
      return count < wanted
    case '>':
      return count > wanted
    case '<=':
      return count <= wanted
    case '>=':
      return count >= wanted
    default:
      return count === wanted
  }
}

const isPlain = (value: Json | undefined): boolean =>
  value !== undefined && !isObject(value) && !Array.isArray(value) && !(value instanceof RawNumber)

interface Judgement {
  readonly subject: PushSubject
  readonly reader: PushReader
  readonly budget: Budget
}

function holds(condition: Condition, { subject, reader, budget }: Judgement): boolean {
  switch (condition.kind) {
    case 'event_match': {
      if (typeof condition.key !== 'string' || typeof condition.pattern !== 'string') return false
      if (condition.key === 'content.body') return bodyMatches(condition, condition.pattern, subject, budget)
      const value = valueAt(subject, condition)
      if (typeof value !== 'string' || !spend(budget, value.length, condition.pattern)) return false
      const pattern = condition.pattern.slice(0, MAX_PATTERN).toLowerCase()
      return memo(valueMatchers, condition, () => compileGlob(pattern))(
        value.slice(0, MAX_TEXT).toLowerCase(),
      )
    }
    case 'event_property_is':
      return isPlain(condition.value) && valueAt(subject, condition) === condition.value
    case 'event_property_contains': {
      const value = valueAt(subject, condition)
      return (
        Array.isArray(value) &&
        isPlain(condition.value) &&
        (value as readonly Json[]).includes(condition.value)
      )
    }
    case 'contains_display_name': {
      const { body, lower } = prepare(subject)
      const { displayName } = reader
      if (displayName === undefined || displayName === '' || body === undefined) return false
      return spend(budget, lower.length) && containsWord(displayName.toLowerCase(), lower)
    }
    case 'room_member_count':
      return memberCount(condition.is, subject.joinedMembers)
    case 'sender_notification_permission':
      return subject.senderLevel >= subject.notificationLevel(condition.key)
    case 'io.element.msc4306.thread_subscription':
      return reader.follows !== undefined && reader.follows === condition.subscribed
    default:
      // A condition that nobody here knows never holds.
      return false
  }
}

function bodyMatches(owner: object, pattern: string, subject: PushSubject, budget: Budget): boolean {
  const prepared = prepare(subject)
  if (prepared.body === undefined || !spend(budget, prepared.lower.length, pattern)) return false
  return memo(wordMatchers, owner, () => wordMatcher(pattern))(prepared)
}

const isWordCharacter = (char: string | undefined): boolean =>
  char !== undefined && /[\p{L}\p{N}_]/u.test(char)

/** A display name is meant literally, asterisks and all, in whatever script. */
function containsWord(word: string, text: string): boolean {
  for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + 1)) {
    const before = at === 0 ? undefined : text[at - 1]
    const after = text[at + word.length]
    if (!isWordCharacter(before) && !isWordCharacter(after)) return true
  }
  return false
}

function applies(kind: string, rule: PushRule, judgement: Judgement): boolean {
  const { subject } = judgement
  switch (kind) {
    case 'content':
      return rule.pattern !== undefined && bodyMatches(rule, rule.pattern, subject, judgement.budget)
    case 'room':
      return rule.rule_id === subject.roomId
    case 'sender':
      return rule.rule_id === subject.sender
    default:
      return (rule.conditions ?? []).every((condition) => holds(condition, judgement))
  }
}

export function outcomeOf(actions: readonly Action[]): PushOutcome {
  let sound: string | undefined
  let highlight = false
  for (const action of actions) {
    if (typeof action !== 'object') continue
    if (action.set_tweak === 'sound' && typeof action.value === 'string') sound = action.value
    if (action.set_tweak === 'highlight') highlight = action.value !== false
  }
  const notify = actions.includes('notify')
  return { notify, highlight: notify && highlight, sound: notify ? sound : undefined }
}

const ORDER = ['override', 'content', POSTCONTENT, 'room', 'sender', 'underride'] as const

/** The first enabled rule that applies, kinds in their order. */
export function matchingRule(rules: RuleSet, subject: PushSubject, reader: PushReader): PushRule | undefined {
  const own: Judgement = { subject, reader, budget: { left: MAX_READ } }
  // The default rules are few and short.
  const standard: Judgement = { subject, reader, budget: { left: Infinity } }
  for (const kind of ORDER) {
    for (const rule of rules[kind] ?? []) {
      if (rule.enabled && applies(kind, rule, rule.default ? standard : own)) return rule
    }
  }
  return undefined
}

/** The outcome of the first enabled rule that applies; silence when none does. */
export function evaluate(rules: RuleSet, subject: PushSubject, reader: PushReader): PushOutcome {
  const rule = matchingRule(rules, subject, reader)
  return rule === undefined ? SILENT : outcomeOf(rule.actions)
}
