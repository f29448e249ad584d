import { forbidden, invalidParam, MatrixError } from '../../../core/errors.js'
import { without } from '../../../core/event/hash.js'
import { signEvent } from '../../../core/event/sign.js'
import type { RoomEvent } from '../../../core/event/types.js'
import { serverNameOf } from '../../../core/ids/server-name-of.js'
import { ownValue, type Json, type JsonObject } from '../../../core/json/value.js'
import { KNOWN_ROOM_VERSIONS } from '../../../core/room-version/versions.js'
import type { Keys } from '../../federation/keys.js'
import { refuseExternalKnock, refuseWhereAccessRejects } from '../../rooms/access.js'
import { applyEvent, MissingPredecessors } from '../../rooms/apply-event.js'
import type { RoomsContext } from '../../rooms/context.js'
import { signedByPolicy } from '../../rooms/policy-signing.js'
import { joinAuthority, type JoinAuthority } from '../../rooms/join-authoriser.js'
import { judgeLocalEvent, prepareLocalEvent } from '../../rooms/local-event.js'
import type { StoredEvent } from '../../rooms/stored-event.js'
import { strippedStateEvents } from '../../rooms/stripped-state.js'
import { mapKey, stateEvents, type RoomSnapshot } from '../../rooms/working-room.js'
import { objectWithEvents } from './answer-text.js'
import { authChainOf } from './auth-chain.js'
import { checkOwnUser, checkVersion, readMembershipEvent, wholeRoom } from './serve-checks.js'
import type { Handshake } from '../peers/template.js'
import { withoutMembers } from './without-members.js'

/** Membership changes that users of other servers make through this one. */
export interface MembershipServing {
  /** Errors: M_FORBIDDEN, M_NOT_FOUND, M_INCOMPATIBLE_ROOM_VERSION, M_UNABLE_TO_AUTHORISE_JOIN, M_UNABLE_TO_GRANT_JOIN. */
  template(
    origin: string,
    kind: Handshake,
    target: { readonly roomId: string; readonly userId: string; readonly versions?: readonly string[] },
  ): Promise<JsonObject>
  /** Takes a signed join; the text of the answer. Errors: M_INVALID_PARAM, M_FORBIDDEN, M_NOT_FOUND, and as `template`. */
  join(origin: string, sent: SentMembership): Promise<AsyncIterable<string>>
  /** Errors: M_INVALID_PARAM, M_FORBIDDEN, M_NOT_FOUND. */
  leave(origin: string, sent: SentMembership): Promise<void>
  /** Gives `knock_room_state`. Errors as `leave`. */
  knock(origin: string, sent: SentMembership): Promise<JsonObject>
}

export interface SentMembership {
  readonly roomId: string
  readonly eventId: string
  readonly event: Json
  /** The answer to a join may leave the members out. */
  readonly omitMembers?: boolean
}

export interface MembershipServingDeps {
  readonly context: RoomsContext
  readonly keys: Pick<Keys, 'verifyEventSignatures'>
}

interface Taken {
  readonly room: RoomSnapshot
  readonly stored: StoredEvent
  /** In the room before the event. */
  readonly servers: readonly string[]
}

