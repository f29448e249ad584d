import { forbidden, invalidParam, MatrixError, notFound } from '../../../core/errors.js'
import { clientEvent } from '../../../core/event/client-view.js'
import { eventSigningInput, signaturesOf, signEvent } from '../../../core/event/sign.js'
import type { RoomEvent } from '../../../core/event/types.js'
import { serverNameOf } from '../../../core/ids/server-name-of.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../../core/json/value.js'
import type { RoomVersionRules } from '../../../core/room-version/rules.js'
import { roomVersion } from '../../../core/room-version/versions.js'
import type { Keys } from '../../federation/keys.js'
import { accessRefused, judgeShown, refuseWhereAccessRejects } from '../../rooms/access.js'
import { applyEvent, MissingPredecessors } from '../../rooms/apply-event.js'
import { refuseBlocked } from '../../rooms/blocked-rooms.js'
import type { RoomsContext } from '../../rooms/context.js'
import { isResident } from '../../rooms/residence.js'
import type { OutsideMemberships } from '../../rooms/outside-memberships.js'
import { ownMembership, readOutsideState } from '../peers/outside-state.js'
import type { PduIntake } from '../peers/pdu-intake.js'
import { readMembershipEvent, refuseByAcl } from './serve-checks.js'

/** Invites of users of this server by users of others. */
export interface InviteServing {
  /**
   * Checks an invite, shows it to the user, and gives it back with our signature. `body` as in the second version of the endpoint.
   * Errors: M_INVALID_PARAM, M_FORBIDDEN, M_INVITE_BLOCKED, M_NOT_FOUND, M_INCOMPATIBLE_ROOM_VERSION.
   */
  invite(
    origin: string,
    target: { readonly roomId: string; readonly eventId: string },
    body: JsonObject,
  ): Promise<{ readonly event: JsonObject }>
  /** By the first version of the endpoint: the event alone, of a room of version 1 or 2. */
  inviteV1(
    origin: string,
    target: { readonly roomId: string; readonly eventId: string },
    event: JsonObject,
  ): Promise<{ readonly event: JsonObject }>
}

export interface InviteServingDeps {
  readonly context: RoomsContext
  readonly keys: Pick<Keys, 'verify' | 'verifyEventSignatures'>
  readonly intake: PduIntake
  readonly outside: OutsideMemberships
  /** Whether a local account of this name exists and is not deactivated. */
  isActiveUser(userId: string): Promise<boolean>
  /** Throws M_INVITE_BLOCKED where the invited local user wants no invite from this one. */
  checkInvitable(userId: string, inviter: string): Promise<void>
}

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2inviteroomideventid */
export function createInviteServing(deps: InviteServingDeps): InviteServing {
  const { context, keys } = deps

  async function checkSignatures(event: RoomEvent, origin: string): Promise<void> {
    const [required] = await keys.verifyEventSignatures([event])
    // An invite by third-party identifier needs no signature by the sender in general; here its sender hands it over.
    const [own] = await keys.verify([
      {
        serverName: origin,
        signatures: signaturesOf(event.pdu, origin),
        bytes: eventSigningInput(event.pdu, event.rules),
        at: event.originServerTs,
        enforceValidity: event.rules.enforceKeyValidity,
        use: 'event',
      },
    ])
    if (required?.ok !== true || own?.ok !== true)
      throw invalidParam('The invite is not signed by its sender’s server')
  }

  async function take(
    origin: string,
    target: { readonly roomId: string; readonly eventId: string },
    invite: { readonly json: Json; readonly rules: RoomVersionRules; readonly state: Json | undefined },
  ): Promise<{ event: JsonObject }> {
    const { rules } = invite
    const { roomId, eventId } = target
    const event = readMembershipEvent(invite.json, rules, { origin, roomId, eventId, membership: 'invite' })
    const userId = event.stateKey ?? ''
    if (serverNameOf(userId) !== context.serverName)
      throw invalidParam('The invited user is not of this server')
    if (!(await deps.isActiveUser(userId))) throw notFound(`There is no user ${userId} on this server`)
    await deps.checkInvitable(userId, event.sender)
    await refuseBlocked(context, roomId, event.sender)
    await checkSignatures(event, origin)

    const room = await context.loader.load(roomId)
    const resident = await isResident(context, room)
    if (room !== undefined && resident) {
      if (room.rules.id !== rules.id) throw invalidParam('The room is of another version')
      await refuseByAcl(context, room, origin)
      const signed = signEvent(event, context.local.signer)
      await applyInvite(signed, origin)
      return { event: signed.pdu }
    }
    if (room?.root !== undefined && room.rules.id !== rules.id)
      throw invalidParam('The room is of another version')
    const state = await readOutsideState(deps.intake, {
      list: invite.state,
      rules,
      roomId,
      origin,
      strict: true,
    })
    const allowed = judgeShown(event, state, context.local.access)
    if (!allowed.ok) throw accessRefused(allowed)
    await deps.outside.put({
      roomId,
      rules,
      userId,
      membership: 'invite',
      sender: event.sender,
      strippedState: [...state, ownMembership(event)],
      event: clientEvent(event, { unsigned: { invite_room_state: state } }),
    })
    return { event: signEvent(event, context.local.signer).pdu }
  }

  /** In a room that we are in, the invite is an event like any other. */
  async function applyInvite(event: RoomEvent, origin: string): Promise<void> {
    try {
      await context.writer.write(event.roomId, async (room) => {
        const stored = await applyEvent(room, event, { live: true, origin }, context.local)
        refuseWhereAccessRejects(stored, 'The access rules of the room do not allow the invite')
        if (stored.rejected !== undefined || stored.softFailed)
          throw forbidden('The room does not allow the invite')
      })
    } catch (error) {
      // It comes again in a transaction, after what it follows.
      if (!(error instanceof MissingPredecessors)) throw error
    }
  }

  return {
    invite(origin, target, body) {
      const version = ownValue(body, 'room_version')
      if (typeof version !== 'string') throw invalidParam('room_version is missing')
      const rules = roomVersion(version)
      if (rules === undefined) {
        throw new MatrixError(
          'M_INCOMPATIBLE_ROOM_VERSION',
          'This server does not know the version of the room',
          {
            room_version: version.slice(0, 64),
          },
        )
      }
      const json = ownValue(body, 'event') ?? null
      return take(origin, target, { json, rules, state: ownValue(body, 'invite_room_state') })
    },

    async inviteV1(origin, target, event) {
      const unsigned = ownValue(event, 'unsigned')
      const state = isObject(unsigned) ? ownValue(unsigned, 'invite_room_state') : undefined
      const known = (await context.loader.load(target.roomId))?.rules
      const rules = known?.eventIds === 'on-the-wire' ? known : claimedVersion(state)
      return take(origin, target, { json: event, rules, state })
    },
  }
}

/** Rooms of versions 1 and 2 write events alike; only the create event says which it is. */
function claimedVersion(state: Json | undefined): RoomVersionRules {
  for (const item of Array.isArray(state) ? (state as readonly Json[]) : []) {
    if (!isObject(item) || item['type'] !== 'm.room.create' || !isObject(item['content'])) continue
    if (item['content']['room_version'] === '2') return roomVersion('2')!
  }
  return roomVersion('1')!
}
