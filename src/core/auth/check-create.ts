import { parseOpaqueRoomId } from '../ids/room-id.js'
import { isUserId, parseUserId } from '../ids/user-id.js'
import { ownValue } from '../json/value.js'
import { roomVersion } from '../room-version/versions.js'
import { ALLOW, refuse, type RoomEvent, type Verdict } from '../event/types.js'

/** Rule 1: `m.room.create`. SPEC: https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules */
export function checkCreate(event: RoomEvent): Verdict {
  const { rules, content } = event
  if (event.prevEvents.length > 0)
    return refuse('create.prev_events', 'a create event has no previous events')

  if (rules.roomIds === 'create-hash') {
    if (Object.hasOwn(event.pdu, 'room_id')) return refuse('create.room_id', 'a create event has no room id')
  } else if (parseOpaqueRoomId(event.roomId)?.domain !== parseUserId(event.sender)?.domain) {
    return refuse('create.room_id', 'the room id is not of the sender’s server')
  }

  if (Object.hasOwn(content, 'room_version')) {
    const version = content['room_version']
    if (typeof version !== 'string' || roomVersion(version) === undefined) {
      return refuse('create.room_version', 'the room version is not known')
    }
  }
  if (rules.creator === 'content' && !Object.hasOwn(content, 'creator')) {
    return refuse('create.creator', 'the creator is missing')
  }
  if (rules.creator === 'privileged') {
    const creators = ownValue(content, 'additional_creators')
    const valid = creators === undefined || (Array.isArray(creators) && creators.every(isUserIdText))
    if (!valid) return refuse('create.additional_creators', 'additional_creators is not a list of user ids')
  }
  return ALLOW
}

const isUserIdText = (value: unknown): boolean => typeof value === 'string' && isUserId(value)
