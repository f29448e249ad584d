import { adminActor } from '../../core/audit/acts.js'
import { forbidden, invalidParam, MatrixError, notFound } from '../../core/errors.js'
import { canonicalEmail } from '../../core/ids/email-address.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Random } from '../../platform/random.js'
import { devicesOfUser } from '../../storage/tables/devices.js'
import { profileOf } from '../../storage/tables/profiles.js'
import { threepidsOf } from '../../storage/tables/threepids.js'
import {
  countUsers,
  usersPage,
  type ListedUser,
  type UserFilter,
  type UserOrder,
} from '../../storage/tables/user-list.js'
import { userById, type UserRow } from '../../storage/tables/users.js'
import type { Store } from '../../storage/tx.js'
import type { Accounts } from '../accounts/accounts.js'
import { lowerAscii, userIdFor } from '../accounts/localpart.js'
import { deviceWish } from '../devices/devices.js'
import type { Bindings } from '../identity/bindings.js'
import type { Operator } from '../operator/operator.js'
import type { Profile } from '../profile/profile.js'
import type { Threepids } from '../threepids/threepids.js'
import { checkLocalId, localUser } from './local-user.js'

export type { UserOrder }

export interface UserQuery extends UserFilter {
  readonly order: UserOrder
  readonly descending: boolean
  readonly offset: number
  readonly limit: number
}

/** What an account shall be; undefined: as it is. */
export interface UserWish {
  readonly password?: string | undefined
  readonly logoutDevices: boolean
  /** Empty: none. */
  readonly displayName?: string | undefined
  readonly avatarUrl?: string | undefined
  /** All addresses of the account. */
  readonly emails?: readonly string[] | undefined
  readonly admin?: boolean | undefined
  readonly locked?: boolean | undefined
  readonly suspended?: boolean | undefined
  readonly deactivated?: boolean | undefined
}

/** Accounts of this server, for administrators. Users are named by whole ids. Throws M_INVALID_PARAM, M_NOT_FOUND. */
export interface UserAdministration {
  list(query: UserQuery): Promise<JsonObject>
  details(userId: string): Promise<JsonObject>
  /**
   * Makes the account, or changes it. It is checked before the first change, and changed step by step: what fails midway may be repeated.
   * Throws M_WEAK_PASSWORD, M_INVALID_USERNAME, M_FORBIDDEN, M_THREEPID_IN_USE, M_THREEPID_DENIED.
   */
  put(adminId: string, userId: string, wish: UserWish): Promise<{ created: boolean; user: JsonObject }>
  /**
   * A session of the user for an administrator, on a device of its own, which the user sees. Until: milliseconds since 1970. Throws
   * M_FORBIDDEN for administrators, M_USER_LOCKED, M_USER_DEACTIVATED.
   */
  logInAs(
    adminId: string,
    userId: string,
    until: number | undefined,
  ): Promise<{ access_token: string; device_id: string }>
  isAdmin(userId: string): Promise<boolean>
  /** Throws M_NOT_FOUND. */
  byThreepid(medium: string, address: string): Promise<string>
  /** Throws M_NOT_FOUND unless there is such an account; for what has no use case of its own. */
  checkExists(userId: string): Promise<void>
}

export const MAX_PAGE = 1_000

const parsed = (json: string | null): Json => (json === null ? null : (JSON.parse(json) as Json))

const listed = (row: ListedUser): JsonObject => ({
  name: row.user_id,
  user_type: null,
  is_guest: row.is_guest === 1,
  admin: row.is_admin === 1,
  deactivated: row.deactivated === 1,
  shadow_banned: false,
  displayname: parsed(row.displayname),
  avatar_url: parsed(row.avatar_url),
  creation_ts: row.created_ts,
  approved: true,
  erased: row.erased === 1,
  last_seen_ts: row.last_seen_ts,
  locked: row.locked === 1,
  suspended: row.suspended === 1,
})

