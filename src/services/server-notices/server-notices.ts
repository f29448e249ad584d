import { createHash } from 'node:crypto'
import { invalidParam, MatrixError, notFound } from '../../core/errors.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { isUserId } from '../../core/ids/user-id.js'
import type { JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import { createKeyedQueue } from '../../platform/keyed-queue.js'
import type { Random } from '../../platform/random.js'
import { membershipOf } from '../../storage/tables/memberships.js'
import { noticeRoomOf, setNoticeRoom } from '../../storage/tables/notice-rooms.js'
import { userById } from '../../storage/tables/users.js'
import type { Store } from '../../storage/tx.js'
import type { AccountData } from '../account-data/account-data.js'
import { ensureOwnAccount } from '../accounts/own-account.js'
import { requesterOf } from '../requester.js'
import type { RoomsContext } from '../rooms/context.js'
import type { RoomCreation } from '../rooms/create-room.js'
import type { Memberships } from '../rooms/membership.js'
import type { Sending } from '../rooms/send.js'

export interface Notice {
  readonly userId: string
  /** `m.room.message` unless said otherwise. */
  readonly type?: string | undefined
  /** For a state event. */
  readonly stateKey?: string | undefined
  readonly content: JsonObject
  /** Who sends it, and the name by which they send it once, however often they ask. */
  readonly once?: { readonly admin: string; readonly txnId: string } | undefined
}

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#server-notices */
export interface ServerNotices {
  /**
   * Tells a user of this server something, in the room that they have for that. Throws M_UNKNOWN (400) where notices are not switched on,
   * M_INVALID_PARAM, M_NOT_FOUND; what sending an event throws.
   */
  send(notice: Notice): Promise<{ event_id: string }>
  /** Throws M_CANNOT_LEAVE_SERVER_NOTICE_ROOM for an invite to the room of the user's notices. */
  checkRejection(userId: string, roomId: string): Promise<void>
}

export interface ServerNoticesOptions {
  readonly localpart: string
  readonly displayName: string
  readonly avatarUrl?: string
  readonly roomName: string
}

export interface ServerNoticesDeps {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly random: Pick<Random, 'string'>
  readonly serverName: string
  readonly context: Pick<RoomsContext, 'loader'>
  readonly roomCreation: Pick<RoomCreation, 'create'>
  readonly memberships: Pick<Memberships, 'invite'>
  readonly sending: Pick<Sending, 'message' | 'state'>
  readonly accountData: Pick<AccountData, 'setTag'>
}

const TAG = 'm.server_notice'
const MAX_TXN = 255

/** `options`: undefined where notices are not switched on. */
export function createServerNotices(
  deps: ServerNoticesDeps,
  options: ServerNoticesOptions | undefined,
): ServerNotices {
  const { store, clock, random, serverName } = deps
  const sender = options === undefined ? undefined : `@${options.localpart}:${serverName}`
  /** One at a time for each user, so that they get one room. */
  const turns = createKeyedQueue({ maxPerKey: 100 })

  function switchedOn(): { readonly from: string; readonly options: ServerNoticesOptions } {
    if (sender !== undefined && options !== undefined) return { from: sender, options }
    throw new MatrixError('M_UNKNOWN', 'This server sends no notices: server_notices is not set up', {}, 400)
  }

  const membershipIn = async (roomId: string, userId: string): Promise<string | undefined> => {
    const room = await deps.context.loader.load(roomId)
    if (room === undefined) return undefined
    return (await store.read('notices.member', () => membershipOf(room.nid, userId)))?.membership
  }

  /** The user's room, in which the server itself is; the user is invited there unless they are in it. */
  async function roomOf(userId: string, from: string, options: ServerNoticesOptions): Promise<string> {
    const known = await store.read('notices.room', () => noticeRoomOf(userId))
    let roomId = known !== undefined && (await membershipIn(known, from)) === 'join' ? known : undefined
    if (roomId === undefined) {
      const { avatarUrl, displayName } = options
      await store.write('notices.sender', () =>
        ensureOwnAccount({ userId: from, displayName, avatarUrl, now: clock.now() }),
      )
      const made = await deps.roomCreation.create(requesterOf(from), {
        preset: 'private_chat',
        name: options.roomName,
        creation_content: { 'm.federate': false },
        // Nobody but the server speaks there.
        power_level_content_override: { users_default: -10 },
        ...(avatarUrl === undefined
          ? {}
          : { initial_state: [{ type: 'm.room.avatar', content: { url: avatarUrl } }] }),
      })
      roomId = made.room_id
      const stored = roomId
      await store.write('notices.setRoom', () => setNoticeRoom(userId, stored))
      // Before the invite, so that a client that sees it knows what it is.
      await deps.accountData.setTag(userId, roomId, TAG, {})
    }
    const membership = await membershipIn(roomId, userId)
    if (membership !== 'join' && membership !== 'invite')
      await deps.memberships.invite(requesterOf(from), { roomId, userId })
    return roomId
  }

  return {
    async send({ userId, type = 'm.room.message', stateKey, content, once }) {
      const { from, options: look } = switchedOn()
      if (!isUserId(userId) || serverNameOf(userId) !== serverName)
        throw invalidParam('Notices go to users of this server alone')
      if (once !== undefined && once.txnId.length > MAX_TXN)
        throw invalidParam('The transaction id is too long')
      if (userId === from) throw invalidParam('The server tells itself nothing')
      const user = await store.read('notices.user', () => userById(userId))
      if (user === undefined || user.deactivated === 1) throw notFound(`There is no user ${userId}`)
      return turns.run(userId, async () => {
        const roomId = await roomOf(userId, from, look)
        if (stateKey !== undefined)
          return deps.sending.state(requesterOf(from), { roomId, type, stateKey, content })
        const txnId =
          once === undefined
            ? random.string(32)
            : createHash('sha256')
                .update(JSON.stringify([once.admin, once.txnId]))
                .digest('base64url')
        return deps.sending.message(requesterOf(from), { roomId, type, content, txnId })
      })
    },

    async checkRejection(userId, roomId) {
      const { own, user } = await store.read('notices.rejection', function* () {
        return { own: yield* noticeRoomOf(userId), user: yield* userById(userId) }
      })
      // Whoever closes their account leaves everything.
      if (own !== roomId || user?.deactivated === 1) return
      throw new MatrixError(
        'M_CANNOT_LEAVE_SERVER_NOTICE_ROOM',
        'This invite is from the server itself: it cannot be rejected',
        {},
        403,
      )
    },
  }
}
