import { appendTo } from '../../core/append-to.js'
import { isObject, ownValue, type JsonObject } from '../../core/json/value.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import type { Logger } from '../../platform/logger.js'
import { usersByIds } from '../../storage/tables/users.js'
import type { Store, Tx } from '../../storage/tx.js'

export interface UserState {
  readonly expired: boolean
  readonly deactivated: boolean
}
export type UserStateMap = Readonly<Record<string, UserState>>

/**
 * Whether accounts can still be used: what clients show beside a name.
 * NOTSPEC: `users/info`, as the clients of Tchap ask it.
 */
export interface UserStates {
  /** Accounts of this server and of members; those that are unknown, or whose server does not answer, are left out. */
  of(userIds: readonly string[]): Promise<UserStateMap>
  /** Accounts of this server alone, for another member. */
  ofLocal(userIds: readonly string[]): Promise<UserStateMap>
}

export const MAX_USERS_ASKED = 500
const SERVERS_AT_ONCE = 20

export function createUserStates(deps: {
  readonly store: Store
  readonly logger: Logger
  readonly serverName: string
  /** Whether it is a node of the same list. */
  isMember(serverName: string): boolean
  /** Rejects where the server gives no answer. */
  ask(serverName: string, userIds: readonly string[]): Promise<JsonObject>
  /** Those of the users who hide: nothing is said of them, as of those who do not exist. */
  hiddenOf?: ((userIds: readonly string[]) => Tx<ReadonlySet<string>>) | undefined
  /** Those of the users whose accounts have run out. */
  expiredOf?(userIds: readonly string[]): Tx<ReadonlySet<string>>
}): UserStates {
  const { store, serverName } = deps

  async function ofLocal(userIds: readonly string[]): Promise<UserStateMap> {
    const own = userIds.filter((userId) => serverNameOf(userId) === serverName).slice(0, MAX_USERS_ASKED)
    const { users, expired, hidden } = await store.read('accounts.states', function* () {
      return {
        users: yield* usersByIds(own),
        hidden: deps.hiddenOf === undefined ? new Set<string>() : yield* deps.hiddenOf(own),
        expired: deps.expiredOf === undefined ? new Set<string>() : yield* deps.expiredOf(own),
      }
    })
    return Object.fromEntries(
      users
        .filter((user) => !hidden.has(user.user_id))
        .map((user) => [
          user.user_id,
          { expired: expired.has(user.user_id), deactivated: user.deactivated === 1 },
        ]),
    )
  }

  async function ofRemote(server: string, userIds: readonly string[]): Promise<UserStateMap> {
    try {
      const answer = await deps.ask(server, userIds)
      return Object.fromEntries(
        userIds.flatMap((userId): [string, UserState][] => {
          const state = ownValue(answer, userId)
          if (!isObject(state)) return []
          const [expired, deactivated] = [ownValue(state, 'expired'), ownValue(state, 'deactivated')]
          return [[userId, { expired: expired === true, deactivated: deactivated === true }]]
        }),
      )
    } catch (error) {
      deps.logger.info({ err: error, server }, 'a member does not say how its accounts are')
      return {}
    }
  }

  return {
    ofLocal,
    async of(userIds) {
      const asked = [...new Set(userIds)].slice(0, MAX_USERS_ASKED)
      const remote = new Map<string, string[]>()
      for (const userId of asked) {
        const server = serverNameOf(userId)
        if (server !== undefined && server !== serverName && deps.isMember(server))
          appendTo(remote, server, userId)
      }
      const found = await Promise.all([
        ofLocal(asked),
        ...[...remote].slice(0, SERVERS_AT_ONCE).map(([server, ids]) => ofRemote(server, ids)),
      ])
      return Object.assign({}, ...found) as UserStateMap
    },
  }
}
