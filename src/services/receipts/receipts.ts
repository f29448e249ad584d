import { invalidParam } from '../../core/errors.js'
import { isEventId } from '../../core/ids/event-id.js'
import { isUserId } from '../../core/ids/user-id.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import type { RoomEvent } from '../../core/event/types.js'
import { isObject, type JsonObject } from '../../core/json/value.js'
import type { Notifier } from '../../platform/notifier.js'
import { membershipOf } from '../../storage/tables/memberships.js'
import { enqueueEdus } from '../../storage/tables/outbox.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import { countReceipts, putReceipt, readUpTo, receipt as receiptOf } from '../../storage/tables/receipts.js'
import type { AccountData } from '../account-data/account-data.js'
import { relationOf, threadOf } from '../push/thread-of.js'
import type { Unread } from '../push/unread.js'
import type { Requester } from '../requester.js'
import { type RoomsContext } from '../rooms/context.js'
import { notInRoom } from '../rooms/not-in-room.js'
import { mayBeJoined } from '../rooms/residence.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { RoomSnapshot } from '../rooms/working-room.js'

export interface ReceiptInput {
  readonly roomId: string
  readonly type: 'm.read' | 'm.read.private' | 'm.fully_read'
  readonly eventId: string
  readonly threadId?: string | undefined
}

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#receipts */
export interface Receipts {
  set(requester: Requester, input: ReceiptInput): Promise<void>
  setMarkers(
    requester: Requester,
    input: {
      roomId: string
      fullyRead?: string | undefined
      read?: string | undefined
      readPrivate?: string | undefined
    },
  ): Promise<void>
  /** An `m.receipt` of another server; what is not of its users or not of a known room is passed over. */
  onEdu(origin: string, content: JsonObject): Promise<void>
}

export interface ReceiptsDeps {
  readonly context: RoomsContext
  readonly notifier: Notifier
  readonly accountData: Pick<AccountData, 'put'>
  readonly unread: Pick<Unread, 'count' | 'replace'>
  wakeSender(destinations: readonly string[]): void
  /** After a user of this server has read something. */
  onRead?(userId: string): void
}

const MAX_IN_EDU = 500
/** Receipts that one user of another server has in one room: one for each thread. */
const MAX_OF_ONE_USER = 500

const receiptEdu = (
  roomId: string,
  userId: string,
  receipt: { readonly type: string; readonly eventId: string; readonly thread: string; readonly ts: number },
): JsonObject => ({
  [roomId]: {
    [receipt.type]: {
      [userId]: {
        event_ids: [receipt.eventId],
        data: { ts: receipt.ts, ...(receipt.thread === '' ? {} : { thread_id: receipt.thread }) },
      },
    },
  },
})

/** The thread of a receipt of another server, '' for none; undefined for what is no thread: one bad receipt must not cost the others. */
function threadIn(data: JsonObject): string | undefined {
  const thread = data['thread_id']
  if (thread === undefined) return ''
  return thread === 'main' || (typeof thread === 'string' && isEventId(thread)) ? thread : undefined
}

