import { travels } from '../../core/account-move/moving-data.js'
import { MatrixError } from '../../core/errors.js'
import { canonicalJson } from '../../core/json/canonical.js'
import { ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import { RULE_KINDS, type PushRule, type RuleKind } from '../../core/push-rules/rules.js'
import { accountData, DELETED } from '../../storage/tables/account-data.js'
import { profileOf } from '../../storage/tables/profiles.js'
import type { Tx } from '../../storage/tx.js'
import { checkFieldName } from '../profile/field.js'
import { EXTERNAL_FIELD } from '../profile/profile.js'
import { readActions, readRule } from '../push/rule-format.js'
import { pushRulesContent } from '../push/push-rules.js'
import { readStored } from '../push/stored-rules.js'
import type { BundleBackup, DataEntry } from './bundle-part.js'
import { MOVED_FIELD, type AccountMovesDeps } from './move-context.js'

const MAX_RULES = 1_000
const MAX_FIELDS = 50

/**
 * What another server says of somebody, put into an account of this one. It is checked as if the person had written it, and takes nothing away: what the new
 * account has already, it keeps.
 */
export interface BundleImport {
  /** Fields that the profile has not. */
  profile(userId: string, profile: JsonObject): Promise<void>
  /** The version of the backup that takes the keys; undefined where the account has a backup of its own, or there is none. */
  backup(userId: string, backup: BundleBackup | undefined): Promise<string | undefined>
  /** In the transaction of the step. Post: where the account has no push rules of its own, it has these. */
  pushRules(userId: string, content: JsonObject | undefined): Tx<void>
  /** In the transaction of the step. */
  data(userId: string, entries: readonly DataEntry[], keyIds: readonly string[]): Tx<void>
  /** False where the backup is not there any more, or has had enough. */
  keys(userId: string, version: string, rooms: JsonObject): Promise<boolean>
}

export function createBundleImport(
  deps: Pick<AccountMovesDeps, 'store' | 'profile' | 'keyBackup' | 'pushRules' | 'accountData' | 'logger'>,
): BundleImport {
  const { store, keyBackup, accountData: data, logger } = deps

  /** Carries out what a person could be refused; then the account goes without it. */
  async function unlessRefused(userId: string, what: string, work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error
      logger.info({ err: error, userId, what }, 'a part of a bundle was not taken')
      return false
    }
  }

  /** What is refused is refused before anything is written: the transaction goes on without it. */
  function* putUnlessRefused(userId: string, room: string, type: string, content: JsonObject): Tx<void> {
    try {
      yield* data.put(userId, room, type, content)
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error
    }
  }

  return {
    async profile(userId, profile) {
      const known = await store.read('accountMoves.profile', () => profileOf(userId))
      const fields = Object.entries(profile).filter(
        ([field]) =>
          field !== EXTERNAL_FIELD && field !== MOVED_FIELD && known.every((row) => row.field !== field),
      )
      for (const [field, value] of fields.slice(0, MAX_FIELDS))
        await unlessRefused(userId, 'profile', async () => {
          checkFieldName(field)
          await deps.profile.setManaged(userId, field, value)
        })
    },

    async backup(userId, backup) {
      if (backup === undefined) return undefined
      const present = await keyBackup.version(userId).catch((error: unknown) => {
        if (error instanceof MatrixError && error.errcode === 'M_NOT_FOUND') return undefined
        throw error
      })
      if (present !== undefined) {
        const isSame =
          present.algorithm === backup.algorithm &&
          canonicalJson(present.auth_data, 'lenient') === canonicalJson(backup.authData, 'lenient')
        return isSame ? present.version : undefined
      }
      let made: string | undefined
      await unlessRefused(userId, 'key backup', async () => {
        made = (await keyBackup.createVersion(userId, backup.algorithm, backup.authData)).version
      })
      return made
    },

    *pushRules(userId, content) {
      if (content === undefined || (yield* accountData(userId, '', 'm.push_rules')) !== undefined) return
      const { own, changed } = readStored(userId, content)
      const checked = { ...own }
      let count = 0
      for (const kind of RULE_KINDS)
        checked[kind] = own[kind].filter((rule) => count++ < MAX_RULES && isSound(kind, rule))
      const sound = Object.entries(changed).filter(([, { actions }]) => areActions(actions))
      const rules = deps.pushRules.rulesOf(userId, { own: checked, changed: Object.fromEntries(sound) })
      yield* putUnlessRefused(userId, '', 'm.push_rules', pushRulesContent(rules))
    },

    *data(userId, entries, keyIds) {
      for (const { room, type, content } of entries) {
        if (!travels(type, content, keyIds)) continue
        const known = yield* accountData(userId, room, type)
        const has = known !== undefined && known !== DELETED
        if (has && type !== 'm.direct') continue
        yield* putUnlessRefused(
          userId,
          room,
          type,
          has ? merged(JSON.parse(known) as JsonObject, content) : content,
        )
      }
    },

    keys: (userId, version, rooms) =>
      unlessRefused(userId, 'keys of the backup', async () => {
        if (Object.keys(rooms).length > 0) await keyBackup.put(userId, version, {}, { rooms })
      }),
  }
}

/** Whether a person could set this rule. */
function isSound(kind: RuleKind, rule: PushRule): boolean {
  try {
    readRule(kind, rule.rule_id, true, rule as unknown as JsonObject)
    return typeof rule.enabled === 'boolean'
  } catch (error) {
    if (error instanceof MatrixError) return false
    throw error
  }
}

function areActions(actions: readonly unknown[] | undefined): boolean {
  try {
    return actions === undefined || readActions(actions as readonly Json[]).length >= 0
  } catch (error) {
    if (error instanceof MatrixError) return false
    throw error
  }
}

/** Direct conversations of both accounts. */
function merged(ours: JsonObject, theirs: JsonObject): JsonObject {
  const rooms = (value: Json | undefined): readonly Json[] =>
    Array.isArray(value) ? (value as readonly Json[]) : []
  const users = new Set([...Object.keys(ours), ...Object.keys(theirs)])
  return Object.fromEntries(
    [...users].map((user) => [
      user,
      [...new Set([...rooms(ownValue(ours, user)), ...rooms(ownValue(theirs, user))])],
    ]),
  )
}
