import { forbidden, invalidParam, MatrixError, notFound } from '../../../core/errors.js'
import { isRoomId } from '../../../core/ids/room-id.js'
import { serverNameOf } from '../../../core/ids/server-name-of.js'
import { isUserId } from '../../../core/ids/user-id.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../../core/json/value.js'
import { encodePath, FederationError, isRetryable, type FederationClient } from '../../federation/client.js'
import { requesterOf } from '../../requester.js'
import { readStateEvent, type RoomsContext } from '../../rooms/context.js'
import type { Memberships } from '../../rooms/membership.js'
import { residentRoom } from './serve-checks.js'

/**
 * Somebody invited an e-mail address, and its owner turned out to be a user: the invite of the address becomes one of the user. That the
 * identity server vouches for it is checked by the room's own rules, against the key in the room.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#third-party-invites
 */
export interface ThirdPartyInvites {
  /**
   * The invited user's server asks for the invite, which the inviting user's server signs. Throws M_INVALID_PARAM, M_FORBIDDEN,
   * M_NOT_FOUND.
   */
  exchange(origin: string, roomId: string, event: JsonObject): Promise<void>
  /**
   * A local user shows that an address is theirs, before they join. Nothing is done for who is invited or joined already. Throws
   * M_FORBIDDEN, M_INVALID_PARAM.
   */
  accept(userId: string, roomId: string, signed: JsonObject): Promise<void>
  /**
   * An identity server tells that an address is bound to a user of this server. Anybody may say so: what is not proved by its signature
   * comes to nothing, and the answer says nothing.
   */
  onBind(binding: {
    readonly mxid: string
    readonly invites: readonly {
      readonly mxid: string
      readonly room_id: string
      readonly sender: string
      readonly signed: JsonObject
    }[]
  }): Promise<void>
  /** The same for an address that this server itself vouches for. Never rejects for a refusal; `later` where the inviter's server is not there. */
  redeem(invite: {
    readonly userId: string
    readonly roomId: string
    readonly sender: string
    readonly signed: JsonObject
  }): Promise<Redeemed>
}

/** `settled`: the invite is there, or never will be. */
type Redeemed = 'settled' | 'later'

const OFFER = 'm.room.third_party_invite'
const MAX_INVITES = 20
const MAX_KEYS = 4
const TIMEOUT_MS = 10_000

