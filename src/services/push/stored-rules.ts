import { defaultRules, THREAD_RULES } from '../../core/push-rules/defaults.js'
import {
  POSTCONTENT,
  RULE_KINDS,
  type PushRule,
  type RuleKind,
  type StoredRules,
} from '../../core/push-rules/rules.js'
import { isObject, type Json } from '../../core/json/value.js'

/** Finds in a stored `m.push_rules` what is the user's own; default rules of today stand in for those of then. */
export function readStored(userId: string, json: Json): StoredRules {
  const global = isObject(json) && isObject(json['global']) ? json['global'] : {}
  const own: Record<RuleKind, PushRule[]> = { override: [], content: [], room: [], sender: [], underride: [] }
  const changed: Record<string, { enabled?: boolean; actions?: PushRule['actions'] }> = {}
  for (const kind of [...RULE_KINDS, POSTCONTENT] as const) {
    const list = global[kind]
    const { before, after } =
      kind === POSTCONTENT ? { before: THREAD_RULES, after: [] } : defaultRules(userId, kind)
    const known = new Map([...before, ...after].map((rule) => [rule.rule_id, rule]))
    for (const item of Array.isArray(list) ? (list as readonly Json[]) : []) {
      if (!isObject(item) || typeof item['rule_id'] !== 'string' || !Array.isArray(item['actions'])) continue
      const rule = item as unknown as PushRule
      const standard = known.get(rule.rule_id)
      if (standard === undefined) {
        if (!rule.default && kind !== POSTCONTENT) own[kind].push(rule)
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
