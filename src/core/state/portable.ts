import { reviveEvent } from '../event/revive.js'
import type { RoomEvent } from '../event/types.js'
import { canonicalJson } from '../json/canonical.js'
import { roomVersion } from '../room-version/versions.js'
import type { VerifySignature } from '../auth/state-lookup.js'
import { resolve } from './resolve.js'
import type { StateKey } from './state-key.js'

/** A resolution as plain data, which another thread can take; see `Resolution`. */
export interface PortableResolution {
  readonly version: string
  readonly roomId: string
  readonly conflicted: readonly (readonly [StateKey, readonly string[]])[]
  readonly unconflicted: readonly (readonly [StateKey, string])[]
  readonly authDifference: readonly string[]
}

export interface PortableEvent {
  readonly id: string
  readonly json: string
  readonly isRejected: boolean
}

export const portableEvent = (event: RoomEvent, isRejected: boolean): PortableEvent => ({
  id: event.id,
  json: event.rules.strictCanonicalJson
    ? JSON.stringify(event.pdu)
    : // Numbers that only older room versions allow are kept as they were written.
      canonicalJson(event.pdu, 'lenient'),
  isRejected,
})

/** What is decided, by key. `events`: all that the resolution needs. Throws for a room version that is not known, and for events that are damaged. */
export function resolvePortable(
  { version, roomId, conflicted, unconflicted, authDifference }: PortableResolution,
  events: readonly PortableEvent[],
  verifySignature: VerifySignature,
): (readonly [StateKey, string])[] {
  const rules = roomVersion(version)
  if (rules === undefined) throw new Error(`the room version ${version} is not known`)
  const byId = new Map(events.map(({ id, json }) => [id, reviveEvent(json, id, roomId, rules)]))
  const rejected = new Set(events.flatMap(({ id, isRejected }) => (isRejected ? [id] : [])))
  const agreed = new Map(unconflicted)
  const resolved = resolve({
    rules,
    conflicted: new Map(conflicted),
    unconflicted: (key) => agreed.get(key),
    authDifference,
    event: (id) => byId.get(id),
    isRejected: (id) => rejected.has(id),
    verifySignature,
  })
  return [...resolved]
}
