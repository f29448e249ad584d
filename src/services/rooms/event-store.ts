import { MatrixError } from '../../core/errors.js'
import { createLru } from '../../platform/lru.js'
import { roomVersion } from '../../core/room-version/versions.js'
import type { RoomVersionRules } from '../../core/room-version/rules.js'
import { eventsByIds, eventsByNids, type EventRow } from '../../storage/tables/events.js'
import { roomsByNids } from '../../storage/tables/rooms.js'
import type { Store } from '../../storage/tx.js'
import { fromRow, type StoredEvent } from './stored-event.js'

/** Stored events, cached. An event changes only by redaction or when an outlier finds its place; `forget` follows. */
export interface EventStore {
  byNids(nids: readonly number[]): Promise<Map<number, StoredEvent>>
  byIds(ids: readonly string[]): Promise<Map<string, StoredEvent>>
  byId(id: string): Promise<StoredEvent | undefined>
  /** Events from rows that some other query gave. */
  revive(rows: readonly EventRow[]): Promise<StoredEvent[]>
  /** Remembers events that were just committed. */
  remember(events: Iterable<StoredEvent>): void
  forget(nids: Iterable<number>): void
  meta(roomNid: number): Promise<RoomMeta>
  /** To be called when a room turned out to be of another version. */
  forgetMeta(roomNid: number): void
}

export interface RoomMeta {
  readonly roomId: string
  readonly rules: RoomVersionRules
}

const CACHED_EVENTS = 20_000
const CACHED_ROOMS = 10_000

export function createEventStore(store: Store): EventStore {
  const events = createLru<number, StoredEvent>({ max: CACHED_EVENTS })
  const nids = createLru<string, number>({ max: CACHED_EVENTS })
  const metas = createLru<number, RoomMeta>({ max: CACHED_ROOMS })
  /** Rises whenever something is forgotten, so that a read begun before cannot bring the old back. */
  let epoch = 0

  function keep(event: StoredEvent): StoredEvent {
    events.set(event.nid, event)
    nids.set(event.event.id, event.nid)
    return event
  }

  async function loadMetas(roomNids: Iterable<number>): Promise<void> {
    const unknown = [...new Set(roomNids)].filter((nid) => metas.get(nid) === undefined)
    if (unknown.length === 0) return
    for (const row of await store.read('rooms.meta', () => roomsByNids(unknown))) {
      const rules = roomVersion(row.version)
      if (rules !== undefined) metas.set(row.nid, { roomId: row.room_id, rules })
    }
  }

  async function revive(rows: readonly EventRow[], began = epoch): Promise<StoredEvent[]> {
    await loadMetas(rows.map((row) => row.room_nid))
    const out: StoredEvent[] = []
    for (const row of rows) {
      const cached = events.get(row.nid)
      if (cached !== undefined) {
        out.push(cached)
        continue
      }
      const meta = metas.get(row.room_nid)
      if (meta === undefined) continue
      const event = fromRow(row, meta.roomId, meta.rules)
      out.push(epoch === began ? keep(event) : event)
    }
    return out
  }

  async function byNids(wanted: readonly number[]): Promise<Map<number, StoredEvent>> {
    const found = new Map<number, StoredEvent>()
    const missing: number[] = []
    for (const nid of wanted) {
      const cached = events.get(nid)
      if (cached === undefined) missing.push(nid)
      else found.set(nid, cached)
    }
    if (missing.length > 0) {
      const began = epoch
      const rows = await store.read('events.byNids', () => eventsByNids(missing))
      for (const event of await revive(rows, began)) found.set(event.nid, event)
    }
    return found
  }

  async function byIds(ids: readonly string[]): Promise<Map<string, StoredEvent>> {
    const found = new Map<string, StoredEvent>()
    const missing: string[] = []
    for (const id of ids) {
      const nid = nids.get(id)
      const cached = nid === undefined ? undefined : events.get(nid)
      if (cached === undefined) missing.push(id)
      else found.set(id, cached)
    }
    if (missing.length > 0) {
      const began = epoch
      const rows = await store.read('events.byIds', () => eventsByIds(missing))
      for (const event of await revive(rows, began)) found.set(event.event.id, event)
    }
    return found
  }

  return {
    byNids,
    byIds,
    revive,
    async byId(id) {
      return (await byIds([id])).get(id)
    },
    remember(list) {
      for (const event of list) keep(event)
    },
    forget(list) {
      epoch++
      for (const nid of list) events.delete(nid)
    },
    forgetMeta: (roomNid) => void metas.delete(roomNid),
    async meta(roomNid) {
      await loadMetas([roomNid])
      const meta = metas.get(roomNid)
      if (meta === undefined) throw new MatrixError('M_NOT_FOUND', 'Unknown room')
      return meta
    },
  }
}
