import { MatrixError } from '../../core/errors.js'
import { createLru } from '../../platform/lru.js'
import { createPace } from '../../platform/pace.js'
import { roomVersion } from '../../core/room-version/versions.js'
import type { RoomVersionRules } from '../../core/room-version/rules.js'
import { eventsByIds, eventsByNids, type EventRow } from '../../storage/tables/events.js'
import { roomsByNids } from '../../storage/tables/rooms.js'
import type { Store } from '../../storage/tx.js'
import { fromRow, type StoredEvent } from './stored-event.js'

/**
 * Stored events, cached. An event changes only by redaction or when an outlier finds its place; `forget` or `remember` follows.
 * A read that began before that keeps nothing, so that what was redacted does not come back into the cache.
 */
export interface EventStore {
  byNids(nids: readonly number[]): Promise<Map<number, StoredEvent>>
  byIds(ids: readonly string[]): Promise<Map<string, StoredEvent>>
  byId(id: string): Promise<StoredEvent | undefined>
  /** Events from rows that some other query gave. They are not kept: nobody knows what has changed since that query. */
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

/** Events asked of the store at once: a state may have tens of thousands, and others wait meanwhile. */
const BATCH = 250
const CACHED_EVENTS = 20_000
const CACHED_ROOMS = 10_000

export function createEventStore(store: Store): EventStore {
  const events = createLru<number, StoredEvent>({ max: CACHED_EVENTS })
  const nids = createLru<string, number>({ max: CACHED_EVENTS })
  const metas = createLru<number, RoomMeta>({ max: CACHED_ROOMS })
  /** Rises whenever something that may be cached changes, so that a read begun before cannot bring the old back. */
  let epoch = 0
  let metaEpoch = 0

  function keep(event: StoredEvent): StoredEvent {
    events.set(event.nid, event)
    nids.set(event.event.id, event.nid)
    return event
  }

  async function metasOf(roomNids: Iterable<number>): Promise<Map<number, RoomMeta>> {
    const found = new Map<number, RoomMeta>()
    const unknown: number[] = []
    for (const nid of new Set(roomNids)) {
      const known = metas.get(nid)
      if (known === undefined) unknown.push(nid)
      else found.set(nid, known)
    }
    if (unknown.length === 0) return found
    const began = metaEpoch
    for (const row of await store.read('rooms.meta', () => roomsByNids(unknown))) {
      const rules = roomVersion(row.version)
      if (rules === undefined) continue
      const meta = { roomId: row.room_id, rules }
      found.set(row.nid, meta)
      if (metaEpoch === began) metas.set(row.nid, meta)
    }
    return found
  }

  /** `began`: the epoch when the query was sent; undefined when nobody knows. */
  async function revive(rows: readonly EventRow[], began: number | undefined): Promise<StoredEvent[]> {
    const rooms = await metasOf(rows.map((row) => row.room_nid))
    const out: StoredEvent[] = []
    for (const row of rows) {
      const cached = events.get(row.nid)
      if (cached !== undefined) {
        out.push(cached)
        continue
      }
      const meta = rooms.get(row.room_nid)
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
    const pace = createPace()
    for (let from = 0; from < missing.length; from += BATCH) {
      const began = epoch
      const rows = await store.read('events.byNids', () => eventsByNids(missing.slice(from, from + BATCH)))
      for (const event of await revive(rows, began)) found.set(event.nid, event)
      await pace()
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
    const pace = createPace()
    for (let from = 0; from < missing.length; from += BATCH) {
      const began = epoch
      const rows = await store.read('events.byIds', () => eventsByIds(missing.slice(from, from + BATCH)))
      for (const event of await revive(rows, began)) found.set(event.event.id, event)
      await pace()
    }
    return found
  }

  return {
    byNids,
    byIds,
    revive: (rows) => revive(rows, undefined),
    async byId(id) {
      return (await byIds([id])).get(id)
    },
    remember(list) {
      for (const event of list) {
        // One that was stored before, as an outlier or unredacted.
        if (events.get(event.nid) !== undefined) epoch++
        keep(event)
      }
    },
    forget(list) {
      for (const nid of list) {
        epoch++
        events.delete(nid)
      }
    },
    forgetMeta(roomNid) {
      metaEpoch++
      metas.delete(roomNid)
    },
    async meta(roomNid) {
      const meta = (await metasOf([roomNid])).get(roomNid)
      if (meta === undefined) throw new MatrixError('M_NOT_FOUND', 'Unknown room')
      return meta
    },
  }
}
