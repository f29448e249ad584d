import { isRoomId } from '../../core/ids/room-id.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import { publicRoomEntry } from '../directory/public-rooms.js'
import { readState, type RoomsContext } from '../rooms/context.js'
import { mapKey } from '../rooms/state-store.js'
import type { RoomSnapshot } from '../rooms/working-room.js'
import type { AccessFacts } from './access.js'

/** A room as people see it who are not in it, and what decides whether they may. */
export interface RoomSummary {
  /** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1room_summaryroomidoralias */
  readonly entry: JsonObject
  readonly facts: AccessFacts
}

const JOIN_RULES = { type: 'm.room.join_rules', stateKey: '' }
const ENCRYPTION = { type: 'm.room.encryption', stateKey: '' }
const MAX_ALLOWED = 50

/** Pre: this server is in the room. */
export async function roomSummary(context: RoomsContext, room: RoomSnapshot): Promise<RoomSummary> {
  const entry = await publicRoomEntry(context, room)
  const state = await readState(context, room, [JOIN_RULES, ENCRYPTION])
  const rules = state.get(mapKey(JOIN_RULES))?.event.content ?? {}
  const algorithm = state.get(mapKey(ENCRYPTION))?.event.content['algorithm']
  const rule = joinRuleOf(rules, room)
  const isRestricted = rule === 'restricted' || rule === 'knock_restricted'
  const allowedRoomIds = isRestricted ? allowedRooms(rules) : []
  return {
    entry: {
      ...entry,
      ...(isRestricted ? { allowed_room_ids: allowedRoomIds } : {}),
      ...(typeof algorithm === 'string' ? { encryption: algorithm } : {}),
      room_version: room.rules.id,
    },
    facts: {
      roomId: room.roomId,
      joinRule: rule,
      allowedRoomIds,
      worldReadable: entry['world_readable'] === true,
    },
  }
}

/** A rule that the room's version does not know lets nobody in. */
function joinRuleOf(content: JsonObject, { rules }: RoomSnapshot): string {
  const rule = content['join_rule']
  const known: Readonly<Record<string, boolean>> = {
    public: true,
    knock: rules.knock,
    restricted: rules.restrictedJoin,
    knock_restricted: rules.knockRestricted,
  }
  return typeof rule === 'string' && Object.hasOwn(known, rule) && known[rule] === true ? rule : 'invite'
}

function allowedRooms(content: JsonObject): string[] {
  const allow = content['allow']
  if (!Array.isArray(allow)) return []
  return (allow as readonly Json[])
    .filter((item): item is JsonObject => isObject(item) && ownValue(item, 'type') === 'm.room_membership')
    .map((item) => ownValue(item, 'room_id'))
    .filter((id): id is string => typeof id === 'string' && isRoomId(id))
    .slice(0, MAX_ALLOWED)
}
