import type { Json, JsonObject } from '../../core/json/value.js'
import { isObject } from '../../core/json/value.js'
import { invalidParam } from '../../core/errors.js'
import type { Random } from '../../platform/random.js'
import type { AccountValidity } from '../account-validity/account-validity.js'
import type { Accounts } from '../accounts/accounts.js'
import type { UserData } from '../administration/user-data.js'
import type { UserAdministration } from '../administration/users.js'
import type { Operator } from '../operator/operator.js'
import { actorOf, argument, type Act } from './act.js'
import { madeUpPassword } from './made-up-password.js'
import type { Subjects } from './subjects.js'

export interface AccountActsDeps {
  readonly random: Random
  readonly subjects: Subjects
  readonly accounts: Pick<Accounts, 'moderation' | 'sessions' | 'credentials'>
  readonly users: Pick<UserAdministration, 'details'>
  readonly userData: Pick<UserData, 'memberships' | 'devices'>
  readonly operator: Pick<Operator, 'resetPassword' | 'deactivate'>
  readonly accountValidity: AccountValidity | undefined
}

const MAX_ROOMS = 2_000

/** What is known of an account, and the ways into it. */
export function accountActs(deps: AccountActsDeps) {
  const { random, subjects, accounts, users, userData, operator } = deps
  const newPassword = (): string => madeUpPassword(random, accounts.credentials.passwordPolicy)

  async function lastSeen(userId: string): Promise<{ devices: number; lastSeen: string | null }> {
    const devices = await userData.devices(userId)
    const times = devices.flatMap(({ last_seen_ts: seen }) => (typeof seen === 'number' ? [seen] : []))
    return {
      devices: devices.length,
      lastSeen: times.length === 0 ? null : new Date(Math.max(...times)).toISOString(),
    }
  }

  const user: Act = {
    async plan(_by, given) {
      const { user_id: userId } = await subjects.find(argument(given, 'user'))
      return { arguments: new Map([['user', userId]]), will: `Shows the account ${userId}.` }
    },
    async run(_by, planned) {
      const userId = argument(planned, 'user')
      const details = await users.details(userId)
      const addresses: readonly Json[] = Array.isArray(details['threepids']) ? details['threepids'] : []
      const expires = await deps.accountValidity?.expiryOf(userId)
      const moved = await subjects.movedTo(userId)
      const shown: JsonObject = {
        user_id: userId,
        displayname: details['displayname'] ?? null,
        emails: addresses.flatMap((row) => (isObject(row) ? (row['address'] ?? []) : [])),
        admin: details['admin'] ?? false,
        locked: details['locked'] ?? false,
        suspended: details['suspended'] ?? false,
        deactivated: details['deactivated'] ?? false,
        erased: details['erased'] ?? false,
        guest: details['is_guest'] ?? false,
        appservice_id: details['appservice_id'] ?? null,
        ...(moved === undefined ? {} : { moved_to: moved }),
        created: new Date(Number(details['creation_ts']) * 1000).toISOString(),
        ...(expires === undefined
          ? {}
          : { expires: expires === null ? null : new Date(expires).toISOString() }),
        ...(await lastSeen(userId)),
      }
      const states = ['deactivated', 'locked', 'suspended'].filter((state) => shown[state] === true)
      return {
        words: `${userId} is ${states.length === 0 ? 'in use' : states.join(' and ')}.`,
        details: shown,
      }
    },
  }

  const memberships: Act = {
    plan: (_by, given) =>
      Promise.resolve({ arguments: given, will: `Shows the rooms of ${argument(given, 'user')}.` }),
    async run(_by, planned) {
      const userId = argument(planned, 'user')
      const all = Object.entries(await userData.memberships(userId))
      const shown = all.slice(0, MAX_ROOMS)
      return {
        words: `${userId} has ${all.length} room${all.length === 1 ? '' : 's'}, past ones counted.`,
        details: {
          memberships: Object.fromEntries(shown),
          ...(shown.length < all.length ? { left_out: all.length - shown.length } : {}),
        },
      }
    },
  }

  const flag = (value: boolean): Act => ({
    async plan(by, given) {
      const { user: subject, arguments: planned, who } = await subjects.planned(by, given)
      const moved = value ? undefined : await subjects.movedTo(subject.user_id)
      const past =
        moved === undefined ? '' : ` This person has moved to ${moved}, and would have two accounts.`
      return {
        arguments: planned,
        will: value
          ? `${who} is locked: nobody can use the account, its sessions wait.`
          : `${who} is unlocked: whoever has its password or a session can use it again.${past}`,
      }
    },
    async run(by, planned) {
      const { user_id: userId, locked } = await subjects.changeable(by, argument(planned, 'user'))
      const state = value ? 'locked' : 'unlocked'
      const changed = (locked === 1) !== value
      if (changed) await accounts.moderation.set(by.userId, userId, 'locked', value, by.way)
      return {
        words: changed
          ? `${userId} is ${state} now.`
          : `${userId} is ${value ? 'locked' : 'not locked'} already.`,
        details: { user_id: userId, locked: value, changed },
      }
    },
  })

  const logOut: Act = {
    async plan(by, given) {
      const { user, arguments: planned, who } = await subjects.planned(by, given)
      const { devices } = await lastSeen(user.user_id)
      return {
        arguments: planned,
        will: `All sessions of ${who} end, ${devices} of them; their devices and keys are deleted.`,
      }
    },
    async run(by, planned) {
      const { user_id: userId } = await subjects.changeable(by, argument(planned, 'user'))
      const { devices } = await lastSeen(userId)
      await accounts.sessions.logoutAll(userId, actorOf(by))
      return {
        words: `The sessions of ${userId} have ended.`,
        details: { user_id: userId, sessions: devices },
      }
    },
  }

  const resetPassword: Act = {
    async plan(by, given) {
      const { user, arguments: planned, who } = await subjects.planned(by, given)
      if (user.deactivated === 1)
        throw invalidParam(`${user.user_id} is deactivated: \`reactivate\` opens it`)
      return {
        arguments: planned,
        will: `${who} gets another password, made up by the node and shown to you; all its sessions end.`,
      }
    },
    async run(by, planned) {
      const { user_id: userId } = await subjects.changeable(by, argument(planned, 'user'))
      const password = newPassword()
      await operator.resetPassword(userId, password, true, actorOf(by))
      return {
        words: `${userId} has another password, and its sessions have ended.`,
        details: { user_id: userId },
        secrets: { password },
      }
    },
  }

  const deactivate: Act = {
    async plan(by, given) {
      const { user, arguments: planned, who } = await subjects.planned(by, given)
      if (user.deactivated === 1) throw invalidParam(`${user.user_id} is deactivated already`)
      const erases = given.has('erase')
      return {
        arguments: planned,
        will:
          `${who} is closed: its sessions end, it leaves all rooms, its e-mail addresses serve no account any more.` +
          (erases
            ? ' Its profile and settings are deleted, what it wrote is hidden from whoever comes later, and it can never be opened again.'
            : ''),
      }
    },
    async run(by, planned) {
      const { user_id: userId, deactivated } = await subjects.changeable(by, argument(planned, 'user'))
      const erase = planned.has('erase')
      if (deactivated === 0) await operator.deactivate(userId, erase, actorOf(by))
      return {
        words: `${userId} is closed${deactivated === 1 ? ' already' : ' now'}.`,
        details: { user_id: userId, erase, changed: deactivated === 0 },
      }
    },
  }

  const reactivate: Act = {
    async plan(by, given) {
      const { user, arguments: planned, who } = await subjects.planned(by, given)
      if (user.deactivated === 0) throw invalidParam(`${user.user_id} is not deactivated`)
      if (user.erased === 1) throw invalidParam(`${user.user_id} was erased, and stays closed`)
      if (user.cleanup_pending === 1)
        throw invalidParam(`${user.user_id} still leaves its rooms; try again in a while`)
      return {
        arguments: planned,
        will: `${who} is opened again, with a password made up by the node and shown to you. It is in no room, and has no e-mail address.`,
      }
    },
    async run(by, planned) {
      const { user_id: userId, deactivated } = await subjects.changeable(by, argument(planned, 'user'))
      const password = newPassword()
      // What was opened just before a crash was told nobody its password.
      if (deactivated === 1) await accounts.credentials.reactivate(userId, password, actorOf(by))
      else await operator.resetPassword(userId, password, true, actorOf(by))
      return {
        words: `${userId} is open again.`,
        details: { user_id: userId },
        secrets: { password },
      }
    },
  }

  return {
    user,
    memberships,
    lock: flag(true),
    unlock: flag(false),
    log_out: logOut,
    reset_password: resetPassword,
    deactivate,
    reactivate,
  } as const
}
