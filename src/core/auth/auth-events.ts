import { createEventIdOf } from '../ids/room-id.js'
import { checkFieldBytes } from '../event/size.js'
import { ALLOW, refuse, type RoomEvent, type Verdict } from '../event/types.js'
import { stateKey as stateKeyOf } from '../state/state-key.js'
import { authEventKeys } from './auth-event-keys.js'

/** An event that another one refers to, and whether it was itself rejected. */
export interface KnownEvent {
  readonly event: RoomEvent
  readonly rejected: boolean
}

/**
 * The auth rules about an event's `auth_events` themselves: from room version 12 also about the create event that its
 * room id names. What they say is to be checked with `checkAuth` afterwards. Create events have none to judge.
 *
 * `known` gives the events referred to; an event that refers to one not known is refused, so fetch them before.
 * SPEC: https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules (rules 2 and 3; 2 in older room versions)
 */
export function checkAuthEvents(event: RoomEvent, known: (id: string) => KnownEvent | undefined): Verdict {
  const size = checkFieldBytes(event)
  if (!size.ok) return size
  if (event.type === 'm.room.create') return ALLOW

  const { rules } = event
  const implied = rules.roomIds === 'create-hash'
  if (implied) {
    const create = known(createEventIdOf(event.roomId))
    if (create === undefined || create.rejected || create.event.type !== 'm.room.create') {
      return refuse('room.create', 'the room id does not name an accepted create event')
    }
  }

  const selected = new Set(
    authEventKeys(event, rules).map(({ type, stateKey }) => stateKeyOf(type, stateKey)),
  )
  const seen = new Set<string>()
  for (const id of event.authEvents) {
    const entry = known(id)
    if (entry === undefined) return refuse('auth_events.unknown', `auth event ${id} is not known`)
    const { event: auth } = entry
    if (auth.roomId !== event.roomId) return refuse('auth_events.room', `auth event ${id} is of another room`)
    const key = stateKeyOf(auth.type, auth.stateKey ?? '')
    if (seen.has(key)) return refuse('auth_events.duplicate', `two auth events for ${auth.type}`)
    if (auth.stateKey === undefined || !selected.has(key)) {
      return refuse('auth_events.surplus', `auth event ${id} does not belong there`)
    }
    if (entry.rejected) return refuse('auth_events.rejected', `auth event ${id} was rejected`)
    seen.add(key)
  }
  return implied || seen.has(stateKeyOf('m.room.create', ''))
    ? ALLOW
    : refuse('auth_events.create', 'no create event among the auth events')
}
