import { MatrixError, invalidParam, notFound } from '../../core/errors.js'
import {
  NO_STORED_RULES,
  POSTCONTENT,
  RULE_KINDS,
  type Action,
  type PushRule,
  type RuleKind,
  type StoredRules,
} from '../../core/push-rules/rules.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import type { Notifier } from '../../platform/notifier.js'
import { accountData as storedData } from '../../storage/tables/account-data.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import type { Store } from '../../storage/tx.js'
import type { AccountData } from '../account-data/account-data.js'
import { pushRulesContent, type PushRules } from './push-rules.js'
import { isRuleKind, readActions, readRule } from './rule-format.js'
import { readStored } from './stored-rules.js'

export interface RulePlace {
  /** The rule that the new one is to stand right before; it wins over `after`. */
  readonly before?: string | undefined
  readonly after?: string | undefined
}

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#push-rules-api */
export interface RuleEditor {
  /** Throws M_NOT_FOUND. */
  get(userId: string, kind: string, ruleId: string): Promise<PushRule>
  /** Throws M_INVALID_PARAM, M_MISSING_PARAM, M_TOO_LARGE; M_UNKNOWN with status 400 for a place that is not there. */
  put(userId: string, kind: string, ruleId: string, rule: JsonObject, place: RulePlace): Promise<void>
  /** Throws M_NOT_FOUND, for default rules too. */
  remove(userId: string, kind: string, ruleId: string): Promise<void>
  setEnabled(userId: string, kind: string, ruleId: string, enabled: boolean): Promise<void>
  /** Throws M_NOT_FOUND, M_INVALID_PARAM. */
  setActions(userId: string, kind: string, ruleId: string, actions: Json | undefined): Promise<void>
}

export interface RuleEditorDeps {
  readonly store: Store
  readonly accountData: Pick<AccountData, 'put'>
  readonly pushRules: Pick<PushRules, 'of' | 'forget' | 'rulesOf'>
  readonly notifier: Pick<Notifier, 'notify'>
}

const MAX_RULES = 10_000

const unknownRule = (): MatrixError => notFound('The push rule was not found')

export function createRuleEditor(deps: RuleEditorDeps): RuleEditor {
  /** Reads, changes and writes a user's rules as one. */
  async function edit(userId: string, change: (stored: StoredRules) => StoredRules): Promise<void> {
    await deps.store.write('pushRules.edit', function* () {
      // First of all, and not as late as elsewhere: its lock keeps two changes from reading the same old rules.
      yield* allocatePosition()
      const text = yield* storedData(userId, '', 'm.push_rules')
      const stored = text === undefined ? NO_STORED_RULES : readStored(userId, JSON.parse(text) as Json)
      const content = pushRulesContent(deps.pushRules.rulesOf(userId, change(stored)))
      yield* deps.accountData.put(userId, '', 'm.push_rules', content)
    })
    deps.pushRules.forget(userId)
    deps.notifier.notify([userId])
  }

  /** With the kind of which there are default rules only. */
  function knownKind(kind: string): RuleKind | typeof POSTCONTENT {
    if (!isRuleKind(kind) && kind !== POSTCONTENT) throw unknownRule()
    return kind
  }

  /** Changes the named rule, a default one or the user's own. Throws M_NOT_FOUND. */
  function amend(
    userId: string,
    kind: RuleKind | typeof POSTCONTENT,
    ruleId: string,
    difference: { readonly enabled?: boolean; readonly actions?: readonly Action[] },
  ): Promise<void> {
    return edit(userId, (stored) => {
      const all = deps.pushRules.rulesOf(userId, stored)[kind]
      const rule = all?.find((item) => item.rule_id === ruleId)
      if (rule === undefined) throw unknownRule()
      if (rule.default || kind === POSTCONTENT) {
        const changed = new Map(Object.entries(stored.changed))
        changed.set(ruleId, { ...changed.get(ruleId), ...difference })
        return { ...stored, changed: Object.fromEntries(changed) }
      }
      const own = stored.own[kind].map((item) =>
        item.rule_id === ruleId ? { ...item, ...difference } : item,
      )
      return withOwn(stored, kind, own)
    })
  }

  return {
    async get(userId, kind, ruleId) {
      const rules = (await deps.pushRules.of(userId))[knownKind(kind)]
      const rule = rules?.find((item) => item.rule_id === ruleId)
      if (rule === undefined) throw unknownRule()
      return rule
    },

    async put(userId, kind, ruleId, json, place) {
      if (!isRuleKind(kind)) throw invalidParam(`The kind of a rule is one of ${RULE_KINDS.join(', ')}`)
      // Checked before the transaction, which then only finds out whether there is one already.
      const rule = readRule(kind, ruleId, true, json)
      await edit(userId, (stored) => {
        const list = stored.own[kind]
        const known = list.find((item) => item.rule_id === ruleId)
        if (
          known === undefined &&
          RULE_KINDS.reduce((n, each) => n + stored.own[each].length, 0) >= MAX_RULES
        )
          throw new MatrixError('M_RESOURCE_LIMIT_EXCEEDED', `A user has at most ${MAX_RULES} push rules`)
        return withOwn(stored, kind, placed(list, { ...rule, enabled: known?.enabled ?? true }, place))
      })
    },

    async remove(userId, kind, ruleId) {
      const known = knownKind(kind)
      if (known === POSTCONTENT) throw unknownRule()
      await edit(userId, (stored) => {
        const list = stored.own[known].filter((item) => item.rule_id !== ruleId)
        if (list.length === stored.own[known].length) throw unknownRule()
        return withOwn(stored, known, list)
      })
    },

    async setEnabled(userId, kind, ruleId, enabled) {
      await amend(userId, knownKind(kind), ruleId, { enabled })
    },

    async setActions(userId, kind, ruleId, actions) {
      const known = knownKind(kind)
      await amend(userId, known, ruleId, { actions: readActions(actions) })
    },
  }
}

const withOwn = (stored: StoredRules, kind: RuleKind, rules: readonly PushRule[]): StoredRules => ({
  ...stored,
  own: { ...stored.own, [kind]: rules },
})

/** The list with the rule in its place: where it is asked to be, else where it was, else first. */
function placed(list: readonly PushRule[], rule: PushRule, { before, after }: RulePlace): PushRule[] {
  const others = list.filter((item) => item.rule_id !== rule.rule_id)
  const anchor = before ?? after
  if (anchor === undefined) {
    const known = list.findIndex((item) => item.rule_id === rule.rule_id)
    return others.toSpliced(Math.max(known, 0), 0, rule)
  }
  const at = others.findIndex((item) => item.rule_id === anchor)
  if (at === -1) throw new MatrixError('M_UNKNOWN', `before/after rule not found: ${anchor}`, {}, 400)
  return others.toSpliced(before === undefined ? at + 1 : at, 0, rule)
}
