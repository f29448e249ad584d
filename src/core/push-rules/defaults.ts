import type { Action, Condition, PushRule, RuleKind, RuleSet, StoredRules } from './rules.js'
import { POSTCONTENT, RULE_KINDS } from './rules.js'

const NOTIFY: Action = 'notify'
const sound = (value: string): Action => ({ set_tweak: 'sound', value })
const HIGHLIGHT: Action = { set_tweak: 'highlight' }
const match = (key: string, pattern: string): Condition => ({ kind: 'event_match', key, pattern })
const rule = (
  id: string,
  conditions: readonly Condition[],
  actions: readonly Action[],
  enabled = true,
): PushRule => ({ rule_id: id, default: true, enabled, conditions, actions })

/** NOTSPEC: the rules of polls (MSC3930) by the names that they and the events have until a release has them. */
const pollRule = (id: string, conditions: readonly Condition[], actions: readonly Action[]): PushRule =>
  rule(`.org.matrix.msc3930.rule.${id}`, conditions, actions)
const poll = (what: string): Condition => match('type', `org.matrix.msc3381.poll.${what}`)

/** The rules that come before a user's own override rules: the master switch alone. */
const FIRST: readonly PushRule[] = [rule('.m.rule.master', [], [], false)]

const override = (userId: string): readonly PushRule[] => [
  rule('.m.rule.suppress_notices', [match('content.msgtype', 'm.notice')], []),
  rule(
    '.m.rule.invite_for_me',
    [match('type', 'm.room.member'), match('content.membership', 'invite'), match('state_key', userId)],
    [NOTIFY, sound('default')],
  ),
  rule('.m.rule.member_event', [match('type', 'm.room.member')], []),
  rule(
    '.m.rule.is_user_mention',
    [{ kind: 'event_property_contains', key: 'content.m\\.mentions.user_ids', value: userId }],
    [NOTIFY, sound('default'), HIGHLIGHT],
  ),
  rule(
    '.m.rule.is_room_mention',
    [
      { kind: 'event_property_is', key: 'content.m\\.mentions.room', value: true },
      { kind: 'sender_notification_permission', key: 'room' },
    ],
    [NOTIFY, HIGHLIGHT],
  ),
  rule('.m.rule.tombstone', [match('type', 'm.room.tombstone'), match('state_key', '')], [NOTIFY, HIGHLIGHT]),
  rule('.m.rule.reaction', [match('type', 'm.reaction')], []),
  rule('.m.rule.room.server_acl', [match('type', 'm.room.server_acl'), match('state_key', '')], []),
  rule(
    '.m.rule.suppress_edits',
    [{ kind: 'event_property_is', key: 'content.m\\.relates_to.rel_type', value: 'm.replace' }],
    [],
  ),
  pollRule('poll_response', [poll('response')], []),
]

const oneToOne: Condition = { kind: 'room_member_count', is: '2' }
const UNDERRIDE: readonly PushRule[] = [
  rule('.m.rule.call', [match('type', 'm.call.invite')], [NOTIFY, sound('ring')]),
  rule(
    '.m.rule.encrypted_room_one_to_one',
    [oneToOne, match('type', 'm.room.encrypted')],
    [NOTIFY, sound('default')],
  ),
  rule('.m.rule.room_one_to_one', [oneToOne, match('type', 'm.room.message')], [NOTIFY, sound('default')]),
  rule('.m.rule.message', [match('type', 'm.room.message')], [NOTIFY]),
  rule('.m.rule.encrypted', [match('type', 'm.room.encrypted')], [NOTIFY]),
  pollRule('poll_start_one_to_one', [oneToOne, poll('start')], [NOTIFY, sound('default')]),
  pollRule('poll_start', [poll('start')], [NOTIFY]),
  pollRule('poll_end_one_to_one', [oneToOne, poll('end')], [NOTIFY, sound('default')]),
  pollRule('poll_end', [poll('end')], [NOTIFY]),
]

/**
 * NOTSPEC: the rules of threads (MSC4306): one that is not followed tells of nothing but mentions, one that is tells of everything, whatever
 * the user has set for the room.
 */
const threadRule = (id: string, subscribed: boolean, actions: readonly Action[]): PushRule =>
  rule(
    `.io.element.msc4306.rule.${id}`,
    [{ kind: 'io.element.msc4306.thread_subscription', subscribed }],
    actions,
  )
export const THREAD_RULES: readonly PushRule[] = [
  threadRule('unsubscribed_thread', false, []),
  threadRule('subscribed_thread', true, [NOTIFY, sound('default')]),
]

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#predefined-rules */
export function defaultRules(
  userId: string,
  kind: RuleKind,
): { readonly before: readonly PushRule[]; readonly after: readonly PushRule[] } {
  if (kind === 'override') return { before: FIRST, after: override(userId) }
  return { before: [], after: kind === 'underride' ? UNDERRIDE : [] }
}

/**
 * The whole set of a user: default rules with what the user changed of them, and the user's own between them; with `threads` those
 * that look at which threads the user follows, too.
 */
export function rulesOf(userId: string, stored: StoredRules, threads = false): RuleSet {
  const changed = (list: readonly PushRule[]): PushRule[] =>
    list.map((item) => ({
      ...item,
      ...(Object.hasOwn(stored.changed, item.rule_id) ? stored.changed[item.rule_id] : {}),
    }))
  const entries = RULE_KINDS.map((kind) => {
    const { before, after } = defaultRules(userId, kind)
    return [kind, [...changed(before), ...stored.own[kind], ...changed(after)]] as const
  })
  const rules = Object.fromEntries(entries) as unknown as RuleSet
  return threads ? { ...rules, [POSTCONTENT]: changed(THREAD_RULES) } : rules
}
