import { crowdedRooms, dropOldestPdus, headsOfRooms, isCrowded } from '../../../storage/tables/outbox.js'
import type { Tx } from '../../../storage/tx.js'

export interface CatchUpBounds {
  /** PDUs of one room that wait for a server that has been away for long; of a room with more the latest are sent. */
  readonly perRoom: number
}

export interface Skipped {
  readonly rooms: number
  readonly pdus: number
}

/** Of what one look leaves out; the next one goes on. */
const MAX_ROOMS = 100
const MAX_PDUS = 5_000

/**
 * For a server that has been away for long: of a room of which more waits than the bound, its newest waiting event and the
 * room's heads stay, as does what sticks, and what else is before them goes. The receiver asks for what it lacks before those, and for the state there,
 * as it does for every gap; what it shows of the time between it fetches when somebody scrolls there. EDUs are not touched:
 * nobody could ask for those.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#backfilling-and-retrieving-missing-events
 */
export function* skipToLatest(destination: string, { perRoom }: CatchUpBounds): Tx<Skipped> {
  if (!(yield* isCrowded(destination, perRoom))) return { rooms: 0, pdus: 0 }
  const crowded = (yield* crowdedRooms(destination, perRoom)).slice(0, MAX_ROOMS)
  const heads = new Map<number, readonly number[]>()
  for (const row of yield* headsOfRooms(crowded.map((room) => room.room_nid)))
    heads.set(row.nid, JSON.parse(row.heads) as number[])
  let pdus = 0
  let rooms = 0
  for (const room of crowded) {
    if (pdus >= MAX_PDUS) break
    const keep = [room.newest, ...(heads.get(room.room_nid) ?? [])]
    pdus += yield* dropOldestPdus(destination, room.room_nid, MAX_PDUS - pdus, keep)
    rooms++
  }
  return { rooms, pdus }
}
