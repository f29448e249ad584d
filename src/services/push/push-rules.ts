import { setImmediate } from 'node:timers/promises'
import { rulesOf } from '../../core/push-rules/defaults.js'
import { NO_STORED_RULES, type RuleSet, type StoredRules } from '../../core/push-rules/rules.js'
import {
  INVITE_FILTER,
  INVITE_PERMISSION,
  readInvitePermission,
  type InvitePermission,
} from '../../core/invite-permission.js'
import { isObject, type Json, type JsonObject } from '../../core/json/value.js'
import { createLru } from '../../platform/lru.js'
import { accountDataOfUsers } from '../../storage/tables/account-data.js'
import type { Store } from '../../storage/tx.js'
import { readStored } from './stored-rules.js'

/** What a user has set that bears on notifications. */
export interface OwnSettings {
  /** Undefined where the user has changed nothing: most users' events are then judged once for all of them. */
  readonly rules: RuleSet | undefined
  /** Their messages notify nobody who ignores them. */
  readonly ignored: ReadonlySet<string>
  /** Invites that they do not want notify them of nothing either. */
  readonly invites: InvitePermission
}

/** The push rules of local users, as account data `m.push_rules` keeps them. */
export interface PushRules {
  /** The rules of somebody whom no rule names: they stand for all with default rules who are not mentioned. */
  readonly nobody: RuleSet
  /** Whether the rules look at which threads somebody follows (MSC4306). */
  readonly threads: boolean
  /** The default rules of a user with what they have changed, by default nothing. */
  rulesOf(userId: string, stored?: StoredRules): RuleSet
  of(userId: string): Promise<RuleSet>
  /** The settings of those of many users who have any. */
  ownOf(userIds: Iterable<string>): Promise<ReadonlyMap<string, OwnSettings>>
  /** The same for the members of a room; cheap while neither they nor anybody's settings change. */
  ownIn(members: ReadonlySet<string>): Promise<ReadonlyMap<string, OwnSettings>>
  /** After account data of one of `PUSH_DATA` changed. */
  forget(userId: string): void
}

/** Types of account data that are cached here. */
export const PUSH_DATA: readonly string[] = [
  'm.push_rules',
  'm.ignored_user_list',
  INVITE_PERMISSION,
  INVITE_FILTER,
]

const CACHED = 50_000
/** Users read in one query. */
const BATCH = 500
/** One object for all who have set nothing. */
const NOTHING: OwnSettings = {
  rules: undefined,
  ignored: new Set(),
  invites: readInvitePermission(undefined, undefined),
}

export function createPushRules(deps: { readonly store: Store; readonly threads?: boolean }): PushRules {
  const { threads = false } = deps
  const allRules = (userId: string, stored: StoredRules = NO_STORED_RULES): RuleSet =>
    rulesOf(userId, stored, threads)
  const cache = createLru<string, OwnSettings>({ max: CACHED })
  /** Rises whenever something is forgotten, so that a read begun before cannot bring the old back. */
  let epoch = 0
  // A room's set of members is another object after each change.
  const ofMembers = new WeakMap<
    ReadonlySet<string>,
    { epoch: number; own: ReadonlyMap<string, OwnSettings> }
  >()

  async function load(userIds: readonly string[]): Promise<Map<string, OwnSettings>> {
    const began = epoch
    const rows = await deps.store.read('pushRules.load', () => accountDataOfUsers(userIds, PUSH_DATA))
    const stored = new Map<string, Map<string, Json>>()
    for (const row of rows) {
      const own = stored.get(row.user_id) ?? new Map<string, Json>()
      stored.set(row.user_id, own.set(row.type, JSON.parse(row.content) as Json))
    }
    const found = new Map<string, OwnSettings>()
    for (const userId of userIds) {
      const settings = settingsOf(userId, stored.get(userId), allRules)
      found.set(userId, settings)
      if (epoch === began) cache.set(userId, settings)
    }
    return found
  }

  async function ownOf(userIds: Iterable<string>): Promise<Map<string, OwnSettings>> {
    const found = new Map<string, OwnSettings>()
    const keep = (userId: string, settings: OwnSettings): void => {
      if (settings !== NOTHING) found.set(userId, settings)
    }
    const missing: string[] = []
    for (const userId of userIds) {
      const known = cache.get(userId)
      if (known === undefined) missing.push(userId)
      else keep(userId, known)
    }
    for (let i = 0; i < missing.length; i += BATCH) {
      // Ten thousand members are many queries: others get their turn between them.
      if (i > 0) await setImmediate()
      for (const [userId, settings] of await load(missing.slice(i, i + BATCH))) keep(userId, settings)
    }
    return found
  }

  return {
    nobody: allRules('@:'),
    threads,
    rulesOf: allRules,
    ownOf,
    async ownIn(members) {
      const known = ofMembers.get(members)
      if (known?.epoch === epoch) return known.own
      const began = epoch
      const own = await ownOf(members)
      ofMembers.set(members, { epoch: began, own })
      return own
    },
    async of(userId) {
      return (await ownOf([userId])).get(userId)?.rules ?? allRules(userId)
    },
    forget(userId) {
      epoch++
      cache.delete(userId)
    },
  }
}

function settingsOf(
  userId: string,
  stored: ReadonlyMap<string, Json> | undefined,
  allRules: PushRules['rulesOf'],
): OwnSettings {
  if (stored === undefined) return NOTHING
  const rules = stored.get('m.push_rules')
  const list = stored.get('m.ignored_user_list')
  const users = isObject(list) ? list['ignored_users'] : undefined
  const own: StoredRules | undefined = rules === undefined ? undefined : readStored(userId, rules)
  return {
    rules: own === undefined ? undefined : allRules(userId, own),
    ignored: isObject(users) ? new Set(Object.keys(users)) : NOTHING.ignored,
    invites: readInvitePermission(stored.get(INVITE_PERMISSION), stored.get(INVITE_FILTER)),
  }
}

export const pushRulesContent = (rules: RuleSet): JsonObject => ({ global: rules as unknown as JsonObject })
