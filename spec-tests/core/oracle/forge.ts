import type { RoomEvent } from '../../../src/core/event/types.js'
import type { RoomVersionRules } from '../../../src/core/room-version/rules.js'
import type { Dice } from './random.js'

export type AuthReference = number | string
export interface Forged {
  readonly auth: readonly AuthReference[]
  /** How the references depart from what the selection algorithm names, `true` when they do not. */
  readonly forgery: Forgery
}
export type Forgery =
  | 'true'
  | 'elsewhere'
  | 'stale'
  | 'dropped'
  | 'surplus'
  | 'repeated'
  | 'duplicate-key'
  | 'rejected'
  | 'unknown'
  | 'other-room'
  | 'message'
  | 'create'

/** What a forger knows: every event so far, and which of them were rejected. */
export interface Known {
  readonly event: RoomEvent
  readonly ok: boolean
  readonly outlier: boolean
}

const WEIGHTS: readonly (readonly [number, Forgery])[] = [
  [83, 'true'],
  [7, 'stale'],
  [2.5, 'dropped'],
  [1, 'surplus'],
  [0.7, 'repeated'],
  [1, 'duplicate-key'],
  [2, 'rejected'],
  [0.7, 'unknown'],
  [0.7, 'other-room'],
  [0.4, 'message'],
  [0.5, 'create'],
]

/** An id of the right shape that no event has. */
const unknownId = (rules: RoomVersionRules, dice: Dice): string => {
  if (rules.eventIds === 'on-the-wire') return `$nobody${dice.int(1_000)}:a.example`
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
  return `$${Array.from({ length: 42 }, () => alphabet[dice.int(alphabet.length)]).join('')}A`
}

/** The places of the auth events, some of them replaced, left out or added on purpose. */
export function forgeAuth(
  dice: Dice,
  rules: RoomVersionRules,
  selected: readonly number[],
  known: readonly Known[],
): Forged {
  const forgery = dice.weighted(WEIGHTS)
  const places = known.map((_, place) => place)
  const sameKey = (place: number, other: number): boolean => {
    const a = known[place]!.event
    const b = known[other]!.event
    return a.type === b.type && a.stateKey === b.stateKey && place !== other && !known[other]!.outlier
  }
  const isState = (place: number): boolean => known[place]!.event.stateKey !== undefined
  const honest: Forged = { auth: selected, forgery: 'true' }
  const replaced = (fits: (place: number, other: number) => boolean): Forged => {
    const pairs = selected.flatMap((place) =>
      places.filter((other) => fits(place, other)).map((other) => [place, other]),
    )
    if (pairs.length === 0) return honest
    const [place, other] = dice.pick(pairs) as [number, number]
    return { auth: selected.map((p) => (p === place ? other : p)), forgery }
  }
  const added = (candidates: readonly number[]): Forged =>
    candidates.length === 0 ? honest : { auth: [...selected, dice.pick(candidates)], forgery }
  const others = places.filter((place) => !selected.includes(place) && !known[place]!.outlier)

  switch (forgery) {
    case 'true':
    case 'elsewhere':
      return honest
    case 'stale':
      return replaced((place, other) => sameKey(place, other) && known[other]!.ok)
    case 'rejected':
      return replaced((place, other) => sameKey(place, other) && !known[other]!.ok)
    case 'dropped':
      return selected.length === 0 ? honest : { auth: dice.some(selected, selected.length - 1), forgery }
    case 'surplus':
      return added(others.filter((place) => isState(place) && !selected.some((s) => sameKey(s, place))))
    case 'repeated':
      return added(selected)
    case 'duplicate-key':
      return added(others.filter((place) => isState(place) && selected.some((s) => sameKey(s, place))))
    case 'message':
      return added(others.filter((place) => !isState(place)))
    case 'unknown':
      return { auth: [...selected, unknownId(rules, dice)], forgery }
    case 'other-room':
      return added(places.filter((place) => known[place]!.outlier))
    case 'create':
      return rules.roomIds === 'create-hash' ? added([0]) : honest
  }
}
