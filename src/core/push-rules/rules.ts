import type { Json } from '../json/value.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#push-rules */
export const RULE_KINDS = ['override', 'content', 'room', 'sender', 'underride'] as const
export type RuleKind = (typeof RULE_KINDS)[number]

/** NOTSPEC: the kind of the default rules for threads (MSC4306), between `content` and `room`; nobody has rules of their own there. */
export const POSTCONTENT = 'postcontent'

/** `dont_notify` and `coalesce` are of old versions, and mean nothing. */
export type Action =
  'notify' | 'dont_notify' | 'coalesce' | { readonly set_tweak: string; readonly value?: Json }

export type Condition =
  | { readonly kind: 'event_match'; readonly key: string; readonly pattern: string }
  | { readonly kind: 'event_property_is'; readonly key: string; readonly value: Json }
  | { readonly kind: 'event_property_contains'; readonly key: string; readonly value: Json }
  | { readonly kind: 'contains_display_name' }
  | { readonly kind: 'room_member_count'; readonly is: string }
  | { readonly kind: 'sender_notification_permission'; readonly key: string }
  /** NOTSPEC: MSC4306. */
  | { readonly kind: 'io.element.msc4306.thread_subscription'; readonly subscribed: boolean }
  | { readonly kind: 'unknown' }

export interface PushRule {
  readonly rule_id: string
  readonly default: boolean
  readonly enabled: boolean
  readonly actions: readonly Action[]
  /** Override and underride rules. */
  readonly conditions?: readonly Condition[]
  /** Content rules: a glob on the words of the body. */
  readonly pattern?: string
}

/** All rules of a user, each kind in order of importance. */
export type RuleSet = Readonly<Record<RuleKind, readonly PushRule[]>> & {
  readonly [POSTCONTENT]?: readonly PushRule[]
}

/** What a user changed of the default rules, and the rules that they added. Stored as account data `m.push_rules`. */
export interface StoredRules {
  readonly own: Readonly<Record<RuleKind, readonly PushRule[]>>
  /** By the id of a default rule. */
  readonly changed: Readonly<
    Record<string, { readonly enabled?: boolean; readonly actions?: readonly Action[] }>
  >
}

export const NO_STORED_RULES: StoredRules = {
  own: { override: [], content: [], room: [], sender: [], underride: [] },
  changed: {},
}
