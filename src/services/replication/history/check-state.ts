import { appendTo } from '../../../core/append-to.js'
import { checkAuthEvents } from '../../../core/auth/auth-events.js'
import { checkAuth } from '../../../core/auth/check.js'
import { handedOver } from '../../../core/access-rules/handed-over.js'
import type { RoomEvent } from '../../../core/event/types.js'
import { createEventIdOf } from '../../../core/ids/room-id.js'
import { stateKey, type StateKey } from '../../../core/state/state-key.js'
import type { RoomVersionRules } from '../../../core/room-version/rules.js'
import { createPace, type Pace } from '../../../platform/pace.js'
import type { LocalEventDeps } from '../../rooms/local-event.js'
import { badAnswer } from '../peers/peer-failure.js'

/** An event that was judged before, by this answer or an earlier one. */
export interface JudgedEvent {
  readonly event: RoomEvent
  readonly rejected: boolean
}

export interface ForeignState {
  readonly rules: RoomVersionRules
  readonly roomId: string
  /** What a peer says is the state; format, hashes and signatures are checked. */
  readonly state: readonly RoomEvent[]
  readonly authChain: readonly RoomEvent[]
  /** Events that this server has of the room, by id. */
  readonly known: ReadonlyMap<string, JudgedEvent>
}

export interface CheckedState {
  /** Every event that could be judged, each after its auth events. */
  readonly events: readonly RoomEvent[]
  /** The rule that refuses an event, by event id. */
  readonly rejected: ReadonlyMap<string, string>
  /** The state, less what was rejected or could not be judged. */
  readonly state: readonly RoomEvent[]
  readonly create: RoomEvent
}

/** By what it is judged. */
export type Judges = Pick<LocalEventDeps, 'verifySignature' | 'access'>

/** Small steps between two looks at the time. */
const STEPS = 100

/**
 * Judges a whole state that a peer hands over by the auth rules, each event by its auth events, and by the access rules of a closed circle. Events whose auth
 * events are missing are left out: they may come again, with them. Lets other work run in between.
 * Throws `FederationError` (`bad-response`) for an answer that is no state of this room: without its create event, of
 * another version, with two events for one key.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu (4)
 */
export async function checkForeignState(
  input: ForeignState,
  { verifySignature, access }: Judges,
): Promise<CheckedState> {
  const pace = createPace()
  const create = await createOf(input, pace)
  const all = new Map<string, RoomEvent>()
  for (const list of [input.authChain, input.state]) {
    for (const event of list) {
      all.set(event.id, event)
      if (all.size % STEPS === 0) await pace()
    }
  }
  const implied = input.rules.roomIds === 'create-hash' ? create.id : undefined

  const byKey = new Map<StateKey, RoomEvent>()
  for (const event of access === undefined ? [] : input.state) {
    byKey.set(stateKey(event.type, event.stateKey!), event)
    if (byKey.size % STEPS === 0) await pace()
  }
  const judgeAccess = access === undefined ? undefined : handedOver(byKey, access)

  const judged = new Map<string, JudgedEvent>(input.known)
  const rejected = new Map<string, string>()
  const events: RoomEvent[] = []
  for (const event of await inAuthOrder(all, implied, pace)) {
    await pace()
    const before = input.known.get(event.id)
    if (before !== undefined) {
      if (before.rejected) rejected.set(event.id, 'known')
      events.push(event)
      continue
    }
    const ids =
      implied === undefined || event.id === implied ? event.authEvents : [...event.authEvents, implied]
    const auth = ids.flatMap((id) => judged.get(id)?.event ?? [])
    if (auth.length < ids.length) continue
    const listed = checkAuthEvents(event, (id) => judged.get(id))
    const verdict = listed.ok
      ? checkAuth(
          event,
          (type, stateKey) => auth.find((one) => one.type === type && one.stateKey === stateKey),
          verifySignature,
        )
      : listed
    // What is no more in the state was judged by servers that had it: here nobody knows what the room was then.
    const isPresent =
      judgeAccess !== undefined &&
      event.stateKey !== undefined &&
      byKey.get(stateKey(event.type, event.stateKey)) === event
    const outcome = verdict.ok && isPresent ? judgeAccess(event, auth) : verdict
    if (!outcome.ok) rejected.set(event.id, outcome.rule)
    judged.set(event.id, { event, rejected: !outcome.ok })
    events.push(event)
  }
  if (rejected.has(create.id)) throw badAnswer('the create event of the room is not valid')
  await pace()
  return {
    events,
    rejected,
    create,
    state: input.state.filter((event) => judged.has(event.id) && !rejected.has(event.id)),
  }
}

async function createOf({ state, rules, roomId }: ForeignState, pace: Pace): Promise<RoomEvent> {
  const keys = new Set<string>()
  let create: RoomEvent | undefined
  for (const event of state) {
    if (keys.size % STEPS === 0) await pace()
    if (event.stateKey === undefined) throw badAnswer('the state holds a message event')
    const key = `${event.type}\u0000${event.stateKey}`
    if (keys.has(key)) throw badAnswer('the state holds two events for one key')
    keys.add(key)
    if (event.type === 'm.room.create' && event.stateKey === '') create = event
  }
  if (create === undefined) throw badAnswer('the state lacks the create event')
  if (rules.roomIds === 'create-hash' && create.id !== createEventIdOf(roomId)) {
    throw badAnswer('the create event is of another room')
  }
  const version = create.content['room_version'] ?? '1'
  if (version !== rules.id) throw badAnswer('the create event is of another room version')
  return create
}

/**
 * The events so that each stands after those of its auth events which are among them. What refers to itself, over
 * however many steps, is left out. `first`, if given, is an auth event of all others. Lets other work run in between.
 */
export async function inAuthOrder(
  events: ReadonlyMap<string, RoomEvent>,
  first: string | undefined,
  pace = createPace(),
): Promise<RoomEvent[]> {
  const waiting = new Map<string, number>()
  const dependants = new Map<string, RoomEvent[]>()
  const ready: RoomEvent[] = []
  const implied = first !== undefined && events.has(first) ? first : undefined
  let looked = 0
  for (const event of events.values()) {
    if (++looked % STEPS === 0) await pace()
    let missing = 0
    const dependOn = (id: string): void => {
      missing += 1
      appendTo(dependants, id, event)
    }
    // An id that stands there twice is counted twice, and met twice.
    for (const id of event.authEvents) if (events.has(id)) dependOn(id)
    if (implied !== undefined && event.id !== implied) dependOn(implied)
    if (missing === 0) ready.push(event)
    else waiting.set(event.id, missing)
  }
  for (let next = 0; next < ready.length; next++) {
    for (const event of dependants.get(ready[next]!.id) ?? []) {
      if (++looked % STEPS === 0) await pace()
      const left = waiting.get(event.id)! - 1
      waiting.set(event.id, left)
      if (left === 0) ready.push(event)
    }
  }
  return ready
}
