import type { Clock } from '../../platform/clock.js'
import { createPace } from '../../platform/pace.js'
import { bytesOfEvents } from '../../storage/tables/database-size.js'
import { roomsByNids } from '../../storage/tables/rooms.js'
import type { Store } from '../../storage/tx.js'

export interface RoomSize {
  readonly room_id: string
  /** Bytes of its events, without indexes and state. */
  readonly estimated_size: number
}

/** Which rooms take most of the database. */
export interface DatabaseSize {
  /** The largest, the largest first; as of some minutes ago. */
  largestRooms(): Promise<readonly RoomSize[]>
}

const LARGEST = 10
/** Events that one query adds up: a few milliseconds. */
const PAGE = 1_000
const KEPT_MS = 10 * 60_000

export function createDatabaseSize(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'monotonic'>
}): DatabaseSize {
  const { store, clock } = deps
  let counted: { readonly at: number; readonly rooms: readonly RoomSize[] } | undefined
  let counting: Promise<readonly RoomSize[]> | undefined

  async function count(): Promise<readonly RoomSize[]> {
    const sizes = new Map<number, number>()
    const pace = createPace()
    for (let after = -1; ;) {
      const from = after
      const parts = await store.read('administration.bytes', () => bytesOfEvents(from, PAGE))
      let events = 0
      for (const part of parts) {
        sizes.set(part.room_nid, (sizes.get(part.room_nid) ?? 0) + part.bytes)
        events += part.events
        after = Math.max(after, part.last)
      }
      if (events < PAGE) break
      await pace()
    }
    const largest = [...sizes].toSorted((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, LARGEST)
    const rows = await store.read('administration.largest', () => roomsByNids(largest.map(([nid]) => nid)))
    const ids = new Map(rows.map((row) => [row.nid, row.room_id]))
    const rooms = largest.flatMap(([nid, size]) => {
      const id = ids.get(nid)
      return id === undefined ? [] : [{ room_id: id, estimated_size: size }]
    })
    counted = { at: clock.monotonic(), rooms }
    return rooms
  }

  return {
    largestRooms() {
      if (counted !== undefined && clock.monotonic() - counted.at < KEPT_MS)
        return Promise.resolve(counted.rooms)
      counting ??= count().finally(() => {
        counting = undefined
      })
      return counting
    },
  }
}
