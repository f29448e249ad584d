import { canonicalJson } from '../../core/json/canonical.js'
import { redactedEvent } from '../../core/event/redact.js'
import { reviveEvent } from '../../core/event/revive.js'
import { deleteRelationsOf } from '../../storage/tables/relations.js'
import { messagesByTime, stripEvents, type TimePlace } from '../../storage/tables/retention.js'
import { deleteSearchDocs } from '../../storage/tables/search.js'
import type { Tx } from '../../storage/tx.js'
import type { RoomsContext } from '../rooms/context.js'

/** One transaction strips so many: a few milliseconds of the store, between which all others have their turn. */
const BATCH = 100

export interface StripRange {
  readonly roomNid: number
  readonly roomId: string
  /** Where an earlier batch has ended. */
  readonly after: TimePlace
  /** Milliseconds; what was said then and later stays. */
  readonly before: number
  isDue(sender: string): boolean
}

/**
 * Takes the content of the next messages of a room, with whatever was derived from it; `also` goes into the same transaction. Undefined when there is nothing
 * more before the moment. See `createRoomPurge` for what is left.
 */
export async function stripBatch(
  context: Pick<RoomsContext, 'store' | 'events'>,
  { roomNid, roomId, after, before, isDue }: StripRange,
  also: (place: TimePlace, stripped: number) => Tx<void>,
): Promise<{ readonly place: TimePlace; readonly stripped: number } | undefined> {
  const { store, events } = context
  const rows = await store.read('retention.page', () => messagesByTime(roomNid, after, before, BATCH))
  const last = rows.at(-1)
  if (last === undefined) return undefined
  const { rules } = await events.meta(roomNid)
  const going = rows.flatMap((row) => {
    if (!isDue(row.sender)) return []
    const event = redactedEvent(reviveEvent(row.json, row.event_id, roomId, rules))
    const json = canonicalJson(event.pdu, rules.strictCanonicalJson ? 'strict' : 'lenient')
    return json === row.json ? [] : [{ nid: row.nid, json }]
  })
  const nids = going.map((row) => row.nid)
  const place = { ts: last.ts, nid: last.nid }
  if (nids.length > 0) {
    await store.write('retention.strip', function* () {
      yield* stripEvents(going)
      yield* deleteRelationsOf(nids)
      yield* deleteSearchDocs(nids)
      yield* also(place, nids.length)
    })
    events.forget(nids)
  }
  return rows.length < BATCH && nids.length === 0 ? undefined : { place, stripped: nids.length }
}
