import { thirdPartyToken } from '../auth/auth-event-keys.js'
import { ALLOW, refuse, type RoomEvent, type Verdict } from '../event/types.js'
import type { AccessPolicy } from './access-policy.js'
import type { AccessState, AccessStateEvent } from './access-state.js'
import { personOf } from './moved-accounts.js'

const THIRD = 'A direct conversation is between two people: make a room to talk to more'

/** An invite of an address that was neither withdrawn nor redacted. */
const isLive = ({ content }: AccessStateEvent): boolean => Object.keys(content).length > 0

/** The people who ever were in the room: accounts of one who changed ministry count once. */
function peopleIn(state: AccessState, personOfUser: (userId: string) => string): ReadonlySet<string> {
  return new Set(state.members.map(({ stateKey = '' }) => personOfUser(stateKey)))
}

/** Whether a room can become a direct one. */
export function checkPair(state: AccessState, policy: AccessPolicy): Verdict {
  const people = peopleIn(state, personOf(state, policy))
  return people.size > 2 || state.addressInvites.filter(isLive).length > 1
    ? refuse('access.direct.people', 'More than two people have been in this room or were invited to it')
    : ALLOW
}

/** Who ever was one of the two stays it, with another account too, where a certificate says so; while there is one, the second place is open, or kept for an address that was invited. */
export function checkDirectMember(
  event: RoomEvent,
  target: string,
  membership: string | undefined,
  state: AccessState,
  policy: AccessPolicy,
): Verdict {
  const { members, addressInvites } = state
  if (members.some((member) => member.stateKey === target)) return ALLOW
  const person = personOf(state, policy)
  const people = peopleIn(state, person)
  if (people.has(person(target))) return ALLOW
  if (people.size >= 2) return refuse('access.direct.third', THIRD)
  const kept = members.length === 0 ? [] : addressInvites.filter(isLive)
  if (kept.length === 0) return ALLOW
  const token = membership === 'invite' ? thirdPartyToken(event.content) : undefined
  return kept.some((invite) => invite.stateKey === token)
    ? ALLOW
    : refuse(
        'access.direct.kept',
        'The second place in this conversation is kept for an address that was invited',
      )
}

/** One address, where there is a place for it; what is known under its token already can be changed, i.e. withdrawn. */
export function checkDirectInvite(event: RoomEvent, state: AccessState, policy: AccessPolicy): Verdict {
  const { addressInvites } = state
  if (addressInvites.some((invite) => invite.stateKey === event.stateKey)) return ALLOW
  return peopleIn(state, personOf(state, policy)).size >= 2 || addressInvites.some(isLive)
    ? refuse('access.direct.third', THIRD)
    : ALLOW
}
