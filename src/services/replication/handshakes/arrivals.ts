import type { JsonObject } from '../../../core/json/value.js'

/** An event as another server sent it; nothing of it is checked. */
export interface KeptEvent {
  readonly origin: string
  readonly json: JsonObject
}

/**
 * Rooms that users of this server are joining through another one right now. From the moment in which that one takes the join, all servers
 * of the room send this one what happens there; until the whole answer is here and stored, the room is not. What comes meanwhile
 * is kept, in memory and within bounds: it would otherwise be missed until something later refers to it.
 */
export interface Arrivals {
  /** Runs a join. When it has succeeded, what was kept is handed over. */
  during<T>(roomId: string, join: () => Promise<T>): Promise<T>
  /** Keeps an event of a room that is being joined; false where it is none, or too much is kept. */
  keep(origin: string, roomId: string, json: JsonObject): boolean
  /** Who takes what was kept. Never rejects. */
  onArrived(take: (kept: readonly KeptEvent[]) => Promise<void>): void
  /** Who is told of each join that has succeeded. */
  onJoined(tell: () => void): void
}

/** Events kept for one room. */
const MAX_PER_ROOM = 1_000
/** Text of all events that are kept, in UTF-16 units. */
const MAX_SIZE = 16 * 1024 * 1024

interface Arrival {
  joins: number
  readonly kept: KeptEvent[]
  size: number
}

export function createArrivals(): Arrivals {
  const rooms = new Map<string, Arrival>()
  let total = 0
  let take: (kept: readonly KeptEvent[]) => Promise<void> = () => Promise.resolve()
  let tell = (): void => undefined

  return {
    async during(roomId, join) {
      const arrival = rooms.get(roomId) ?? { joins: 0, kept: [], size: 0 }
      rooms.set(roomId, arrival)
      arrival.joins += 1
      let arrived = false
      try {
        const result = await join()
        arrived = true
        return result
      } finally {
        arrival.joins -= 1
        // After a failure another server may be asked: what was kept is of use then. The last one to end clears it away.
        if (arrived || arrival.joins === 0) {
          const kept = arrival.kept.splice(0)
          total -= arrival.size
          arrival.size = 0
          if (arrival.joins === 0) rooms.delete(roomId)
          if (arrived && kept.length > 0) void take(kept)
          if (arrived) tell()
        }
      }
    },

    keep(origin, roomId, json) {
      const arrival = rooms.get(roomId)
      if (arrival === undefined || arrival.kept.length >= MAX_PER_ROOM) return false
      const size = JSON.stringify(json).length
      if (total + size > MAX_SIZE) return false
      arrival.kept.push({ origin, json })
      arrival.size += size
      total += size
      return true
    },

    onArrived(handler) {
      take = handler
    },

    onJoined(handler) {
      tell = handler
    },
  }
}
