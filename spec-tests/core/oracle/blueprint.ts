import type { Json, JsonObject } from '../../../src/core/json/value.js'
import type { RoomVersion } from '../../../src/core/room-version/rules.js'

/**
 * An event before it has an id: it names others by their place in the list. Dropping an event from a room and
 * building the rest anew is then possible in every room version, which is what shrinking needs.
 */
export interface Blueprint {
  readonly type: string
  readonly sender: string
  readonly stateKey?: string
  readonly content: JsonObject
  readonly prev: readonly number[]
  /** Places in the list, or ids that nobody knows. */
  readonly auth: readonly (number | string)[]
  readonly depth: Json
  readonly ts: Json
  /** The event that a redaction names. */
  readonly redacts?: number
  /** Room versions 1 and 2: the domain of the event id, and what stands before it. */
  readonly idDomain: string
  readonly idLocalpart: string
  /** An event of another room: known, never part of this room's graph. */
  readonly outlier?: boolean
  /** Further top-level members, which some room versions protect from redaction. */
  readonly extra?: JsonObject
  /** What the generator meant by it; counted, never compared. */
  readonly intent: string
}

export interface Room {
  readonly version: RoomVersion
  readonly blueprints: readonly Blueprint[]
  /** PDUs that are judged alone: their format, hashes, ids and redacted forms. */
  readonly loose: readonly Json[]
}

/** The room without one event; whoever named it as a predecessor names its predecessors instead. */
export function without(room: Room, place: number): Room {
  const gone = room.blueprints[place]!
  const shift = (other: number): number => (other > place ? other - 1 : other)
  const unique = <T>(items: readonly T[]): T[] => [...new Set(items)]
  const blueprints = room.blueprints
    .filter((_, i) => i !== place)
    .map((blueprint) => {
      const prev = unique(blueprint.prev.flatMap((p) => (p === place ? gone.prev : [p]))).map(shift)
      const auth = blueprint.auth
        .filter((a) => a !== place)
        .map((a) => (typeof a === 'number' ? shift(a) : a))
      const { redacts, ...rest } = blueprint
      const kept = redacts === undefined || redacts === place ? {} : { redacts: shift(redacts) }
      return { ...rest, prev, auth, ...kept }
    })
  return { ...room, blueprints }
}
