import type { StoredEvent } from './stored-event.js'
import { eventsByNids, type RoomReaders, type WorkingRoom } from './working-room.js'

/** Auth events of some events, and the power levels behind them as far back as they go: the mainline follows those. */
export async function loadAuth(
  room: WorkingRoom,
  events: readonly StoredEvent[],
  loaded: Map<string, StoredEvent>,
  readers: RoomReaders,
): Promise<void> {
  let level = events
  const seen = new Set<number>()
  while (level.length > 0) {
    const nids = new Set(level.flatMap((stored) => stored.authNids).filter((nid) => !seen.has(nid)))
    for (const nid of nids) seen.add(nid)
    const found = [...(await eventsByNids(room, [...nids], readers)).values()]
    for (const stored of found) loaded.set(stored.event.id, stored)
    level = found.filter((stored) => stored.event.type === 'm.room.power_levels')
  }
}
