import { checkAuth } from '../../../src/core/auth/check.js'
import { checkAuthEvents, type KnownEvent } from '../../../src/core/auth/auth-events.js'
import { createEventIdOf } from '../../../src/core/ids/room-id.js'
import type { RoomEvent } from '../../../src/core/event/types.js'
import type { RoomVersionRules } from '../../../src/core/room-version/rules.js'
import { verifyEd25519 } from './cast.js'
import type { Known } from './forge.js'
import type { StateMap } from '../../../src/core/state/conflicted.js'
import { resolveStates } from '../../../src/core/state/resolve.js'
import { stateKey } from '../../../src/core/state/state-key.js'

/** A state: event ids by type and state key. */
export type StateIds = StateMap

/** What our core makes of one event of a room. */
export interface Judged {
  readonly event: RoomEvent
  readonly ok: boolean
  /** The check that refuses: unknown auth events, the auth events themselves, what they say, the state before. */
  readonly stage: '' | 'missing' | 'independent' | 'claimed' | 'before'
  readonly rule: string
  readonly before: StateIds
  /** The types of the state that was in conflict before the event; `other` for those that rules do not look at. */
  readonly conflicts: ReadonlySet<string>
}

/** The events of a room in the order of their arrival, judged as on receipt of a PDU. */
export interface Model {
  readonly judged: readonly Judged[]
  readonly known: readonly Known[]
  /** Judges an event whose predecessors and auth events, as far as they exist, were added before. */
  add(event: RoomEvent, outlier: boolean): Judged
  /** The resolved state after some events. */
  stateAfter(places: readonly number[]): StateIds
  /** The state resolved over all events that nothing follows. */
  leaves(): StateIds
  byId(id: string): RoomEvent | undefined
  placeOf(id: string): number | undefined
}

const NOTHING: StateIds = new Map()
const RULED = new Set(['m.room.power_levels', 'm.room.join_rules', 'm.room.member'])

export function createModel(rules: RoomVersionRules): Model {
  const judged: Judged[] = []
  const known: Known[] = []
  const places = new Map<string, number>()
  const after: StateIds[] = []
  const followed = new Set<number>()

  const byId = (id: string): RoomEvent | undefined => {
    const place = places.get(id)
    return place === undefined ? undefined : judged[place]!.event
  }
  const knownById = (id: string): KnownEvent | undefined => {
    const place = places.get(id)
    return place === undefined ? undefined : { event: judged[place]!.event, rejected: !judged[place]!.ok }
  }
  const isRejected = (id: string): boolean => knownById(id)?.rejected === true
  const resolveAfter = (those: readonly number[]): StateIds => {
    const states = [...new Set(those.map((place) => after[place] ?? NOTHING))]
    return states.length === 1 ? states[0]! : resolveStates(states, { rules, event: byId, isRejected, verifySignature: verifyEd25519 })
  }

  const judge = (event: RoomEvent, before: StateIds): Pick<Judged, 'ok' | 'stage' | 'rule'> => {
    if (event.authEvents.some((id) => !places.has(id))) return { ok: false, stage: 'missing', rule: 'missing' }
    const independent = checkAuthEvents(event, knownById)
    if (!independent.ok) return { ok: false, stage: 'independent', rule: independent.rule }
    const claimed = new Map<string, RoomEvent>()
    const implied = rules.roomIds === 'create-hash' ? [createEventIdOf(event.roomId)] : []
    for (const id of [...implied, ...event.authEvents]) {
      const auth = byId(id)
      if (auth?.stateKey !== undefined) claimed.set(stateKey(auth.type, auth.stateKey), auth)
    }
    const byAuth = checkAuth(event, (type, key) => claimed.get(stateKey(type, key)), verifyEd25519)
    if (!byAuth.ok) {
      return { ok: false, stage: event.type === 'm.room.create' ? 'independent' : 'claimed', rule: byAuth.rule }
    }
    const state = (type: string, key: string): RoomEvent | undefined => {
      const id = before.get(stateKey(type, key))
      return id === undefined ? undefined : byId(id)
    }
    const byState = checkAuth(event, state, verifyEd25519)
    return byState.ok ? { ok: true, stage: '', rule: '' } : { ok: false, stage: 'before', rule: byState.rule }
  }

  return {
    judged,
    known,
    byId,
    placeOf: (id) => places.get(id),
    stateAfter: resolveAfter,
    leaves: () => resolveAfter([...after.keys()].filter((place) => !followed.has(place) && !known[place]!.outlier)),
    add(event, outlier) {
      const prev = event.prevEvents.map((id) => places.get(id)!)
      const before = outlier ? NOTHING : resolveAfter(prev)
      const conflicts = conflictsOf(prev.map((place) => after[place]!))
      const verdict = outlier ? { ok: true, stage: '', rule: '' } as const : judge(event, before)
      const result: Judged = { event, before, conflicts, ...verdict }
      for (const place of prev) followed.add(place)
      places.set(event.id, judged.length)
      judged.push(result)
      known.push({ event, ok: verdict.ok, outlier })
      const changes = verdict.ok && !outlier && event.stateKey !== undefined
      after.push(changes ? new Map(before).set(stateKey(event.type, event.stateKey), event.id) : before)
      return result
    },
  }
} // prettier-ignore

function conflictsOf(states: readonly StateIds[]): Set<string> {
  const types = new Set<string>()
  const [first, ...rest] = [...new Set(states)]
  for (const state of rest) {
    for (const key of new Set([...first!.keys(), ...state.keys()])) {
      if (first!.get(key) === state.get(key)) continue
      const type = key.slice(0, key.indexOf('\u0000'))
      types.add(RULED.has(type) ? type : 'other')
    }
  }
  return types
}
