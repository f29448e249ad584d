import { ACCOUNT_MOVE } from '../account-move/move-certificate.js'
import { additionalCreators, membershipIn } from '../auth/state-lookup.js'
import { readLevel } from '../auth/level.js'
import { ALLOW, refuse, type RoomEvent, type Verdict } from '../event/types.js'
import { isObject, ownValue, type Json, type JsonObject } from '../json/value.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import { isExternal, type AccessPolicy } from './access-policy.js'
import type { AccessState } from './access-state.js'
import { checkDirectInvite, checkDirectMember, checkPair } from './direct-room.js'
import { checkMove } from './moved-accounts.js'
import { ACCESS_RULES, accessRuleIn, roomAccess, type RoomAccess } from './room-access.js'

/**
 * The access rules of a closed circle of servers, for one event against the state before it. They come after the auth rules, and refuse more. What
 * is no state passes, but the redaction of the access rules themselves.
 *
 * NOTSPEC: the specification knows no such rules. Those of a circle must all run them: whoever does not sees another state.
 */
export function checkAccess(event: RoomEvent, state: AccessState, policy: AccessPolicy): Verdict {
  if (policy.bypasses(event.sender)) return ALLOW
  const rules = state.get(ACCESS_RULES.type, ACCESS_RULES.stateKey)
  if (event.redacts !== undefined && isKept(event.redacts, state))
    return refuse(
      'access.redaction',
      'The access rules of a room, its levels and who has moved cannot be redacted',
    )
  if (event.stateKey === undefined) return ALLOW
  const access = roomAccess(rules?.content)
  if (event.type === 'm.room.member') return checkMember(event, state, access, policy)
  if (event.type === 'm.room.third_party_invite')
    return access.rule === 'direct' ? checkDirectInvite(event, state, policy) : ALLOW
  if (event.type === ACCOUNT_MOVE) return checkMove(event, state, policy)
  if (event.stateKey !== '') return ALLOW
  switch (event.type) {
    case 'm.room.create':
      return judgeCreators(event, policy)
    case ACCESS_RULES.type:
      return checkChange(event, rules?.content, state, policy)
    case 'm.room.power_levels':
      return access.rule === 'unrestricted' ? checkLevels(event.content, event.rules, policy) : ALLOW
    case 'm.room.join_rules':
      return checkJoinRule(event, access, state)
    case 'm.room.guest_access':
      return letsGuestsIn(event.content) && isPublic(state.get('m.room.join_rules', '')?.content)
        ? refuse(
            'access.guests',
            'A room that opens itself to everybody who knows its address lets no guests in',
          )
        : ALLOW
    case 'm.room.name':
    case 'm.room.topic':
    case 'm.room.avatar':
      return access.rule === 'direct'
        ? refuse('access.direct.profile', 'A direct conversation has no name, topic or picture of its own')
        : ALLOW
    case 'm.room.encryption':
      return access.visibility === 'public' || access.unencrypted
        ? refuse('access.encryption', 'This room was made to stay without encryption')
        : ALLOW
    default:
      return ALLOW
  }
}

/** Redacted, they would say less than they must, and nobody would have changed them. */
const isKept = (eventId: string, state: AccessState): boolean =>
  [ACCESS_RULES.type, 'm.room.power_levels'].some((type) => state.get(type, '')?.id === eventId) ||
  state.moves.some(({ id }) => id === eventId)

/** Whether judging the event takes the people of the room (`AccessState`). */
export function needsPeople(
  event: Pick<RoomEvent, 'type' | 'content' | 'redacts'>,
  access: RoomAccess,
): boolean {
  if (event.redacts !== undefined) return access.rule === 'direct'
  if (event.type === ACCESS_RULES.type) return accessRuleIn(event.content) === 'direct'
  return (
    access.rule === 'direct' && (event.type === 'm.room.member' || event.type === 'm.room.third_party_invite')
  )
}

/** External accounts make no rooms; nor is anybody given power without limit who is external. */
export function judgeCreators(
  event: Pick<RoomEvent, 'sender' | 'content' | 'rules'>,
  policy: AccessPolicy,
): Verdict {
  const creators = [event.sender, ...(event.rules.creator === 'privileged' ? additionalCreators(event) : [])]
  return creators.some((userId) => isExternal(userId, policy))
    ? refuse('access.create.external', 'External accounts cannot create rooms')
    : ALLOW
}

const NOTHING: JsonObject = {}

