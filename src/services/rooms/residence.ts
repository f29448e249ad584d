import { serverNameOf } from '../../core/ids/server-name-of.js'
import { membershipOf } from '../../storage/tables/memberships.js'
import type { RoomsContext } from './context.js'
import type { RoomSnapshot } from './working-room.js'

/** Whether this server is in the room: it has the state, and somebody to keep it current for. */
export async function isResident(
  context: Pick<RoomsContext, 'rosters'>,
  room: RoomSnapshot | undefined,
): Promise<boolean> {
  return room?.root !== undefined && (await context.rosters.of(room.nid)).local.size > 0
}

/** Whether this server has the room's state and nobody of any server is in it: what it writes contradicts nobody. */
export async function isDeserted(
  context: Pick<RoomsContext, 'rosters'>,
  room: RoomSnapshot,
): Promise<boolean> {
  return room.root !== undefined && (await context.rosters.of(room.nid)).servers.size === 0
}

/** Whether a user of another server has joined; in a partial room that their server is in, nobody knows of some. */
export async function mayBeJoined(
  { store, rosters }: Pick<RoomsContext, 'store' | 'rosters'>,
  room: RoomSnapshot,
  userId: string,
): Promise<boolean> {
  const row = await store.read('rooms.mayBeJoined', () => membershipOf(room.nid, userId))
  if (row?.membership === 'join') return true
  if (!room.partial || typeof row?.event_nid === 'number') return false
  return (await rosters.of(room.nid)).servers.has(serverNameOf(userId) ?? '')
}

/** The room, if this server is in it. */
export async function loadResident(
  context: Pick<RoomsContext, 'loader' | 'rosters'>,
  roomId: string,
): Promise<RoomSnapshot | undefined> {
  const room = await context.loader.load(roomId)
  return room !== undefined && (await isResident(context, room)) ? room : undefined
}