export function createReceipts(deps: ReceiptsDeps): Receipts {
  const { context } = deps

  async function joined(roomId: string, userId: string): Promise<RoomSnapshot> {
    const room = await context.loader.load(roomId)
    const row =
      room === undefined
        ? undefined
        : await context.store.read('receipts.member', () => membershipOf(room.nid, userId))
    if (room === undefined || row?.membership !== 'join') throw notInRoom()
    return room
  }

  interface Receipt {
    readonly type: string
    readonly eventId: string
    readonly thread: string
    readonly ts: number
  }

  const rowOf = (room: RoomSnapshot, userId: string, receipt: Receipt, event: StoredEvent | undefined) => ({
    room_nid: room.nid,
    user_id: userId,
    receipt_type: receipt.type,
    thread: receipt.thread,
    event_id: receipt.eventId,
    event_pos: event?.pos ?? 0,
    ts: receipt.ts,
  })

  /** A user of another server may be ahead of us: their event need not be here yet. */
  async function storeRemote(room: RoomSnapshot, userId: string, receipt: Receipt): Promise<boolean> {
    const event = await context.events.byId(receipt.eventId)
    if (event !== undefined && event.roomNid !== room.nid) return false
    return context.store.write('receipts.putRemote', function* () {
      if (receipt.thread !== '' && (yield* countReceipts(room.nid, userId)) >= MAX_OF_ONE_USER) return false
      return yield* putReceipt({
        ...rowOf(room, userId, receipt, event),
        pos: yield* allocatePosition(),
      })
    })
  }

  /**
   * The receipt and the counts that follow from it are one transaction, so no /sync sees one without the other. The room's turn keeps
   * events from coming in between.
   */
  function storeOwn(
    room: RoomSnapshot,
    userId: string,
    receipt: Receipt,
    destinations: readonly string[],
  ): Promise<boolean> {
    return context.writer.write(room.roomId, async (working) => {
      const event = await context.events.byId(receipt.eventId)
      if (event === undefined || event.roomNid !== room.nid) return false
      const row = rowOf(room, userId, receipt, event)
      const { known, read } = await context.store.read('receipts.known', function* () {
        return {
          known: yield* receiptOf(room.nid, userId, receipt.type, receipt.thread),
          read: yield* readUpTo(room.nid, userId),
        }
      })
      if (known !== undefined && known.event_pos >= row.event_pos) return false
      const counts = await deps.unread.count(working, userId, [
        ...read,
        { thread: row.thread, event_pos: row.event_pos },
      ])
      return context.store.write('receipts.put', function* () {
        yield* deps.unread.replace(room.nid, userId, counts)
        yield* enqueueEdus(
          destinations.map((destination) => ({
            destination,
            eduType: 'm.receipt',
            coalesceKey: `receipt ${room.roomId} ${userId} ${receipt.thread}`,
            content: JSON.stringify(receiptEdu(room.roomId, userId, receipt)),
          })),
        )
        return yield* putReceipt({ ...row, pos: yield* allocatePosition() })
      })
    })
  }

  /** Throws M_INVALID_PARAM for a thread that the event is not in. */
  async function checkThread(room: RoomSnapshot, eventId: string, thread: string): Promise<void> {
    const wrong = (): Error => invalidParam('The event is not in that thread')
    const found = await context.events.byIds([eventId, thread])
    const inRoom = (id: string): RoomEvent | undefined => {
      const stored = found.get(id)
      return stored?.roomNid === room.nid ? stored.event : undefined
    }
    const event = inRoom(eventId)
    if (thread !== 'main' && inRoom(thread) === undefined) throw wrong()
    if (event === undefined) return
    const relation = relationOf(event)
    if (thread === 'main') {
      if (relation?.type === 'm.thread') throw wrong()
      return
    }
    const find = async (id: string): Promise<RoomEvent | undefined> => (await context.events.byId(id))?.event
    const actual = await threadOf(event, find)
    // What relates to something over many hops may be in the thread for all that is known here.
    const mayBe = actual === thread || event.id === thread || (actual === '' && relation !== undefined)
    if (!mayBe) throw wrong()
  }

  async function notify(room: RoomSnapshot): Promise<void> {
    deps.notifier.notify((await context.rosters.of(room.nid)).local)
  }

  const receipts: Receipts = {
    async set(requester, input) {
      const { userId } = requester
      if (!isEventId(input.eventId)) throw invalidParam('The event id is none')
      const room = await joined(input.roomId, userId)
      if (input.type === 'm.fully_read') {
        if (input.threadId !== undefined) throw invalidParam('The fully read marker has no thread')
        await context.store.write('receipts.fullyRead', () =>
          deps.accountData.put(userId, input.roomId, 'm.fully_read', { event_id: input.eventId }),
        )
        deps.notifier.notify([userId])
        return
      }
      if (input.threadId === '') throw invalidParam('thread_id must not be empty')
      if (input.threadId !== undefined && input.threadId !== 'main' && !isEventId(input.threadId))
        throw invalidParam('thread_id is neither `main` nor an event id')
      const isPublic = input.type === 'm.read'
      const destinations = isPublic ? [...(await context.rosters.of(room.nid)).servers.keys()] : []
      const receipt = {
        type: input.type,
        eventId: input.eventId,
        thread: input.threadId ?? '',
        ts: context.clock.now(),
      }
      if (input.threadId !== undefined) await checkThread(room, input.eventId, input.threadId)
      if (!(await storeOwn(room, userId, receipt, destinations))) return
      if (destinations.length > 0) deps.wakeSender(destinations)
      if (isPublic) await notify(room)
      deps.notifier.notify([userId])
      deps.onRead?.(userId)
    },

    async setMarkers(requester, input) {
      const { roomId } = input
      if (input.fullyRead !== undefined)
        await receipts.set(requester, { roomId, type: 'm.fully_read', eventId: input.fullyRead })
      if (input.read !== undefined)
        await receipts.set(requester, { roomId, type: 'm.read', eventId: input.read })
      if (input.readPrivate !== undefined) {
        await receipts.set(requester, { roomId, type: 'm.read.private', eventId: input.readPrivate })
      }
    },

    async onEdu(origin, content) {
      let taken = 0
      for (const [roomId, byType] of Object.entries(content)) {
        const room = await context.loader.load(roomId)
        const byUser = isObject(byType) ? byType['m.read'] : undefined
        if (room === undefined || !isObject(byUser)) continue
        const { servers } = await context.rosters.of(room.nid)
        if (!servers.has(origin)) continue
        for (const [userId, receipt] of Object.entries(byUser)) {
          if (++taken > MAX_IN_EDU) return
          if (serverNameOf(userId) !== origin || !isUserId(userId) || !isObject(receipt)) continue
          const eventId = Array.isArray(receipt['event_ids']) ? receipt['event_ids'][0] : undefined
          const data = isObject(receipt['data']) ? receipt['data'] : {}
          if (typeof eventId !== 'string' || !isEventId(eventId)) continue
          if (!(await mayBeJoined(context, room, userId))) continue
          const now = context.clock.now()
          const given = data['ts']
          const ts = typeof given === 'number' && Number.isSafeInteger(given) ? Math.min(given, now) : now
          const thread = threadIn(data)
          if (thread === undefined) continue
          if (await storeRemote(room, userId, { type: 'm.read', eventId, thread, ts })) await notify(room)
        }
      }
    },
  }
  return receipts
}