function checkChange(
  event: RoomEvent,
  before: JsonObject | undefined,
  state: AccessState,
  policy: AccessPolicy,
): Verdict {
  const rule = accessRuleIn(event.content)
  if (rule === undefined)
    return refuse('access.rule.unknown', 'The access rule must be restricted, unrestricted or direct')
  const opened = (): Verdict =>
    checkLevels(state.get('m.room.power_levels', '')?.content ?? NOTHING, event.rules, policy)
  if (before === undefined)
    return rule === 'direct' ? checkPair(state, policy) : rule === 'unrestricted' ? opened() : ALLOW
  const was = roomAccess(before)
  const is = roomAccess(event.content)
  if (was.visibility !== is.visibility || was.unencrypted !== is.unencrypted)
    return refuse(
      'access.rule.fixed',
      'Whether a room is public, and without encryption, is settled when it is created',
    )
  if (rule === was.rule) return ALLOW
  if (was.rule !== 'restricted' || rule !== 'unrestricted')
    return refuse(
      'access.rule.change',
      'A room can be opened to external accounts, and changed in no other way',
    )
  if (was.visibility === 'public')
    return refuse('access.rule.public', 'A public room cannot be opened to external accounts')
  return opened()
}

function checkMember(
  event: RoomEvent,
  state: AccessState,
  { rule }: RoomAccess,
  policy: AccessPolicy,
): Verdict {
  const target = event.stateKey!
  const membership = membershipIn(event)
  if (isByBypass(event, membership, state, policy)) return ALLOW
  if (rule === 'direct') return checkDirectMember(event, target, membership, state, policy)
  if ((membership !== 'join' && membership !== 'invite') || !isExternal(target, policy)) return ALLOW
  if (rule === 'restricted') return refuse('access.external', 'This room is not open to external accounts')
  if (membership === 'invite') return ALLOW
  const present = state.get('m.room.member', target)
  const before = present === undefined ? undefined : membershipIn(present)
  return before === 'invite' || before === 'join'
    ? ALLOW
    : refuse('access.external.uninvited', 'External accounts can join this room by invite only')
}

/** An invite of somebody to whom no rule applies, or the acceptance of one by such. */
function isByBypass(
  event: RoomEvent,
  membership: string | undefined,
  state: AccessState,
  policy: AccessPolicy,
): boolean {
  if (membership === 'invite') return policy.bypasses(event.stateKey!)
  if (membership !== 'join') return false
  const present = state.get('m.room.member', event.stateKey!)
  return present !== undefined && membershipIn(present) === 'invite' && policy.bypasses(present.sender)
}

/** In a room that external accounts may enter they have no power, and call in nobody. */
function checkLevels(content: JsonObject, rules: RoomVersionRules, policy: AccessPolicy): Verdict {
  const refused = (): Verdict =>
    refuse('access.levels', 'External accounts can be given no power in a room that is open to them')
  const level = (value: Json | undefined): number =>
    value === undefined ? 0 : (readLevel(value, rules) ?? 0)
  if (level(ownValue(content, 'users_default')) !== 0) return refused()
  const users = ownValue(content, 'users')
  if (
    isObject(users) &&
    Object.entries(users).some(([userId, given]) => level(given) !== 0 && isExternal(userId, policy))
  )
    return refused()
  return level(ownValue(content, 'invite')) > 0
    ? ALLOW
    : refuse(
        'access.levels.invite',
        'Inviting takes a level above 0 in a room that is open to external accounts',
      )
}

function checkJoinRule(event: RoomEvent, access: RoomAccess, state: AccessState): Verdict {
  const rule = ownValue(event.content, 'join_rule')
  if (access.rule === 'direct' && rule === 'public')
    return refuse('access.direct.public', 'A direct conversation cannot be opened to everybody')
  if (rule === 'public' && letsGuestsIn(state.get('m.room.guest_access', '')?.content))
    return refuse(
      'access.guests',
      'Shut guests out before the room is opened to everybody who knows its address',
    )
  const wasPublic = isPublic(state.get('m.room.join_rules', '')?.content)
  return access.visibility === 'public' && wasPublic && rule !== 'public'
    ? refuse('access.public', 'A public room stays open to everybody')
    : ALLOW
}

const isPublic = (joinRules: JsonObject | undefined): boolean =>
  joinRules !== undefined && ownValue(joinRules, 'join_rule') === 'public'
const letsGuestsIn = (guestAccess: JsonObject | undefined): boolean =>
  guestAccess !== undefined && ownValue(guestAccess, 'guest_access') === 'can_join'
