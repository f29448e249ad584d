import { MatrixError } from '../../core/errors.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Random } from '../../platform/random.js'
import {
  countPushers,
  deletePusher,
  deletePushers,
  deletePushersOfOthers,
  markBadgesDue,
  pusherByUnsubscribe,
  pushersOf,
  upsertPusher,
  type PusherRow,
} from '../../storage/tables/pushers.js'
import { readPosition } from '../../storage/tables/positions.js'
import { threepidOwner } from '../../storage/tables/threepids.js'
import type { Store } from '../../storage/tx.js'
import type { Requester } from '../requester.js'
import { pusherKey, readPusher, type GatewayRules } from './pusher-format.js'
import type { PushWatch } from './watch.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#push-notifications */
export interface Pushers {
  /**
   * Sets or, with `kind: null`, removes a pusher. Throws M_MISSING_PARAM, M_INVALID_PARAM; M_THREEPID_NOT_FOUND for mail to an address
   * that is not the account's; M_RESOURCE_LIMIT_EXCEEDED.
   */
  set(requester: Requester, body: JsonObject): Promise<void>
  list(userId: string): Promise<readonly JsonObject[]>
  /** The user has read something: gateways are told of the number of unread messages. */
  onRead(userId: string): void
  /** Whom a link in a mail is for; undefined for a link that is void. */
  unsubscribeTarget(token: string): Promise<{ readonly address: string } | undefined>
  /** Ends mail to an address. False for a link that is void. */
  unsubscribe(token: string): Promise<boolean>
}

export interface PushersDeps {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly random: Pick<Random, 'string'>
  readonly watch: Pick<PushWatch, 'add' | 'users'>
  readonly gatewayRules: GatewayRules
  /** Whether mail is sent here. */
  readonly sendsMail: boolean
  /** After it is on disk that they may have something to do. */
  wake(pusherIds: readonly number[]): void
  onError(error: unknown): void
}

/** NOTSPEC: of one user. */
const MAX_PUSHERS = 100
const TOKEN_CHARACTERS = 40

const view = (row: PusherRow): JsonObject => ({
  pushkey: row.pushkey,
  kind: row.kind,
  app_id: row.app_id,
  app_display_name: row.app_display_name,
  device_display_name: row.device_display_name,
  ...(row.profile_tag === null ? {} : { profile_tag: row.profile_tag }),
  lang: row.lang,
  data: JSON.parse(row.data) as Json,
})

export function createPushers(deps: PushersDeps): Pushers {
  const { store, clock, random, watch } = deps
  /** Users whose number of unread messages may be another, until it is on disk. */
  let readers: Set<string> | undefined

  async function flushReaders(): Promise<void> {
    const users = [...readers!]
    readers = undefined
    deps.wake(await store.write('pushers.read', () => markBadgesDue(users)))
  }

  return {
    async set(requester, body) {
      const { userId, deviceId } = requester
      if (body['kind'] === null) {
        const { appId, pushkey } = pusherKey(body)
        await store.write('pushers.delete', () => deletePusher(userId, appId, pushkey))
        return
      }
      const wish = readPusher(body, deps.gatewayRules)
      const isMail = wish.kind === 'email'
      if (isMail && !deps.sendsMail) throw new MatrixError('M_UNKNOWN', 'This server sends no mail', {}, 400)
      const unsubscribe = isMail ? random.string(TOKEN_CHARACTERS) : null
      // Before it is stored: an event that comes right after must not be overlooked.
      watch.add(userId)
      const pusherId = await store.write('pushers.set', function* () {
        if (isMail && (yield* threepidOwner('email', wish.pushkey)) !== userId)
          throw new MatrixError('M_THREEPID_NOT_FOUND', 'This is no address of this account', {}, 400)
        if (!wish.append) yield* deletePushersOfOthers(userId, wish.appId, wish.pushkey)
        const id = yield* upsertPusher({
          user_id: userId,
          app_id: wish.appId,
          pushkey: wish.pushkey,
          kind: wish.kind,
          app_display_name: wish.appDisplayName,
          device_display_name: wish.deviceDisplayName,
          profile_tag: wish.profileTag ?? null,
          lang: wish.lang,
          data: JSON.stringify(wish.data),
          // Mail is wanted by the person, whatever becomes of the session.
          device_id: isMail ? null : (deviceId ?? null),
          pushkey_ts: clock.now(),
          since_pos: yield* readPosition(),
          unsubscribe,
        })
        if ((yield* countPushers(userId)) > MAX_PUSHERS)
          throw new MatrixError('M_RESOURCE_LIMIT_EXCEEDED', `A user has at most ${MAX_PUSHERS} pushers`)
        return id
      })
      deps.wake([pusherId])
    },

    async list(userId) {
      return (await store.read('pushers.list', () => pushersOf(userId))).map(view)
    },

    onRead(userId) {
      if (!watch.users.has(userId)) return
      if (readers !== undefined) {
        readers.add(userId)
        return
      }
      // Receipts of one moment are told together.
      readers = new Set([userId])
      setImmediate(() => void flushReaders().catch(deps.onError))
    },

    async unsubscribeTarget(token) {
      const row = await store.read('pushers.byToken', () => pusherByUnsubscribe(token))
      return row === undefined ? undefined : { address: row.pushkey }
    },

    unsubscribe: (token) =>
      store.write('pushers.unsubscribe', function* () {
        const row = yield* pusherByUnsubscribe(token)
        if (row === undefined) return false
        yield* deletePushers([row.pusher_id])
        return true
      }),
  }
}
