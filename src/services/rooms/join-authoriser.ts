import { isObject, type JsonObject } from '../../core/json/value.js'
import { hasJoinedOneOf, membershipOf } from '../../storage/tables/memberships.js'
import { readState, type RoomsContext } from './context.js'
import { isResident } from './residence.js'
import { mapKey } from './state-store.js'
import type { RoomSnapshot } from './working-room.js'
import { POWER_KEYS, powerLevelsIn } from './room-power.js'

const JOIN_RULES = { type: 'm.room.join_rules', stateKey: '' }

/** Rooms named by one join rule that are looked at. */
const MAX_ALLOWED_ROOMS = 50

/**
 * Who of this server can let a user into a restricted room.
 * `none-needed`: the room is not restricted, or the user is invited or in it. `refused`: the user is in none of the rooms, all of which are known here.
 * `unknown`: some of the rooms are not known here. `no-authority`: the user may come in, but nobody here may invite.
 */
export type JoinAuthority =
  | { readonly kind: 'none-needed' | 'refused' | 'unknown' | 'no-authority' }
  | { readonly kind: 'by'; readonly userId: string }

type Context = Pick<RoomsContext, 'store' | 'events' | 'states' | 'loader' | 'rosters'>

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#restricted-rooms */
export async function joinAuthority(
  context: Context,
  room: RoomSnapshot,
  userId: string,
): Promise<JoinAuthority> {
  const state = await readState(context, room, [...POWER_KEYS, JOIN_RULES])
  const rules = state.get(mapKey(JOIN_RULES))?.event.content
  const rule = rules?.['join_rule']
  if (!room.rules.restrictedJoin || (rule !== 'restricted' && rule !== 'knock_restricted')) {
    return { kind: 'none-needed' }
  }
  const current = await context.store.read('rooms.membership', () => membershipOf(room.nid, userId))
  if (current?.membership === 'invite' || current?.membership === 'join') return { kind: 'none-needed' }

  const allowed = allowedRooms(rules?.['allow'])
  const rooms = await Promise.all(allowed.map((id) => context.loader.load(id)))
  // A membership in a room that this server has left may be long over.
  const resident: RoomSnapshot[] = []
  for (const one of rooms) if (one !== undefined && (await isResident(context, one))) resident.push(one)
  if (!(await isInOneOf(context, userId, resident))) {
    const known = resident.filter((one) => !one.partial)
    return { kind: known.length === allowed.length ? 'refused' : 'unknown' }
  }
  const levels = powerLevelsIn(state)
  const { local } = await context.rosters.of(room.nid)
  for (const candidate of local) {
    if (levels.user(candidate) >= levels.invite) return { kind: 'by', userId: candidate }
  }
  return { kind: 'no-authority' }
}

async function isInOneOf(context: Context, userId: string, rooms: readonly RoomSnapshot[]): Promise<boolean> {
  if (rooms.length === 0) return false
  return context.store.read('rooms.inOneOf', () =>
    hasJoinedOneOf(
      userId,
      rooms.map((room) => room.nid),
    ),
  )
}

function allowedRooms(allow: unknown): string[] {
  if (!Array.isArray(allow)) return []
  return allow
    .filter((item): item is JsonObject => isObject(item) && item['type'] === 'm.room_membership')
    .map((item) => item['room_id'])
    .filter((id): id is string => typeof id === 'string')
    .slice(0, MAX_ALLOWED_ROOMS)
}
