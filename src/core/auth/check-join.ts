import { ownValue } from '../json/value.js'
import { ALLOW, refuse, type RoomEvent, type Verdict } from '../event/types.js'
import { powerLevels } from './power-levels.js'
import { creatorOf, joinRule, membershipOf, type StateLookup } from './state-lookup.js'

/**
 * Membership `join`.
 * SPEC: https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules (rule 5.3)
 */
export function checkJoin(event: RoomEvent, state: StateLookup, create: RoomEvent): Verdict {
  const { rules } = event
  const target = event.stateKey
  if (isFirstAfter(event, create) && target === creatorOf(create)) return ALLOW
  if (event.sender !== target) return refuse('member.join.sender', 'nobody can make others join')

  const membership = membershipOf(state, target)
  if (membership === 'ban') return refuse('member.join.banned', 'the user is banned')
  const inside = membership === 'join' || membership === 'invite'

  const rule = joinRule(state)
  if (rule === 'public') return ALLOW
  if (rule === 'invite' || (rule === 'knock' && rules.knock)) {
    return inside ? ALLOW : refuse('member.join.invite', 'the user is not invited')
  }
  if (
    (rule === 'restricted' && rules.restrictedJoin) ||
    (rule === 'knock_restricted' && rules.knockRestricted)
  ) {
    return inside ? ALLOW : checkAuthoriser(event, state)
  }
  return refuse('member.join.rule', 'the join rule lets nobody in')
}

/** Somebody who may invite must have let the user in. That user's server has signed the event: see `requiredSigners`. */
function checkAuthoriser(event: RoomEvent, state: StateLookup): Verdict {
  const authoriser = ownValue(event.content, 'join_authorised_via_users_server')
  if (typeof authoriser !== 'string') return refuse('member.join.restricted', 'nobody has let the user in')
  if (membershipOf(state, authoriser) !== 'join') {
    return refuse('member.join.restricted.member', 'the authorising user is not in the room')
  }
  const levels = powerLevels(state)
  return levels.user(authoriser) >= levels.invite
    ? ALLOW
    : refuse('member.join.restricted.level', 'the authorising user may not invite')
}

/** True when the create event is the only previous event, named once. */
function isFirstAfter(event: RoomEvent, create: RoomEvent): boolean {
  const asSent = ownValue(event.pdu, 'prev_events')
  const named = Array.isArray(asSent) ? asSent.length : event.prevEvents.length
  return named === 1 && event.prevEvents[0] === create.id
}
