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

/** The room, if this server is in it. */
export async function loadResident(
  context: Pick<RoomsContext, 'loader' | 'rosters'>,
  roomId: string,
): Promise<RoomSnapshot | undefined> {
  const room = await context.loader.load(roomId)
  return room !== undefined && (await isResident(context, room)) ? room : undefined
}
