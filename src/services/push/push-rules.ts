import { defaultRules, rulesOf } from '../../core/push-rules/defaults.js'
import {
  NO_STORED_RULES,
  RULE_KINDS,
  type PushRule,
  type RuleKind,
  type RuleSet,
  type StoredRules,
} from '../../core/push-rules/rules.js'
import { isObject, type Json, type JsonObject } from '../../core/json/value.js'
import { createLoadingCache } from '../../platform/loading-cache.js'
import { accountData } from '../../storage/tables/account-data.js'
import type { Store } from '../../storage/tx.js'

export interface UserRules {
  readonly rules: RuleSet
  /** Whether the user has changed nothing: most users' events are then judged once for all of them. */
  readonly isDefault: boolean
}

/** The push rules of local users, as account data `m.push_rules` keeps them. */
export interface PushRules {
  of(userId: string): Promise<UserRules>
  /** After account data changed. */
  forget(userId: string): void
}

const CACHED = 20_000

export function createPushRules(deps: { readonly store: Store }): PushRules {
  const cache = createLoadingCache<string, UserRules>({
    max: CACHED,
    async load(userId) {
      const text = await deps.store.read('pushRules.of', () => accountData(userId, '', 'm.push_rules'))
      const stored = text === undefined ? NO_STORED_RULES : readStored(userId, JSON.parse(text) as Json)
      return { rules: rulesOf(userId, stored), isDefault: text === undefined }
    },
  })
  return {
    of: async (userId) => (await cache.get(userId))!,
    forget: (userId) => cache.forget(userId),
  }
}

export const pushRulesContent = (rules: RuleSet): JsonObject => ({ global: rules as unknown as JsonObject })

/** Finds in a stored `m.push_rules` what is the user's own; default rules of today stand in for those of then. */
export function readStored(userId: string, json: Json): StoredRules {
  const global = isObject(json) && isObject(json['global']) ? json['global'] : {}
  const own: Record<RuleKind, PushRule[]> = { override: [], content: [], room: [], sender: [], underride: [] }
  const changed: Record<string, { enabled?: boolean; actions?: PushRule['actions'] }> = {}
  for (const kind of RULE_KINDS) {
    const list = global[kind]
    const { before, after } = defaultRules(userId, kind)
    const known = new Map([...before, ...after].map((rule) => [rule.rule_id, rule]))
    for (const item of Array.isArray(list) ? (list as readonly Json[]) : []) {
      if (!isObject(item) || typeof item['rule_id'] !== 'string') continue
      const rule = item as unknown as PushRule
      const standard = known.get(rule.rule_id)
      if (standard === undefined) {
        if (!rule.default) own[kind].push(rule)
        continue
      }
      const differs: { enabled?: boolean; actions?: PushRule['actions'] } = {}
      if (rule.enabled !== standard.enabled) differs.enabled = rule.enabled
      if (JSON.stringify(rule.actions) !== JSON.stringify(standard.actions)) differs.actions = rule.actions
      if (Object.keys(differs).length > 0) changed[rule.rule_id] = differs
    }
  }
  return { own, changed }
}