export function createUserAdministration(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly random: Random
  readonly serverName: string
  readonly accounts: Pick<Accounts, 'sessions' | 'moderation' | 'credentials'>
  readonly operator: Pick<Operator, 'register' | 'resetPassword' | 'setAdmin' | 'deactivate'>
  readonly profile: Pick<Profile, 'setManaged'>
  readonly threepids: Pick<Threepids, 'replace' | 'ownerOf'>
  readonly bindings: Pick<Bindings, 'unbind'>
}): UserAdministration {
  const { store, clock, random, serverName, accounts, operator, profile, threepids } = deps

  const userOf = (userId: string): Promise<UserRow> =>
    store.read('administration.user', () => localUser(userId, serverName))

  async function details(userId: string): Promise<JsonObject> {
    const { user, fields, addresses, devices } = await store.read('administration.details', function* () {
      return {
        user: yield* localUser(userId, serverName),
        fields: yield* profileOf(userId),
        addresses: yield* threepidsOf(userId),
        devices: yield* devicesOfUser(userId),
      }
    })
    const field = (name: string): Json => parsed(fields.find((row) => row.field === name)?.value ?? null)
    const seen = devices.flatMap((device) => device.last_seen_ts ?? [])
    return {
      name: userId,
      displayname: field('displayname'),
      avatar_url: field('avatar_url'),
      threepids: addresses.map((row) => ({
        medium: row.medium,
        address: row.address,
        validated_at: row.validated_ts,
        added_at: row.added_ts,
      })),
      is_guest: user.is_guest === 1,
      admin: user.is_admin === 1,
      deactivated: user.deactivated === 1,
      erased: user.erased === 1,
      locked: user.locked === 1,
      suspended: user.suspended === 1,
      shadow_banned: false,
      approved: true,
      // Seconds here, milliseconds in lists: tools reckon with it.
      creation_ts: Math.floor(user.created_ts / 1000),
      last_seen_ts: seen.length === 0 ? null : Math.max(...seen),
      appservice_id: user.appservice_id,
      consent_server_notice_sent: null,
      consent_version: null,
      consent_ts: null,
      external_ids: [],
      user_type: null,
    }
  }

  function check(adminId: string, user: UserRow | undefined, wish: UserWish): void {
    if (wish.password !== undefined) accounts.credentials.checkPassword(wish.password)
    for (const address of wish.emails ?? [])
      if (canonicalEmail(address) === undefined)
        throw invalidParam('This is not an e-mail address that is accepted')
    if (user?.deactivated === 1 && wish.deactivated !== true)
      throw invalidParam(`${user.user_id} is deactivated, and stays so`)
    if (user === undefined && wish.deactivated === true)
      throw invalidParam('An account is not made to be closed at once')
    if (user?.user_id !== adminId) return
    if (wish.admin === false) throw forbidden('You cannot take your own rights away')
    if (wish.locked === true || wish.suspended === true || wish.deactivated === true)
      throw forbidden('You cannot do this to your own account')
  }

  async function change(adminId: string, userId: string, before: UserRow, wish: UserWish): Promise<void> {
    const by = adminActor(adminId)
    if (wish.displayName !== undefined) await profile.setManaged(userId, 'displayname', wish.displayName)
    if (wish.avatarUrl !== undefined) await profile.setManaged(userId, 'avatar_url', wish.avatarUrl)
    if (wish.emails !== undefined)
      for (const address of await threepids.replace(userId, wish.emails, by))
        await deps.bindings.unbind(userId, 'email', address, undefined)
    if (wish.password !== undefined)
      await operator.resetPassword(userId, wish.password, wish.logoutDevices, by)
    const setsAdmin = wish.admin !== undefined && wish.admin !== (before.is_admin === 1)
    // Administrators are neither locked nor suspended: who shall be stops to be one first.
    if (setsAdmin && wish.admin === false) await operator.setAdmin(userId, false, by)
    for (const flag of ['locked', 'suspended'] as const) {
      const wanted = wish[flag]
      if (wanted !== undefined && wanted !== (before[flag] === 1))
        await accounts.moderation.set(adminId, userId, flag, wanted)
    }
    if (setsAdmin && wish.admin === true) await operator.setAdmin(userId, true, by)
    if (wish.deactivated === true) await operator.deactivate(userId, false, by)
  }

  return {
    async list({ order, descending, offset, limit, ...filter }) {
      const size = Math.min(limit, MAX_PAGE)
      const lower = {
        ...filter,
        name: filter.name === undefined ? undefined : lowerAscii(filter.name),
        userId: filter.userId === undefined ? undefined : lowerAscii(filter.userId),
      }
      const { users, total } = await store.read('administration.users', function* () {
        return {
          users: yield* usersPage(lower, { order, descending, offset, limit: size }),
          total: yield* countUsers(lower),
        }
      })
      const next = offset + users.length
      return {
        users: users.map(listed),
        total,
        ...(users.length > 0 && next < total ? { next_token: String(next) } : {}),
      }
    },

    details,

    async put(adminId, userId, wish) {
      checkLocalId(userId, serverName)
      const known = await store.read('administration.known', () => userById(userId))
      check(adminId, known, wish)
      if (known === undefined) {
        const localpart = userId.slice(1, userId.indexOf(':'))
        if (userIdFor(localpart, serverName) !== userId)
          throw new MatrixError('M_INVALID_USERNAME', 'A user name is in lower case')
        await operator.register({
          localpart,
          password: wish.password,
          admin: wish.admin ?? false,
          by: adminActor(adminId),
          ...(wish.displayName === undefined || wish.displayName === ''
            ? {}
            : { displayName: wish.displayName }),
        })
        const { password: _set, admin: _given, ...rest } = wish
        await change(adminId, userId, await userOf(userId), rest)
      } else if (known.deactivated === 0) await change(adminId, userId, known, wish)
      return { created: known === undefined, user: await details(userId) }
    },

    async logInAs(adminId, userId, until) {
      checkLocalId(userId, serverName)
      const lifetime = until === undefined ? undefined : until - clock.now()
      if (lifetime !== undefined && lifetime <= 0) throw invalidParam('valid_until_ms is in the past')
      const device = deviceWish(random, undefined, 'Administrator')
      const session = await accounts.sessions.open(
        userId,
        device,
        false,
        function* () {
          const user = yield* localUser(userId, serverName)
          if (user.deactivated === 1)
            throw new MatrixError('M_USER_DEACTIVATED', 'This account is deactivated')
          if (user.locked === 1) throw forbidden('This account is locked')
          // What one administrator does would bear the name of another.
          if (user.is_admin === 1) throw forbidden('The user is an administrator')
        },
        {
          lifetimeMs: lifetime,
          told: { by: adminActor(adminId), details: { how: 'administrator', device: device.deviceId } },
        },
      )
      return { access_token: session.access_token, device_id: session.device_id }
    },

    isAdmin: async (userId) => (await userOf(userId)).is_admin === 1,

    async byThreepid(medium, address) {
      const owner = medium === 'email' ? await threepids.ownerOf(address) : undefined
      if (owner === undefined) throw notFound('No account has this address')
      return owner
    },

    async checkExists(userId) {
      await userOf(userId)
    },
  }
}
