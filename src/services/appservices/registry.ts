import { createHash } from 'node:crypto'
import type { AppserviceRegistration, Namespace } from '../../core/appservice/registration.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import { createLru } from '../../platform/lru.js'
import type { AppserviceHooks, AppserviceIdentity } from '../accounts/appservice.js'

/** An application service, with what its namespaces say of ids. */
export interface Appservice extends AppserviceIdentity {
  readonly registration: AppserviceRegistration
  ownsAlias(alias: string): boolean
  ownsRoom(roomId: string): boolean
  /** Nobody else may be this user. */
  hasForItself(userId: string): boolean
}

/** The application services of this node, as they were registered at its start. */
export interface AppserviceRegistry extends AppserviceHooks {
  readonly all: readonly Appservice[]
  byId(id: string): Appservice | undefined
  /** The application service, if any, that claims the alias exclusively. */
  exclusiveAliasOwner(alias: string): string | undefined
}

/** User ids whose owner is remembered. Each costs a walk through the namespaces otherwise. */
const MAX_KNOWN = 50_000
const MAX_LOGGED = 1_000
const LOG_EVERY_MS = 60_000

const inside = (namespaces: readonly Namespace[], id: string): boolean =>
  namespaces.some(({ pattern }) => pattern.matches(id))

function createAppservice(registration: AppserviceRegistration, serverName: string): Appservice {
  const known = createLru<string, boolean>({ max: MAX_KNOWN })
  const exclusive = registration.users.filter((namespace) => namespace.exclusive)
  const isLocal = (id: string): boolean => serverNameOf(id) === serverName
  return {
    id: registration.id,
    senderUserId: registration.senderUserId,
    isRateLimited: registration.rateLimited,
    registration,
    ownsUser(userId) {
      if (userId === registration.senderUserId) return true
      const before = known.get(userId)
      if (before !== undefined) return before
      const owns = isLocal(userId) && inside(registration.users, userId)
      known.set(userId, owns)
      return owns
    },
    ownsAlias: (alias) => isLocal(alias) && inside(registration.aliases, alias),
    ownsRoom: (roomId) => inside(registration.rooms, roomId),
    hasForItself: (userId) =>
      userId === registration.senderUserId || (isLocal(userId) && inside(exclusive, userId)),
  }
}

export function createAppserviceRegistry(deps: {
  readonly registrations: readonly AppserviceRegistration[]
  readonly serverName: string
  readonly clock: Pick<Clock, 'monotonic'>
  readonly logger: Pick<Logger, 'warn'>
}): AppserviceRegistry {
  const { registrations, serverName, clock, logger } = deps
  const all = registrations.map((registration) => createAppservice(registration, serverName))
  // Tokens are compared by their hashes: how long it takes says nothing of a token that is nearly right.
  const digest = (token: string): string => createHash('sha256').update(token).digest('base64')
  const byToken = new Map(all.map((one) => [digest(one.registration.asToken), one]))
  const byId = new Map(all.map((one) => [one.id, one]))
  const lastLogged = createLru<string, number>({ max: MAX_LOGGED })

  return {
    all,
    byId: (id) => byId.get(id),
    byToken: (token) => (byToken.size === 0 ? undefined : byToken.get(digest(token))),
    exclusiveOwner: (userId) => all.find((one) => one.hasForItself(userId))?.id,
    exclusiveAliasOwner: (alias) =>
      all.find(
        (one) =>
          serverNameOf(alias) === serverName &&
          one.registration.aliases.some(({ exclusive, pattern }) => exclusive && pattern.matches(alias)),
      )?.id,
    refused(id, userId) {
      const key = `${id} ${userId}`
      const now = clock.monotonic()
      const before = lastLogged.get(key)
      if (before !== undefined && now - before < LOG_EVERY_MS) return
      lastLogged.set(key, now)
      logger.warn(
        { appservice: id, userId },
        'an application service tried to act as a user who is not its own',
      )
    },
  }
}
