import { aclDenies } from '../../core/server-acl.js'
import { standingsOf, isServerInvited, type StandingRow } from '../../storage/tables/room-access.js'
import { readState, type RoomsContext } from '../rooms/context.js'
import { loadResident } from '../rooms/residence.js'
import { CREATE } from '../rooms/room-power.js'
import { mapKey } from '../rooms/state-store.js'
import type { RoomSnapshot } from '../rooms/working-room.js'

/** What decides who may see a room without being in it; known of our own rooms, told of others. */
export interface AccessFacts {
  readonly roomId: string
  readonly joinRule: string
  readonly allowedRoomIds: readonly string[]
  readonly worldReadable: boolean
}

/** Where one user stands in all rooms. */
export type Standings = ReadonlyMap<string, StandingRow>

export const NO_STANDINGS: Standings = new Map()

export async function readStandings(
  context: Pick<RoomsContext, 'store'>,
  userId: string,
): Promise<Standings> {
  const rows = await context.store.read('spaces.standings', () => standingsOf(userId))
  return new Map(rows.map((row) => [row.room_id, row]))
}

const OPEN = new Set(['public', 'knock', 'knock_restricted'])

/**
 * Whether a user is in the room, or may come in, knock or look in from outside. Someone who is banned may do what
 * anybody may without joining.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidhierarchy
 */
export function userMaySee(facts: AccessFacts, standings: Standings): boolean {
  const membership = standings.get(facts.roomId)?.membership
  if (membership === 'join' || membership === 'invite' || facts.worldReadable) return true
  if (membership === 'ban') return false
  if (OPEN.has(facts.joinRule)) return true
  return (
    facts.joinRule === 'restricted' &&
    facts.allowedRoomIds.some((id) => standings.get(id)?.membership === 'join')
  )
}

const ACL = { type: 'm.room.server_acl', stateKey: '' }

/**
 * Whether some user of another server may see the room.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1hierarchyroomid
 */
export async function serverMaySee(
  context: RoomsContext,
  room: RoomSnapshot,
  facts: AccessFacts,
  origin: string,
): Promise<boolean> {
  const state = await readState(context, room, [ACL, CREATE])
  const acl = state.get(mapKey(ACL))
  if (acl !== undefined && aclDenies(acl.event.content, origin)) return false
  if (state.get(mapKey(CREATE))?.event.content['m.federate'] === false) return false
  if (facts.worldReadable || OPEN.has(facts.joinRule)) return true
  if ((await context.rosters.of(room.nid)).servers.has(origin)) return true
  if (await context.store.read('spaces.invited', () => isServerInvited(room.nid, origin))) return true
  return facts.joinRule === 'restricted' && (await isInOneOf(context, facts.allowedRoomIds, origin))
}

async function isInOneOf(
  context: RoomsContext,
  roomIds: readonly string[],
  origin: string,
): Promise<boolean> {
  for (const roomId of roomIds) {
    // What is known of a room that this server has left is old.
    const room = await loadResident(context, roomId)
    if (room === undefined) continue
    if ((await context.rosters.of(room.nid)).servers.has(origin)) return true
  }
  return false
}
