import type { VerifySignature } from '../../core/auth/state-lookup.js'
import { portableEvent, type PortableEvent, type PortableResolution } from '../../core/state/portable.js'
import type { Resolved } from '../../core/state/resolution.js'
import { resolve } from '../../core/state/resolve.js'
import { createPace } from '../../platform/pace.js'
import type { StoredEvent } from './stored-event.js'
import type { WorkingRoom } from './working-room.js'

/** Resolves conflicts that are too large for the event loop. Rejects where that takes too long, and where too many wait. */
export interface StateResolving {
  /** `events`: all that the resolution needs, in parts. */
  resolve(resolution: PortableResolution, events: AsyncIterable<readonly PortableEvent[]>): Promise<Resolved>
}

/** See `Resolution`. */
export interface Conflict {
  readonly conflicted: ReadonlyMap<string, readonly string[]>
  readonly unconflicted: ReadonlyMap<string, string>
  readonly authDifference: readonly string[]
  /** By id, everything that is looked at. */
  readonly loaded: ReadonlyMap<string, StoredEvent>
}

/** Events handed to the other thread at once. */
const PART = 250

export function resolveHere(
  room: WorkingRoom,
  { conflicted, unconflicted, authDifference, loaded }: Conflict,
  verifySignature: VerifySignature,
): Resolved {
  return resolve({
    rules: room.rules,
    conflicted,
    unconflicted: (key) => unconflicted.get(key),
    authDifference,
    event: (id) => loaded.get(id)?.event,
    isRejected: (id) => loaded.get(id)?.rejected !== undefined,
    verifySignature,
  })
}

export function resolveAside(
  room: WorkingRoom,
  { conflicted, unconflicted, authDifference, loaded }: Conflict,
  resolver: StateResolving,
): Promise<Resolved> {
  return resolver.resolve(
    {
      version: room.rules.id,
      roomId: room.roomId,
      conflicted: [...conflicted],
      unconflicted: [...unconflicted],
      authDifference,
    },
    inParts([...loaded.values()]),
  )
}

async function* inParts(events: readonly StoredEvent[]): AsyncGenerator<readonly PortableEvent[]> {
  const pace = createPace()
  for (let from = 0; from < events.length; from += PART) {
    yield events
      .slice(from, from + PART)
      .map(({ event, rejected }) => portableEvent(event, rejected !== undefined))
    await pace()
  }
}
