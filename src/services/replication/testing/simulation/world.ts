import type { JsonObject } from '../../../../core/json/value.js'
import { readStateEvent } from '../../../rooms/context.js'
import type { Seeded } from './seeded.js'
import type { Process, SimNode } from './sim-node.js'

/** Messages to devices: those that their sender was told are on their way, and to whom. */
export interface DeviceMail {
  readonly body: string
  readonly to: string
  /** The server of who sent it. */
  readonly from: string
}

/** An event whose sender was answered, with the time of the answer by the clock of the server. */
export interface Acknowledged {
  readonly node: string
  readonly roomId: string
  readonly eventId: string
  readonly at: number
}

export interface World {
  readonly nodes: readonly SimNode[]
  readonly users: readonly string[]
  readonly rooms: string[]
  readonly versionOf: Map<string, string>
  /** A server whose users do what they please: it does not judge its own events. Its view of rooms counts for nothing. */
  readonly rash: string | undefined
  readonly chance: Seeded
  readonly acknowledged: Acknowledged[]
  readonly mail: DeviceMail[]
  /** Servers that were restored from a backup, with the time between it and the restoration, by their own clocks. */
  readonly restored: Map<string, { readonly from: number; readonly to: number }>
  /** Servers that came into a room through one that kept a part of its state back. */
  readonly deceived: Set<string>
  readonly counts: Map<string, number>
  /** What may not happen even so; empties the run's hope. */
  readonly faults: string[]
}

export async function contentOf(
  process: Process,
  roomId: string,
  type: string,
): Promise<JsonObject | undefined> {
  const room = await process.context.loader.load(roomId)
  if (room === undefined) return undefined
  return (await readStateEvent(process.context, room, type, ''))?.event.content
}