/** What templates carry beside their place in the graph is for the other server to fill in. */
const NOT_IN_TEMPLATES = ['hashes', 'signatures', 'event_id']

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#joining-rooms */
export function createMembershipServing(deps: MembershipServingDeps): MembershipServing {
  const { context, keys } = deps

  async function template(
    origin: string,
    kind: Handshake,
    { roomId, userId, versions = ['1'] }: { roomId: string; userId: string; versions?: readonly string[] },
  ): Promise<JsonObject> {
    checkOwnUser(userId, origin)
    if (kind === 'knock') refuseExternalKnock(context.local.access, userId)
    if (kind !== 'leave') await context.policies?.checkUser(userId)
    const room = await wholeRoom(context, roomId, origin)
    const { rules } = room
    // Whoever is to leave has been invited, and knows the version.
    checkVersion(rules, kind === 'leave' ? [...KNOWN_ROOM_VERSIONS.keys()] : versions)
    const by = kind === 'join' ? authoriserOf(await joinAuthority(context, room, userId)) : undefined
    const content: JsonObject = {
      membership: kind,
      ...(by === undefined ? {} : { join_authorised_via_users_server: by }),
    }
    const draft = { type: 'm.room.member', sender: userId, stateKey: userId, content }
    const { event } = await context.writer.write(roomId, async (working) => {
      const prepared = await prepareLocalEvent(working, draft, context.local)
      await judgeLocalEvent(working, prepared, context.local)
      return prepared
    })
    return {
      room_version: rules.id,
      event: { ...without(event.pdu, NOT_IN_TEMPLATES), origin: context.serverName },
    }
  }

  /** Adds our signature to a join that a user of ours lets in. */
  async function letIn(room: RoomSnapshot, event: RoomEvent): Promise<RoomEvent> {
    const by = ownValue(event.content, 'join_authorised_via_users_server')
    if (typeof by !== 'string' || !room.rules.restrictedJoin || serverNameOf(by) !== context.serverName) {
      return event
    }
    // The auth rules do not look at the rooms that the join rule names: this is the only place where it is done.
    authoriserOf(await joinAuthority(context, room, event.sender))
    return signEvent(event, context.local.signer)
  }

  async function take(origin: string, membership: Handshake, sent: SentMembership): Promise<Taken> {
    const { roomId, eventId } = sent
    const room = await wholeRoom(context, roomId, origin)
    const before = await context.rosters.of(room.nid)
    const event = readMembershipEvent(sent.event, room.rules, { origin, roomId, eventId, membership })
    // A knock is no state that the rules keep out, but its answer tells of the room.
    if (membership === 'knock') refuseExternalKnock(context.local.access, event.sender)
    if (membership !== 'leave') await context.policies?.checkUser(event.sender)
    const signed = membership === 'join' ? await letIn(room, event) : event
    const [verdict] = await keys.verifyEventSignatures([signed])
    if (verdict?.ok !== true) throw invalidParam('The event is not signed by all that must sign it')
    // Who comes in does not know yet whom the room asks.
    const final = await signedByPolicy(context, signed)
    const stored = await context.writer.write(roomId, async (working) => {
      try {
        const result = await applyEvent(working, final, { live: true, origin, relay: true }, context.local)
        // Thrown, so that nothing of it is written.
        refuseWhereAccessRejects(result, 'The access rules of the room do not allow it')
        if (result.rejected !== undefined) throw forbidden(`The room does not allow it: ${result.rejected}`)
        const key = { type: 'm.room.member', stateKey: event.sender }
        const now = (await stateEvents(working, [key], context.local.readers)).get(mapKey(key))
        // An event sent again after the user was thrown out must not be answered as if it counted.
        if (result.softFailed || now?.nid !== result.nid)
          throw forbidden('The room has changed and does not allow it')
        return result
      } catch (error) {
        if (error instanceof MissingPredecessors) {
          throw invalidParam('The event does not follow what this server knows of the room')
        }
        throw error
      }
    })
    return { room, stored, servers: [context.serverName, ...before.servers.keys()] }
  }

  async function answer(
    { room, stored, servers }: Taken,
    omitMembers: boolean,
  ): Promise<AsyncIterable<string>> {
    const state = await context.states.all(room.nid, stored.stateBefore!)
    const given = omitMembers ? await withoutMembers(context, room, state, stored.event.sender) : state
    const nids = [...given.values()]
    const chain = await authChainOf(context, room, [...nids, stored.nid])
    const isOmitted = given.size < state.size
    const there = new Set(omitMembers ? nids : [])
    const fields: JsonObject = {
      origin: context.serverName,
      event: stored.event.pdu,
      members_omitted: isOmitted,
      servers_in_room: servers,
    }
    return objectWithEvents(context.store, fields, {
      state: nids,
      auth_chain: chain.filter((nid) => !there.has(nid)),
    })
  }

  return {
    template,
    async join(origin, sent) {
      return answer(await take(origin, 'join', sent), sent.omitMembers === true)
    },
    async leave(origin, sent) {
      await take(origin, 'leave', sent)
    },
    async knock(origin, sent) {
      const { room } = await take(origin, 'knock', sent)
      const state = await strippedStateEvents(context, room)
      return { knock_room_state: state.map((item) => item.event.pdu) }
    },
  }
}

/** The user who lets somebody in, or undefined where nobody must. Throws where nobody here can. */
function authoriserOf(authority: JoinAuthority): string | undefined {
  switch (authority.kind) {
    case 'none-needed':
      return undefined
    case 'by':
      return authority.userId
    case 'refused':
      throw forbidden('The user is in none of the rooms whose members may join this one')
    case 'unknown':
      throw new MatrixError(
        'M_UNABLE_TO_AUTHORISE_JOIN',
        'This server does not know all rooms whose members may join this one',
      )
    case 'no-authority':
      throw new MatrixError('M_UNABLE_TO_GRANT_JOIN', 'Nobody on this server may let the user in')
  }
}