export function createThirdPartyInvites(deps: {
  readonly context: RoomsContext
  readonly memberships: Pick<Memberships, 'invite'>
  readonly client: Pick<FederationClient, 'request'>
  /** The JSON at a web address. Throws when it cannot be had. */
  fetchJson(url: string): Promise<Json>
}): ThirdPartyInvites {
  const { context, client } = deps

  /** The keys of the offer, with where to ask whether each still holds. */
  function validityUrls(offer: JsonObject): string[] {
    const list = ownValue(offer, 'public_keys')
    const keys = [offer, ...(Array.isArray(list) ? list : [])].slice(0, MAX_KEYS)
    return keys.flatMap((key) => {
      if (!isObject(key)) return []
      const [publicKey, url] = [ownValue(key, 'public_key'), ownValue(key, 'key_validity_url')]
      if (typeof publicKey !== 'string' || typeof url !== 'string' || !URL.canParse(url)) return []
      const address = new URL(url)
      address.searchParams.set('public_key', publicKey)
      return [address.href]
    })
  }

  async function checkKeys(offer: JsonObject): Promise<void> {
    for (const url of new Set(validityUrls(offer))) {
      const answer = await deps.fetchJson(url).catch(() => null)
      if (!isObject(answer) || ownValue(answer, 'valid') !== true)
        throw forbidden('The identity server does not say that its key is valid')
    }
  }

  /** Invites the user, for the local user who had invited the address. */
  async function invite(roomId: string, sender: string, userId: string, signed: JsonObject): Promise<void> {
    const token = ownValue(signed, 'token')
    if (typeof token !== 'string' || ownValue(signed, 'mxid') !== userId)
      throw invalidParam('The third-party invite is not signed for this user')
    const room = await context.loader.load(roomId)
    const offer = room === undefined ? undefined : await readStateEvent(context, room, OFFER, token)
    if (offer === undefined || offer.event.sender !== sender)
      throw forbidden('This user has not invited that address')
    await checkKeys(offer.event.content)
    const name = offer.event.content['display_name']
    await deps.memberships.invite(requesterOf(sender), {
      roomId,
      userId,
      content: { third_party_invite: { display_name: typeof name === 'string' ? name : '', signed } },
    })
  }

  /** Asks the inviting user's server. */
  async function askFor(roomId: string, sender: string, userId: string, signed: JsonObject): Promise<void> {
    await client.request({
      destination: serverNameOf(sender)!,
      method: 'PUT',
      path: encodePath('/_matrix/federation/v1', 'exchange_third_party_invite', roomId),
      body: {
        type: 'm.room.member',
        room_id: roomId,
        sender,
        state_key: userId,
        content: { membership: 'invite', third_party_invite: { display_name: userId, signed } },
      },
      timeoutMs: TIMEOUT_MS,
      maxBytes: 64 * 1024,
    })
  }

  return {
    async exchange(origin, roomId, event) {
      const { type, room_id: eventRoom, sender, state_key: userId, content } = event
      if (type !== 'm.room.member' || eventRoom !== roomId)
        throw invalidParam('This is no invite to the room')
      if (typeof sender !== 'string' || !isUserId(sender) || serverNameOf(sender) !== context.serverName)
        throw invalidParam('The sender is not of this server')
      if (typeof userId !== 'string' || !isUserId(userId) || serverNameOf(userId) !== origin)
        throw invalidParam('The invited user is not of your server')
      const third = isObject(content) ? ownValue(content, 'third_party_invite') : undefined
      const signed = isObject(third) ? ownValue(third, 'signed') : undefined
      if (!isObject(content) || ownValue(content, 'membership') !== 'invite' || !isObject(signed))
        throw invalidParam('This is no third-party invite')
      await residentRoom(context, roomId, origin)
      await invite(roomId, sender, userId, signed)
    },

    async accept(userId, roomId, { sender, ...signed }) {
      if (typeof sender !== 'string' || !isUserId(sender) || ownValue(signed, 'mxid') !== userId)
        throw invalidParam('The third-party invite is not signed for you')
      const room = await context.loader.load(roomId)
      const known =
        room === undefined ? undefined : await readStateEvent(context, room, 'm.room.member', userId)
      const membership = known?.event.content['membership']
      if (membership === 'invite' || membership === 'join') return
      if (serverNameOf(sender) === context.serverName) return invite(roomId, sender, userId, signed)
      try {
        await askFor(roomId, sender, userId, signed)
      } catch (error) {
        if (!(error instanceof FederationError)) throw error
        throw forbidden('The server of whoever invited this address does not confirm the invite')
      }
    },

    async redeem({ userId, roomId, sender, signed }) {
      const isOurs = serverNameOf(sender) === context.serverName
      try {
        await (isOurs ? invite : askFor)(roomId, sender, userId, signed)
        return 'settled'
      } catch (error) {
        const isLater =
          error instanceof FederationError ? isRetryable(error) : !(error instanceof MatrixError)
        context.logger.info(
          { err: error, roomId, userId },
          'an invited address is not invited to the room yet',
        )
        return isLater ? 'later' : 'settled'
      }
    },

    async onBind({ mxid, invites }) {
      if (!isUserId(mxid) || serverNameOf(mxid) !== context.serverName)
        throw notFound('There is no such user on this server')
      for (const { mxid: invited, room_id: roomId, sender, signed } of invites.slice(0, MAX_INVITES)) {
        if (invited !== mxid || !isRoomId(roomId) || !isUserId(sender)) continue
        const isOurs = serverNameOf(sender) === context.serverName
        try {
          await (isOurs ? invite : askFor)(roomId, sender, mxid, signed)
        } catch (error) {
          const reason = error instanceof MatrixError ? error.message : undefined
          context.logger.info({ err: reason ?? error, roomId }, 'an invite of an address came to nothing')
        }
      }
    },
  }
}
