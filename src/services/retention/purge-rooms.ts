import { SERVER } from '../../core/audit/acts.js'
import { canonicalJson } from '../../core/json/canonical.js'
import type { JsonObject } from '../../core/json/value.js'
import { createPace } from '../../platform/pace.js'
import {
  awaitReceipts,
  insertPurgeRecord,
  retentionRoom,
  upsertRetentionRoom,
  type TimePlace,
} from '../../storage/tables/retention.js'
import type { AuditTrail } from '../audit/trail.js'
import type { RoomsContext } from '../rooms/context.js'
import type { RoomRetention } from '../rooms/room-retention.js'
import { stripBatch } from './strip-messages.js'

/** What was done in one room. */
export interface RoomPurge {
  readonly roomId: string
  /** Everything said before this moment is gone, in milliseconds, but what is held. */
  readonly before: number
  readonly events: number
  /** The number of its record; undefined where nothing had to go. */
  readonly record: number | undefined
}

/** Signs a canonical JSON object in the name of this server. */
export type SignRecord = (object: JsonObject) => JsonObject

/** Rooms are gone through from their beginning after so long, for what came late with an old time. */
const WHOLE_MS = 7 * 86_400_000

/**
 * Takes the content of all messages of a room whose time is over, in small batches. What is left of each is its place in the room: who, when, which
 * predecessors, hashes and signatures, so that the room holds together and no other server has to be asked for it. Whatever was derived from it
 * goes too: search, relations, threads, the caches. A crash loses nothing: the next run goes on.
 * Pre: `context.retention` is there.
 */
export function createRoomPurge(deps: {
  readonly context: RoomsContext
  readonly retention: RoomRetention
  readonly audit: AuditTrail
  readonly sign: SignRecord
  /** Other servers that shall prove that it is gone there too. */
  readonly witnesses?: (roomNid: number) => Promise<readonly string[]>
}): (roomNid: number, roomId: string, signal: AbortSignal) => Promise<RoomPurge | undefined> {
  const { context, retention, audit, sign } = deps
  const { store, clock, serverName } = context

  return async (roomNid, roomId, signal) => {
    const room = await context.loader.load(roomId)
    if (room === undefined) return undefined
    const horizon = await retention.horizonOf(room)
    if (horizon <= 0) return undefined
    const row = await store.read('retention.room', () => retentionRoom(roomNid))
    const now = clock.now()
    const isWhole = row === undefined || now - row.whole_ts >= WHOLE_MS || row.done_ts > horizon
    const whole = isWhole ? 0 : row.whole_ts
    let purged = row?.purged ?? 0
    let place: TimePlace = { ts: isWhole ? -1 : row.done_ts, nid: -1 }
    const pace = createPace()
    for (;;) {
      if (signal.aborted) return undefined
      const purgedBefore = purged
      const done = await stripBatch(
        context,
        {
          ...{ roomNid, roomId, after: place, before: horizon },
          isDue: (sender) => !retention.isHeld(roomId, sender),
        },
        (at, stripped) =>
          upsertRetentionRoom({
            room_nid: roomNid,
            // The last moment may go on in the next batch.
            done_ts: whole === 0 ? 0 : at.ts,
            whole_ts: whole,
            purged: purgedBefore + stripped,
          }),
      )
      if (done === undefined) break
      place = done.place
      purged += done.stripped
      await pace()
    }
    const progress = { room_nid: roomNid, done_ts: horizon, whole_ts: isWhole ? now : whole, purged: 0 }
    const witnesses = purged === 0 ? [] : ((await deps.witnesses?.(roomNid)) ?? [])
    const made = await store.write('retention.done', function* () {
      let id: number | undefined
      if (purged > 0) {
        const record = sign({
          type: 'org.chancery.purge.v1',
          server: serverName,
          room_id: roomId,
          before: horizon,
          events: purged,
          at: now,
        })
        id = yield* insertPurgeRecord({ room_id: roomId, made_ts: now, record: canonicalJson(record) })
        yield* awaitReceipts(id, witnesses)
      }
      yield* upsertRetentionRoom(progress)
      if (purged > 0)
        yield* audit.record({
          act: 'data.purged',
          by: SERVER,
          room: roomId,
          details: { events: purged, before: horizon },
        })
      return id
    })
    return { roomId, before: horizon, events: purged, record: made }
  }
}
