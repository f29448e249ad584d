import { forbidden, invalidParam, MatrixError, notFound } from '../../../core/errors.js'
import { readPdu } from '../../../core/event/format.js'
import { verifyContentHash } from '../../../core/event/hash.js'
import type { RoomEvent } from '../../../core/event/types.js'
import { serverNameOf } from '../../../core/ids/server-name-of.js'
import { ownValue, type Json } from '../../../core/json/value.js'
import type { RoomVersionRules } from '../../../core/room-version/rules.js'
import type { RoomsContext } from '../../rooms/context.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'
import { loadResident } from '../../rooms/residence.js'
import { unableForNow } from '../../rooms/await-whole.js'
import { isShutOut } from '../peers/room-access.js'

type Context = Pick<RoomsContext, 'events' | 'states' | 'rosters' | 'loader'>

/** Throws M_FORBIDDEN where the room's server ACL shuts the server out. SPEC: server-server-api/#server-access-control-lists-acls */
export async function refuseByAcl(
  context: Pick<RoomsContext, 'events' | 'states'>,
  room: RoomSnapshot,
  origin: string,
): Promise<void> {
  if (await isShutOut(context, room, origin)) throw forbidden('Your server is shut out of this room')
}

/** A room that this server is in and may talk about with the origin. Throws M_NOT_FOUND, M_FORBIDDEN. */
export async function residentRoom(context: Context, roomId: string, origin: string): Promise<RoomSnapshot> {
  const room = await loadResident(context, roomId)
  if (room === undefined) throw notFound('Unknown room')
  await refuseByAcl(context, room, origin)
  return room
}

/** As `residentRoom`, where all members are known. Throws M_UNABLE_DUE_TO_PARTIAL_STATE besides. */
export async function wholeRoom(context: Context, roomId: string, origin: string): Promise<RoomSnapshot> {
  const room = await residentRoom(context, roomId, origin)
  if (room.partial) throw unableForNow()
  return room
}

/** As `residentRoom`, for what only servers with a user in the room may read. */
export async function sharedRoom(context: Context, roomId: string, origin: string): Promise<RoomSnapshot> {
  return refuseStrangers(context, await residentRoom(context, roomId, origin), origin)
}

/**
 * As `sharedRoom`, and also a room whose last user here has left, as it was then: whoever stays may need what this server's last
 * events stand on, and may find it nowhere else.
 */
export async function rememberedRoom(
  context: Context,
  roomId: string,
  origin: string,
): Promise<RoomSnapshot> {
  const room = await context.loader.load(roomId)
  if (room?.root === undefined) throw notFound('Unknown room')
  await refuseByAcl(context, room, origin)
  return refuseStrangers(context, room, origin)
}

async function refuseStrangers(context: Context, room: RoomSnapshot, origin: string): Promise<RoomSnapshot> {
  if ((await context.rosters.of(room.nid)).servers.has(origin)) return room
  throw forbidden('Your server is not in this room')
}

/** Whether the server has a user in the room. */
export async function isInRoom(context: Context, roomId: string, server: string): Promise<boolean> {
  const room = await context.loader.load(roomId)
  return room !== undefined && (await context.rosters.of(room.nid)).servers.has(server)
}

/** Throws M_FORBIDDEN for a user who is not of the server that asks. */
export function checkOwnUser(userId: string, origin: string): void {
  if (serverNameOf(userId) !== origin) throw forbidden('The user is not of your server')
}

/** Throws M_INCOMPATIBLE_ROOM_VERSION unless the version is among those that the other server knows. */
export function checkVersion(rules: RoomVersionRules, versions: readonly string[]): void {
  if (versions.includes(rules.id)) return
  throw new MatrixError(
    'M_INCOMPATIBLE_ROOM_VERSION',
    'Your homeserver does not support the features required to join this room',
    { room_version: rules.id },
  )
}

export interface ExpectedMembership {
  readonly origin: string
  readonly roomId: string
  readonly eventId: string
  readonly membership: 'join' | 'leave' | 'knock' | 'invite'
}

/**
 * Reads a membership event that another server hands over with its own name on it. Signatures are not looked at.
 * Throws M_INVALID_PARAM for any other event than the one that the request is about.
 */
export function readMembershipEvent(
  json: Json,
  rules: RoomVersionRules,
  { origin, roomId, eventId, membership }: ExpectedMembership,
): RoomEvent {
  const read = readPdu(json, rules, { roomId })
  if (!read.ok) throw invalidParam(read.reason)
  const { event } = read
  if (event.id !== eventId) throw invalidParam('The event is another one than the path names')
  if (!verifyContentHash(event.pdu, rules)) throw invalidParam('The content hash of the event is wrong')
  if (event.type !== 'm.room.member') throw invalidParam('The event is no membership')
  if (ownValue(event.content, 'membership') !== membership)
    throw invalidParam(`The membership is not ${membership}`)
  if (serverNameOf(event.sender) !== origin) throw invalidParam('The sender is not of your server')
  if (membership !== 'invite' && event.stateKey !== event.sender) {
    throw invalidParam('The membership is another user’s than the sender’s')
  }
  return event
}
