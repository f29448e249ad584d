import { ACCOUNT_MOVE } from '../account-move/move-certificate.js'
import { compareByTime } from '../event/order.js'
import { stateKey, type StateKey } from '../state/state-key.js'
import { ALLOW, type RoomEvent, type Verdict } from '../event/types.js'
import type { AccessPolicy } from './access-policy.js'
import { checkAccess } from './check-access.js'
import { ACCESS_RULES, roomAccess } from './room-access.js'

/**
 * The access rules for a whole state that another server hands over, where nobody here knows what was before each event: what was before is taken from
 * the events that it names (`auth`), all else from the state itself. Of a direct room those two count who came first.
 *
 * Gives a judge of the state's events. Pre: `state` has one event for each key.
 */
export function handedOver(
  state: ReadonlyMap<StateKey, RoomEvent>,
  policy: AccessPolicy,
): (event: RoomEvent, auth: readonly RoomEvent[]) => Verdict {
  const rules = state.get(stateKey(ACCESS_RULES.type, ACCESS_RULES.stateKey))
  const isDirect = roomAccess(rules?.content).rule === 'direct'
  const members = isDirect
    ? [...state.values()].filter(({ type }) => type === 'm.room.member').toSorted(compareByTime)
    : []
  const moves = isDirect ? [...state.values()].filter(({ type }) => type === ACCOUNT_MOVE) : []
  return (event, auth) => {
    if (event.stateKey === undefined) return ALLOW
    const named = (type: string, key: string): RoomEvent | undefined =>
      auth.find((one) => one.type === type && one.stateKey === key)
    return checkAccess(
      event,
      {
        get: (type, key) =>
          // Of an open door and guests who may pass it, the guests go: without the door nobody would be in the room.
          event.type === 'm.room.join_rules' && type === 'm.room.guest_access'
            ? undefined
            : type === event.type && key === event.stateKey
              ? named(type, key)
              : state.get(stateKey(type, key)),
        members: members.slice(0, Math.max(0, members.indexOf(event))),
        addressInvites: [],
        moves,
      },
      policy,
    )
  }
}
