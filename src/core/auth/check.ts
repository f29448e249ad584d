import { isUserId } from '../ids/user-id.js'
import { serverNameOf } from '../ids/server-name-of.js'
import { ALLOW, refuse, type RoomEvent, type Verdict } from '../event/types.js'
import { checkCreate } from './check-create.js'
import { checkMember } from './check-member.js'
import { checkPowerLevels } from './check-power-levels.js'
import { powerLevels, type PowerLevels } from './power-levels.js'
import { membershipOf, type StateLookup, type VerifySignature } from './state-lookup.js'

/**
 * The auth rules of an event's room version against a state: that of its auth events, that before it, or the current
 * one. Looks at no other state than `authStateKeys(event)`.
 *
 * Create events are allowed or refused by themselves, all others need the room's create event in the state.
 * SPEC: https://spec.matrix.org/v1.19/rooms/ (authorisation rules of each version)
 */
export function checkAuth(event: RoomEvent, state: StateLookup, verifySignature: VerifySignature): Verdict {
  if (event.type === 'm.room.create') return checkCreate(event)
  const create = state('m.room.create', '')
  if (create === undefined) return refuse('create.missing', 'the room has no create event')
  if (!isOpenTo(create, event.sender)) return refuse('federate', 'the room does not federate')
  if (event.type === 'm.room.aliases' && event.rules.aliasesAuthRule) return checkAliases(event)
  if (event.type === 'm.room.member') return checkMember(event, state, create, verifySignature)
  return checkFromInside(event, state, create)
}

/** Whether a user may be in the room by its `m.federate`. Anything but `true` closes it to other servers: they read it so. */
export function isOpenTo(create: RoomEvent, sender: string): boolean {
  if (!Object.hasOwn(create.content, 'm.federate') || create.content['m.federate'] === true) return true
  return serverNameOf(create.sender) === serverNameOf(sender)
}

/** Room versions 1–5: a server sets its own aliases, whoever of it is in the room. */
function checkAliases(event: RoomEvent): Verdict {
  if (event.stateKey === undefined) return refuse('aliases.state_key', 'aliases must be a state event')
  return event.stateKey === serverNameOf(event.sender)
    ? ALLOW
    : refuse('aliases.server', 'the aliases are of another server')
}

/** Whose state it is: where the key is a user's, it is for that user, and in some versions for those with more power. */
function checkOwner(event: RoomEvent, own: number, levels: PowerLevels): Verdict {
  const key = event.stateKey
  if (key?.startsWith('@') !== true || key === event.sender) return ALLOW
  if (event.rules.ownedState) {
    // Names of servers have no underscore.
    const end = key.indexOf('_', key.indexOf(':'))
    const owner = end === -1 || !key.includes(':') ? key : key.slice(0, end)
    if (!isUserId(owner))
      return refuse(
        'state_key.owner',
        'the state key is no user’s, nor begins with a user id and an underscore',
      )
    if (owner === event.sender || own > levels.user(owner)) return ALLOW
  }
  return refuse('state_key', 'the state is another user’s')
}

/** The rules for all that only members may send. */
function checkFromInside(event: RoomEvent, state: StateLookup, create: RoomEvent): Verdict {
  if (membershipOf(state, event.sender) !== 'join') return refuse('sender', 'the sender is not in the room')
  const levels = powerLevels(state)
  const own = levels.user(event.sender)
  if (event.type === 'm.room.third_party_invite') {
    return own >= levels.invite ? ALLOW : refuse('third_party_invite.level', 'the sender may not invite')
  }
  if (levels.event(event.type, event.stateKey !== undefined) > own) {
    return refuse('level', 'the sender may not send events of this type')
  }
  const ownership = checkOwner(event, own, levels)
  if (!ownership.ok) return ownership
  if (event.type === 'm.room.power_levels') return checkPowerLevels(event, state, create)
  if (event.type === 'm.room.redaction' && event.rules.redactionAuthRule) {
    return own >= levels.redact ? ALLOW : checkOwnRedaction(event)
  }
  return ALLOW
}

/** Room versions 1 and 2: everybody may redact what was sent through the same server. */
function checkOwnRedaction(event: RoomEvent): Verdict {
  const server = event.redacts === undefined ? undefined : serverNameOf(event.redacts)
  return server !== undefined && server === serverNameOf(event.id)
    ? ALLOW
    : refuse('redaction', 'the sender may not redact this event')
}
