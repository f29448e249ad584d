import { roomVersion } from '../../core/room-version/versions.js'
import type { RoomVersionRules } from '../../core/room-version/rules.js'
import { createLoadingCache } from '../../platform/loading-cache.js'
import { roomById, type RoomRow } from '../../storage/tables/rooms.js'
import type { Store } from '../../storage/tx.js'
import type { EventStore } from './event-store.js'
import type { Nids } from './nids.js'
import type { RoomSnapshot } from './working-room.js'

/** Committed rooms, cached. */
export interface RoomLoader {
  /** Undefined for a room that this server has never met. */
  load(roomId: string): Promise<RoomSnapshot | undefined>
  /** A snapshot for a room to be made. */
  fresh(roomId: string, rules: RoomVersionRules): Promise<RoomSnapshot>
  remember(snapshot: RoomSnapshot): void
  forget(roomId: string): void
}

export function createRoomLoader(deps: { store: Store; events: EventStore; nids: Nids }): RoomLoader {
  const snapshots = createLoadingCache<string, RoomSnapshot>({
    max: 10_000,
    async load(roomId) {
      const row = await deps.store.read('rooms.load', () => roomById(roomId))
      return row === undefined ? undefined : fromRow(row)
    },
  })

  async function fromRow(row: RoomRow): Promise<RoomSnapshot | undefined> {
    const rules = roomVersion(row.version)
    if (rules === undefined) return undefined
    const nids = JSON.parse(row.heads) as number[]
    const events = await deps.events.byNids(nids)
    return {
      nid: row.nid,
      roomId: row.room_id,
      rules,
      rev: row.rev,
      root: row.state_root ?? undefined,
      heads: nids.flatMap((nid) => {
        const event = events.get(nid)?.event
        return event === undefined ? [] : [{ nid, id: event.id, depth: event.depth }]
      }),
      lastPos: row.last_pos,
      partial: row.partial === 1,
    }
  }

  return {
    load: (roomId) => snapshots.get(roomId),
    async fresh(roomId, rules) {
      return {
        nid: await deps.nids.take('room'),
        roomId,
        rules,
        rev: 0,
        root: undefined,
        heads: [],
        lastPos: 0,
        partial: false,
      }
    },
    remember: (snapshot) => snapshots.set(snapshot.roomId, snapshot),
    forget: (roomId) => snapshots.forget(roomId),
  }
}
