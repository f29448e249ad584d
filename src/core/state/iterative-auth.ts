import { checkAuth } from '../auth/check.js'
import type { StateLookup } from '../auth/state-lookup.js'
import type { RoomEvent } from '../event/types.js'
import { authEdgesOf } from './auth-graph.js'
import type { Resolution } from './resolution.js'
import { stateKey, type StateKey } from './state-key.js'

/**
 * The iterative auth checks: tries events one after the other and keeps those that the state built so far allows.
 * Changes `resolved`. `base` is what lies under it. Where neither has a key, the event's own auth event with that key
 * stands in; rejected events never do.
 * SPEC: https://spec.matrix.org/v1.19/rooms/v2/#definitions
 */
export function iterativeAuth(
  sorted: readonly RoomEvent[],
  resolved: Map<StateKey, string>,
  base: (key: StateKey) => string | undefined,
  { event: events, isRejected, verifySignature }: Resolution,
): void {
  const accepted = (id: string): RoomEvent | undefined => (isRejected(id) ? undefined : events(id))
  for (const event of sorted) {
    if (event.stateKey === undefined || isRejected(event.id)) continue
    let own: Map<StateKey, RoomEvent> | undefined
    const lookup: StateLookup = (type, key) => {
      const wanted = stateKey(type, key)
      const id = resolved.get(wanted) ?? base(wanted)
      const current = id === undefined ? undefined : accepted(id)
      if (current !== undefined) return current
      own ??= authEventsByKey(event, accepted)
      return own.get(wanted)
    }
    if (checkAuth(event, lookup, verifySignature).ok)
      resolved.set(stateKey(event.type, event.stateKey), event.id)
  }
}

function authEventsByKey(
  event: RoomEvent,
  accepted: (id: string) => RoomEvent | undefined,
): Map<StateKey, RoomEvent> {
  const own = new Map<StateKey, RoomEvent>()
  for (const id of authEdgesOf(event)) {
    const auth = accepted(id)
    if (auth?.stateKey !== undefined) own.set(stateKey(auth.type, auth.stateKey), auth)
  }
  return own
}
