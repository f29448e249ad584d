import { isRoomId } from '../../core/ids/room-id.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import { compareSpaceChildren, readSpaceChild, type SpaceChild } from '../../core/space-child.js'
import type { AccessFacts } from './access.js'
import { MAX_CHILDREN } from './space-children.js'

/** A room as another server describes it. Nothing of it is more than that server's word. */
export interface PeerRoom {
  readonly entry: JsonObject
  readonly facts: AccessFacts
  readonly children: readonly SpaceChild[]
}

export interface PeerHierarchy {
  readonly room: PeerRoom
  /** Children that the server described too, without their own children. */
  readonly children: ReadonlyMap<string, PeerRoom>
  /** Children that this server has no way into. */
  readonly inaccessible: ReadonlySet<string>
}

/** Characters, of each text that clients are shown. */
const TEXTS: Readonly<Record<string, number>> = {
  name: 1_000,
  topic: 8_000,
  avatar_url: 1_000,
  canonical_alias: 255,
  room_type: 255,
  join_rule: 100,
  encryption: 255,
  room_version: 100,
}
const MAX_DESCRIBED = 200
const MAX_ALLOWED = 50

/**
 * Reads an answer of `hierarchy`; undefined where it does not speak of the room that was asked for. What is malformed or too
 * much is left out. SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1hierarchyroomid
 */
export function readPeerHierarchy(answer: JsonObject, roomId: string): PeerHierarchy | undefined {
  const room = readPeerRoom(ownValue(answer, 'room'))
  if (room?.facts.roomId !== roomId) return undefined
  const children = new Map<string, PeerRoom>()
  for (const item of listOf(answer, 'children').slice(0, MAX_DESCRIBED)) {
    const child = readPeerRoom(item)
    if (child !== undefined) children.set(child.facts.roomId, child)
  }
  const inaccessible = listOf(answer, 'inaccessible_children')
    .slice(0, MAX_CHILDREN)
    .filter((id): id is string => typeof id === 'string' && isRoomId(id))
  return { room, children, inaccessible: new Set(inaccessible) }
}

function readPeerRoom(json: Json | undefined): PeerRoom | undefined {
  if (!isObject(json)) return undefined
  const roomId = ownValue(json, 'room_id')
  if (typeof roomId !== 'string' || !isRoomId(roomId)) return undefined
  const members = ownValue(json, 'num_joined_members')
  const worldReadable = ownValue(json, 'world_readable') === true
  const entry: Record<string, Json> = {
    room_id: roomId,
    num_joined_members: typeof members === 'number' && members >= 0 ? members : 0,
    world_readable: worldReadable,
    guest_can_join: ownValue(json, 'guest_can_join') === true,
  }
  for (const [name, length] of Object.entries(TEXTS)) {
    const value = ownValue(json, name)
    if (typeof value === 'string' && value !== '') entry[name] = value.slice(0, length)
  }
  const allowedRoomIds = listOf(json, 'allowed_room_ids')
    .filter((id): id is string => typeof id === 'string' && isRoomId(id))
    .slice(0, MAX_ALLOWED)
  if (allowedRoomIds.length > 0) entry['allowed_room_ids'] = allowedRoomIds
  // Servers of before v1.15 leave the rule of public rooms out.
  const joinRule = typeof entry['join_rule'] === 'string' ? entry['join_rule'] : 'public'
  return {
    entry,
    facts: { roomId, joinRule, allowedRoomIds, worldReadable },
    children: readChildren(listOf(json, 'children_state')),
  }
}

function readChildren(list: readonly Json[]): readonly SpaceChild[] {
  const children = new Map<string, SpaceChild>()
  for (const item of list.slice(0, MAX_CHILDREN)) {
    if (!isObject(item)) continue
    const child = readSpaceChild({
      type: ownValue(item, 'type'),
      stateKey: ownValue(item, 'state_key'),
      sender: ownValue(item, 'sender'),
      content: ownValue(item, 'content'),
      ts: ownValue(item, 'origin_server_ts'),
    })
    if (child !== undefined) children.set(child.roomId, child)
  }
  return [...children.values()].toSorted(compareSpaceChildren)
}

function listOf(object: JsonObject, name: string): readonly Json[] {
  const list = ownValue(object, name)
  return Array.isArray(list) ? (list as readonly Json[]) : []
}
