import { compileGlob } from '../glob.js'
import { isObject, ownValue, type Json, type JsonObject } from '../json/value.js'
import type { Action, Condition, PushRule, RuleSet } from './rules.js'
import { RULE_KINDS } from './rules.js'

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

export interface PushOutcome {
  readonly notify: boolean
  readonly highlight: boolean
  readonly sound: string | undefined
}

const SILENT: PushOutcome = { notify: false, highlight: false, sound: undefined }

/** `content.m\.relates_to.rel_type` → its parts; a backslash takes the next dot or backslash literally. */
export function splitKey(key: string): string[] {
  const parts: string[] = []
  let part = ''
  for (let i = 0; i < key.length; i++) {
    const next = key[i + 1]
    if (key[i] === '\\' && (next === '.' || next === '\\')) {
      part += next
      i++
    } else if (key[i] === '.') {
      parts.push(part)
      part = ''
    } else {
      part += key[i]
    }
  }
  return [...parts, part]
}

function valueAt(subject: PushSubject, key: string): Json | undefined {
  const parts = splitKey(key)
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

const isWordCharacter = (char: string | undefined): boolean =>
  char !== undefined && /[\p{L}\p{N}_]/u.test(char)

const MAX_BODY = 65_536
const MAX_PATTERN = 1_024

/**
 * Whether a glob matches some words of a body: begins and ends at a word's edge. Linear in the body for patterns without
 * wildcards; with them the body is cut into words and each start is tried against a bounded pattern.
 */
export function matchesWords(pattern: string, body: string): boolean {
  const glob = pattern.toLowerCase().slice(0, MAX_PATTERN)
  const text = body.toLowerCase().slice(0, MAX_BODY)
  if (glob === '') return false
  if (!/[*?]/.test(glob)) {
    for (let at = text.indexOf(glob); at !== -1; at = text.indexOf(glob, at + 1)) {
      const before = at === 0 ? undefined : text[at - 1]
      const after = text[at + glob.length]
      const startsWord = !isWordCharacter(before) || !isWordCharacter(glob[0])
      const endsWord = !isWordCharacter(after) || !isWordCharacter(glob.at(-1))
      if (startsWord && endsWord) return true
    }
    return false
  }
  // With wildcards a match may span words: anything, the pattern between two edges, anything.
  const edged = compileGlob(`*\u0001${glob}\u0001*`)
  return edged(markEdges(text, glob))
}

/**
 * Puts U+0001 at the edges of words so that a glob can ask for an edge. A wildcard may run over marks; a literal in the
 * pattern must not meet one, so marks stand only where a pattern could begin or end.
 */
function markEdges(text: string, glob: string): string {
  const literal = glob.replaceAll(/[*?]/g, '')
  const keepsTogether = [...literal].every((char) => isWordCharacter(char))
  let out = '\u0001'
  const chars = [...text]
  chars.forEach((char, i) => {
    out += char
    const edge = isWordCharacter(char) !== isWordCharacter(chars[i + 1])
    if (edge && keepsTogether) out += '\u0001'
  })
  return `${out}\u0001`
}

function memberCount(is: string, count: number): boolean {
  const match = /^(==|<|>|<=|>=)?(\d{1,9})$/.exec(is)
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

function holds(condition: Condition, subject: PushSubject, displayName: string | undefined): boolean {
  switch (condition.kind) {
    case 'event_match': {
      const value = valueAt(subject, condition.key)
      if (typeof value !== 'string') return false
      if (condition.key === 'content.body') return matchesWords(condition.pattern, value)
      return compileGlob(condition.pattern.toLowerCase().slice(0, MAX_PATTERN))(value.toLowerCase())
    }
    case 'event_property_is':
      return valueAt(subject, condition.key) === condition.value && !isObject(condition.value)
    case 'event_property_contains': {
      const value = valueAt(subject, condition.key)
      return Array.isArray(value) && (value as readonly Json[]).includes(condition.value)
    }
    case 'contains_display_name': {
      const body = subject.content['body']
      return (
        displayName !== undefined &&
        displayName !== '' &&
        typeof body === 'string' &&
        containsWord(displayName, body)
      )
    }
    case 'room_member_count':
      return memberCount(condition.is, subject.joinedMembers)
    case 'sender_notification_permission':
      return subject.senderLevel >= subject.notificationLevel(condition.key)
    default:
      // A condition that nobody here knows never holds.
      return false
  }
}

/** A display name is meant literally, asterisks and all. */
function containsWord(word: string, body: string): boolean {
  const needle = word.toLowerCase()
  const text = body.toLowerCase()
  for (let at = text.indexOf(needle); at !== -1; at = text.indexOf(needle, at + 1)) {
    const before = at === 0 ? undefined : text[at - 1]
    const after = text[at + needle.length]
    if (!isWordCharacter(before) && !isWordCharacter(after)) return true
  }
  return false
}

function applies(
  kind: string,
  rule: PushRule,
  subject: PushSubject,
  displayName: string | undefined,
): boolean {
  switch (kind) {
    case 'content': {
      const body = subject.content['body']
      return rule.pattern !== undefined && typeof body === 'string' && matchesWords(rule.pattern, body)
    }
    case 'room':
      return rule.rule_id === subject.roomId
    case 'sender':
      return rule.rule_id === subject.sender
    default:
      return (rule.conditions ?? []).every((condition) => holds(condition, subject, displayName))
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

/** The outcome of the first enabled rule that applies, kinds in their order; silence when none does. */
export function evaluate(rules: RuleSet, subject: PushSubject, displayName: string | undefined): PushOutcome {
  for (const kind of RULE_KINDS) {
    for (const rule of rules[kind]) {
      if (rule.enabled && applies(kind, rule, subject, displayName)) return outcomeOf(rule.actions)
    }
  }
  return SILENT
}
