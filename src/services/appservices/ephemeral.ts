import { appendTo } from '../../core/append-to.js'
import type { JsonObject } from '../../core/json/value.js'
import { joinedRoomsOf } from '../../storage/tables/appservices.js'
import { receiptsAfter, type ReceiptRow } from '../../storage/tables/receipts.js'
import type { Presence } from '../presence/presence.js'
import type { RoomsContext } from '../rooms/context.js'
import type { EphemeralPositions } from '../ephemeral-positions.js'
import { receiptEvent } from '../sync/receipt-event.js'
import type { Typing } from '../typing/typing.js'
import { isInterested, type Interest } from './interest.js'
import type { Appservice } from './registry.js'

/**
 * Typing, receipts and presence, as application services are told of them.
 * SPEC: https://spec.matrix.org/v1.19/application-service-api/#pushing-ephemeral-data
 */
export interface Ephemeral {
  /** Receipts in (from, to]; less where that is much: everything up to `upTo` was looked at. */
  receipts(
    appservice: Appservice,
    from: number,
    to: number,
  ): Promise<{ readonly upTo: number; readonly events: readonly JsonObject[] }>
  /** Typing and presence after a position of what is kept in memory. */
  fleeting(appservice: Appservice, after: number): Promise<readonly JsonObject[]>
  /** The position to continue after; taken before what is read. */
  current(): number
}

const MAX_RECEIPTS = 500
const MAX_ROOMS = 200
const MAX_PRESENCE = 200

export function createEphemeral(deps: {
  readonly context: Pick<RoomsContext, 'store' | 'rosters' | 'events'>
  readonly interest: Interest
  readonly positions: EphemeralPositions
  readonly typing: Pick<Typing, 'in' | 'roomsChangedSince'>
  readonly presence: Pick<Presence, 'changedAfter'>
}): Ephemeral {
  const { context, interest, positions, typing, presence } = deps
  const { store } = context

  async function typingEvents(appservice: Appservice, after: number): Promise<JsonObject[]> {
    const events: JsonObject[] = []
    for (const nid of typing.roomsChangedSince(after).slice(0, MAX_ROOMS)) {
      if (!(await isInterested(context, interest, appservice, nid))) continue
      const { roomId } = await context.events.meta(nid)
      events.push({ type: 'm.typing', room_id: roomId, content: { user_ids: [...typing.in(nid)] } })
    }
    return events
  }

  async function presenceEvents(appservice: Appservice, after: number): Promise<JsonObject[]> {
    const changed = presence.changedAfter(after, MAX_PRESENCE)
    const told = new Set(changed.map((one) => one.userId).filter((userId) => appservice.ownsUser(userId)))
    const others = changed.map((one) => one.userId).filter((userId) => !told.has(userId))
    const rooms = new Map<number, boolean>()
    for (const row of await store.read('appservices.presence', () => joinedRoomsOf(others))) {
      if (told.has(row.user_id)) continue
      const known =
        rooms.get(row.room_nid) ?? (await isInterested(context, interest, appservice, row.room_nid))
      rooms.set(row.room_nid, known)
      if (known) told.add(row.user_id)
    }
    return changed.flatMap(({ userId, event }) => (told.has(userId) ? [event] : []))
  }

  return {
    current: () => positions.current(),
    async receipts(appservice, from, to) {
      const rows = await store.read('appservices.receipts', () => receiptsAfter(from, to, MAX_RECEIPTS))
      const upTo = rows.length < MAX_RECEIPTS ? to : Math.max(from + 1, rows.at(-1)!.pos - 1)
      const byRoom = new Map<number, ReceiptRow[]>()
      for (const row of rows) {
        if (row.pos > upTo) continue
        appendTo(byRoom, row.room_nid, row)
      }
      const events: JsonObject[] = []
      for (const [nid, own] of byRoom) {
        if (!(await isInterested(context, interest, appservice, nid))) continue
        // What somebody has read in private is for the application service that they belong to alone.
        const event = receiptEvent(own, (userId) => appservice.ownsUser(userId))
        if (event !== undefined) events.push({ ...event, room_id: (await context.events.meta(nid)).roomId })
      }
      return { upTo, events }
    },
    fleeting: async (appservice, after) => [
      ...(await typingEvents(appservice, after)),
      ...(await presenceEvents(appservice, after)),
    ],
  }
}
