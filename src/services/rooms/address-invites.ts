import { ACCESS_RULES, roomAccess } from '../../core/access-rules/room-access.js'
import { forbidden, invalidParam } from '../../core/errors.js'
import { refuse } from '../../core/event/types.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import { canonicalAddress } from '../identity/address.js'
import type { Address, IdentityAccess, IdentityServers } from '../identity/identity-servers.js'
import type { Requester } from '../requester.js'
import { accessRefused } from './access.js'
import { readState, readStateEvent, type RoomsContext } from './context.js'
import { notInRoom } from './not-in-room.js'
import { judgeLocalEvent, prepareLocalEvent } from './local-event.js'
import type { Memberships } from './membership.js'
import { refuseSuspended, type Sending } from './send.js'
import { mapKey } from './working-room.js'

/** Whom to invite: who has an address, as an identity server says. */
export interface AddressInvite extends IdentityAccess {
  readonly medium: string
  readonly address: string
}

/**
 * Invites of e-mail addresses and telephone numbers. Where the address is a user's, the user is invited; else the room gets an
 * `m.room.third_party_invite`, which whoever proves to have the address may turn into an invite of themselves.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#third-party-invites
 */
export interface AddressInvites {
  /** What can be told before there is a room. Throws M_INVALID_PARAM, M_SERVER_NOT_TRUSTED. */
  check(invite: AddressInvite): void
  /** Throws M_FORBIDDEN, and as `IdentityServers` and `Memberships.invite`. */
  invite(
    requester: Requester,
    input: AddressInvite & {
      readonly roomId: string
      readonly reason?: string | undefined
      readonly content?: JsonObject
    },
  ): Promise<void>
}

const OFFER = 'm.room.third_party_invite'

/** What the mail to the invited person may say of the room: name in the request, event, and member of its content. */
const ROOM_FACTS = [
  ['room_alias', 'm.room.canonical_alias', 'alias'],
  ['room_avatar_url', 'm.room.avatar', 'url'],
  ['room_join_rules', 'm.room.join_rules', 'join_rule'],
  ['room_name', 'm.room.name', 'name'],
  ['room_type', 'm.room.create', 'type'],
] as const

export function createAddressInvites(deps: {
  readonly context: RoomsContext
  readonly identity: Pick<IdentityServers, 'checkTrusted' | 'lookup' | 'storeInvite'>
  readonly memberships: Pick<Memberships, 'invite'>
  readonly sending: Pick<Sending, 'state'>
  /** The server to which an address belongs, where that is known of an identity server. Throws M_THREEPID_DENIED for nobody's. */
  homeOf?(idServer: string, address: Address): string | undefined
}): AddressInvites {
  const { context, identity } = deps

  function checked(invite: AddressInvite): Address {
    const address = canonicalAddress(invite.medium, invite.address)
    if (address === undefined) throw invalidParam('This is not an e-mail address or a telephone number')
    identity.checkTrusted(invite.idServer)
    return address
  }

  /** Nobody is written to, and nothing of the room is told, for somebody who may not invite. Throws M_FORBIDDEN. */
  async function checkMayInvite(requester: Requester, roomId: string): Promise<void> {
    const room = await context.loader.load(roomId)
    if (room === undefined) throw notInRoom()
    await context.writer.write(roomId, async (working) => {
      const draft = {
        type: OFFER,
        sender: requester.userId,
        stateKey: context.random.string(24),
        content: {},
      }
      const prepared = await prepareLocalEvent(working, draft, context.local)
      await judgeLocalEvent(working, prepared, context.local)
    })
  }

  /** Whoever has the address could not come in anyway. */
  async function checkHome(roomId: string, invite: AddressInvite, address: Address): Promise<void> {
    const home = deps.homeOf?.(invite.idServer, address)
    const { access } = context.local
    if (home === undefined || access === undefined || !access.isExternalServer(home)) return
    const room = await context.loader.load(roomId)
    if (room === undefined) throw notInRoom()
    const rules = await readStateEvent(context, room, ACCESS_RULES.type, ACCESS_RULES.stateKey)
    if (roomAccess(rules?.event.content).rule === 'restricted')
      throw accessRefused(refuse('access.external', 'This room is not open to external accounts'))
  }

  async function facts(roomId: string, sender: string): Promise<JsonObject> {
    const room = await context.loader.load(roomId)
    if (room === undefined) throw notInRoom()
    const member = { type: 'm.room.member', stateKey: sender }
    const keys = [...ROOM_FACTS.map(([, type]) => ({ type, stateKey: '' })), member]
    const state = await readState(context, room, keys)
    const out: Record<string, Json> = { room_id: roomId, sender }
    const tell = (name: string, key: { type: string; stateKey: string }, field: string): void => {
      const value = state.get(mapKey(key))?.event.content[field]
      if (typeof value === 'string') out[name] = value
    }
    for (const [name, type, field] of ROOM_FACTS) tell(name, { type, stateKey: '' }, field)
    tell('sender_display_name', member, 'displayname')
    tell('sender_avatar_url', member, 'avatar_url')
    return out
  }

  return {
    check: (invite) => void checked(invite),

    async invite(requester, input) {
      refuseSuspended(requester)
      const address = checked(input)
      const { roomId, reason, content } = input
      if (requester.isGuest) throw forbidden('Guests invite nobody by address')
      await checkMayInvite(requester, roomId)
      await checkHome(roomId, input, address)
      const inviteUser = (userId: string): Promise<void> =>
        deps.memberships.invite(requester, {
          roomId,
          userId,
          reason,
          ...(content === undefined ? {} : { content }),
        })
      const owner = await identity.lookup(input, address)
      if (owner !== undefined) return inviteUser(owner)
      const stored = await identity.storeInvite(input, address, await facts(roomId, requester.userId))
      if ('boundTo' in stored) return inviteUser(stored.boundTo)
      const [first] = stored.publicKeys
      await deps.sending.state(requester, {
        roomId,
        type: OFFER,
        stateKey: stored.token,
        content: { display_name: stored.displayName, ...first, public_keys: stored.publicKeys },
      })
    },
  }
}
