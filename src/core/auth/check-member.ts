import { ownValue } from '../json/value.js'
import { ALLOW, refuse, type RoomEvent, type Verdict } from '../event/types.js'
import { checkJoin } from './check-join.js'
import { powerLevels } from './power-levels.js'
import { joinRule, membershipOf, type StateLookup, type VerifySignature } from './state-lookup.js'
import { checkThirdPartyInvite } from './third-party-invite.js'

/** Rule 5 (4 or 5 in older room versions): `m.room.member`. SPEC: https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules */
export function checkMember(
  event: RoomEvent,
  state: StateLookup,
  create: RoomEvent,
  verifySignature: VerifySignature,
): Verdict {
  const target = event.stateKey
  if (target === undefined) return refuse('member.state_key', 'a member event must be a state event')
  const membership = ownValue(event.content, 'membership')
  if (membership === undefined) return refuse('member.membership', 'the membership is missing')
  // NOTSPEC: other servers refuse a member event about what cannot be a user id, too.
  if (!target.includes(':')) return refuse('member.target', 'the state key is not a user id')
  switch (membership) {
    case 'join':
      return checkJoin(event, state, create)
    case 'invite':
      return Object.hasOwn(event.content, 'third_party_invite')
        ? checkThirdPartyInvite(event, state, verifySignature)
        : checkInvite(event, state, target)
    case 'leave':
      return checkLeave(event, state, target)
    case 'ban':
      return checkBan(event, state, target)
    case 'knock':
      if (event.rules.knock) return checkKnock(event, state, target)
      break
  }
  return refuse('member.unknown', 'the membership is not known')
}

function checkInvite(event: RoomEvent, state: StateLookup, target: string): Verdict {
  if (membershipOf(state, event.sender) !== 'join') {
    return refuse('member.invite.sender', 'the sender is not in the room')
  }
  const membership = membershipOf(state, target)
  if (membership === 'join' || membership === 'ban') {
    return refuse('member.invite.target', `the target user is in the room or banned`)
  }
  const levels = powerLevels(state)
  return levels.user(event.sender) >= levels.invite
    ? ALLOW
    : refuse('member.invite.level', 'the sender may not invite')
}

function checkLeave(event: RoomEvent, state: StateLookup, target: string): Verdict {
  const own = membershipOf(state, event.sender)
  if (event.sender === target) {
    const mayLeave = own === 'join' || own === 'invite' || (own === 'knock' && event.rules.knock)
    return mayLeave ? ALLOW : refuse('member.leave.outside', 'the user has nothing to leave')
  }
  if (own !== 'join') return refuse('member.leave.sender', 'the sender is not in the room')
  const levels = powerLevels(state)
  const level = levels.user(event.sender)
  if (membershipOf(state, target) === 'ban' && level < levels.ban) {
    return refuse('member.leave.unban', 'the sender may not unban')
  }
  return level >= levels.kick && levels.user(target) < level
    ? ALLOW
    : refuse('member.leave.kick', 'the sender may not kick this user')
}

function checkBan(event: RoomEvent, state: StateLookup, target: string): Verdict {
  if (membershipOf(state, event.sender) !== 'join') {
    return refuse('member.ban.sender', 'the sender is not in the room')
  }
  const levels = powerLevels(state)
  const level = levels.user(event.sender)
  return level >= levels.ban && levels.user(target) < level
    ? ALLOW
    : refuse('member.ban.level', 'the sender may not ban this user')
}

function checkKnock(event: RoomEvent, state: StateLookup, target: string): Verdict {
  const rule = joinRule(state)
  if (rule !== 'knock' && !(rule === 'knock_restricted' && event.rules.knockRestricted)) {
    return refuse('member.knock.rule', 'the join rule does not let users knock')
  }
  if (event.sender !== target) return refuse('member.knock.sender', 'nobody can knock for others')
  const membership = membershipOf(state, target)
  return membership === 'ban' || membership === 'invite' || membership === 'join'
    ? refuse('member.knock.membership', 'the user is in the room, invited or banned')
    : ALLOW
}
