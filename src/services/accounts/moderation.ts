import {
  adminActor,
  OPERATOR,
  type Act,
  type ActName,
  type Actor,
  type ActWay,
} from '../../core/audit/acts.js'
import { forbidden, invalidParam, notFound } from '../../core/errors.js'
import { parseUserId } from '../../core/ids/user-id.js'
import { devicesOfUser } from '../../storage/tables/devices.js'
import { forgetPushesOf } from '../../storage/tables/pushers.js'
import { setUserFlag, userById, type UserRow } from '../../storage/tables/users.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { AuditTrail } from '../audit/trail.js'
import type { TokenCache } from '../devices/token-cache.js'

export type ModerationFlag = 'locked' | 'suspended'

/**
 * What administrators do to accounts. That the caller is one is checked before (route auth `admin`), so that nobody
 * else learns which accounts exist.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#server-administration
 */
export interface Moderation {
  /** Throws M_INVALID_PARAM for users of other servers, M_NOT_FOUND, M_FORBIDDEN for other administrators. */
  get(adminId: string, userId: string, flag: ModerationFlag): Promise<boolean>
  /** As `get`; M_FORBIDDEN also for oneself. `adminId` undefined: whoever has the machine. `why` stands in the audit log, in the same transaction. */
  set(
    adminId: string | undefined,
    userId: string,
    flag: ModerationFlag,
    value: boolean,
    way?: ActWay,
    why?: Pick<Act, 'reason' | 'details'>,
  ): Promise<void>
  /** The body of `GET /admin/whois`. Throws M_INVALID_PARAM, M_NOT_FOUND. */
  whois(userId: string): Promise<object>
  /** Makes an administrator or takes the rights away. Throws M_INVALID_PARAM, M_NOT_FOUND. */
  setAdmin(userId: string, admin: boolean, by?: Actor): Promise<void>
}

const ACT_OF: Readonly<Record<ModerationFlag, readonly [set: ActName, unset: ActName]>> = {
  locked: ['account.locked', 'account.unlocked'],
  suspended: ['account.suspended', 'account.unsuspended'],
}

export function createModeration(deps: {
  readonly store: Store
  readonly serverName: string
  readonly tokenCache: TokenCache
  readonly audit: AuditTrail
}): Moderation {
  const { store, serverName, tokenCache, audit } = deps

  function checkLocal(userId: string): void {
    const id = parseUserId(userId)
    if (id === undefined) throw invalidParam('This is not a user id')
    if (id.domain !== serverName) throw invalidParam('The user does not belong to this server')
  }

  function* active(userId: string): Tx<UserRow> {
    const user = yield* userById(userId)
    if (user === undefined || user.deactivated === 1) throw notFound('There is no such active account')
    return user
  }

  function* moderated(adminId: string | undefined, userId: string): Tx<UserRow> {
    const user = yield* active(userId)
    if (user.is_admin === 1 && userId !== adminId) throw forbidden('The user is an administrator too')
    return user
  }

  return {
    async get(adminId, userId, flag) {
      checkLocal(userId)
      const user = await store.read('moderation.get', () => moderated(adminId, userId))
      return user[flag] === 1
    },
    async set(adminId, userId, flag, value, way, why = {}) {
      checkLocal(userId)
      if (userId === adminId) throw forbidden('You cannot do this to your own account')
      await store.write('moderation.set', function* () {
        yield* moderated(adminId, userId)
        yield* setUserFlag(userId, flag, value)
        // Nobody reads on a locked account what was said meanwhile, nor before.
        if (flag === 'locked' && value) yield* forgetPushesOf(userId)
        yield* audit.record({
          act: ACT_OF[flag][value ? 0 : 1],
          by: adminId === undefined ? OPERATOR : adminActor(adminId, way),
          on: userId,
          ...why,
        })
      })
      tokenCache.forget(userId)
    },
    async setAdmin(userId, admin, by = OPERATOR) {
      checkLocal(userId)
      await store.write('moderation.setAdmin', function* () {
        yield* active(userId)
        yield* setUserFlag(userId, 'is_admin', admin)
        yield* audit.record({
          act: admin ? 'account.admin_granted' : 'account.admin_revoked',
          by,
          on: userId,
        })
      })
      tokenCache.forget(userId)
    },
    async whois(userId) {
      checkLocal(userId)
      const rows = await store.read('moderation.whois', function* () {
        if ((yield* userById(userId)) === undefined) throw notFound('There is no such account')
        return yield* devicesOfUser(userId)
      })
      // Device ids are chosen by clients: `fromEntries` defines keys, so that none of them is special.
      const devices = Object.fromEntries(
        rows.map((row) => [
          row.device_id,
          {
            sessions: [
              {
                connections:
                  row.last_seen_ts === null
                    ? []
                    : [
                        {
                          ip: row.last_seen_ip ?? '',
                          last_seen: row.last_seen_ts,
                          user_agent: row.last_seen_user_agent ?? '',
                        },
                      ],
              },
            ],
          },
        ]),
      )
      return { user_id: userId, devices }
    },
  }
}
