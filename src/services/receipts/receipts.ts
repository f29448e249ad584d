import { invalidParam } from '../../core/errors.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { isObject, type JsonObject } from '../../core/json/value.js'
import type { Notifier } from '../../platform/notifier.js'
import { membershipOf } from '../../storage/tables/memberships.js'
import { enqueueEdus } from '../../storage/tables/outbox.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import { putReceipt } from '../../storage/tables/receipts.js'
import type { AccountData } from '../account-data/account-data.js'
import type { Unread } from '../push/unread.js'
import type { Requester } from '../requester.js'
import { notInRoom, type RoomsContext } from '../rooms/context.js'
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
  readonly unread: Pick<Unread, 'recount'>
  wakeSender(destinations: readonly string[]): void
}

const MAX_IN_EDU = 500

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

  async function store(
    room: RoomSnapshot,
    userId: string,
    receipt: { type: string; eventId: string; thread: string; ts: number },
    destinations: readonly string[],
  ): Promise<boolean> {
    const event = await context.events.byId(receipt.eventId)
    // An event of another room, or none that was ever live, moves no marker; a remote user may be ahead of us.
    if (event !== undefined && event.roomNid !== room.nid) return false
    const moved = await context.store.write('receipts.put', function* () {
      const changed = yield* putReceipt({
        room_nid: room.nid,
        user_id: userId,
        receipt_type: receipt.type,
        thread: receipt.thread,
        event_id: receipt.eventId,
        event_pos: event?.pos ?? 0,
        ts: receipt.ts,
        pos: yield* allocatePosition(),
      })
      if (!changed) return false
      yield* enqueueEdus(
        destinations.map((destination) => ({
          destination,
          eduType: 'm.receipt',
          coalesceKey: `receipt ${room.roomId} ${userId} ${receipt.thread}`,
          content: JSON.stringify({
            [room.roomId]: {
              [receipt.type]: {
                [userId]: {
                  event_ids: [receipt.eventId],
                  data: { ts: receipt.ts, ...(receipt.thread === '' ? {} : { thread_id: receipt.thread }) },
                },
              },
            },
          }),
        })),
      )
      return true
    })
    return moved
  }

  async function notify(room: RoomSnapshot): Promise<void> {
    deps.notifier.notify((await context.rosters.of(room.nid)).local)
  }

  const receipts: Receipts = {
    async set(requester, input) {
      const { userId } = requester
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
      const isPublic = input.type === 'm.read'
      const destinations = isPublic ? [...(await context.rosters.of(room.nid)).servers.keys()] : []
      const receipt = {
        type: input.type,
        eventId: input.eventId,
        thread: input.threadId ?? '',
        ts: context.clock.now(),
      }
      const moved = await store(room, userId, receipt, destinations)
      if (!moved) return
      await context.writer.write(input.roomId, (working) => deps.unread.recount(working, userId))
      if (destinations.length > 0) deps.wakeSender(destinations)
      if (isPublic) await notify(room)
      deps.notifier.notify([userId])
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
          if (serverNameOf(userId) !== origin || !isObject(receipt)) continue
          const eventId = Array.isArray(receipt['event_ids']) ? receipt['event_ids'][0] : undefined
          const data = isObject(receipt['data']) ? receipt['data'] : {}
          if (typeof eventId !== 'string' || eventId.length > 255) continue
          const row = await context.store.read('receipts.member', () => membershipOf(room.nid, userId))
          if (row?.membership !== 'join') continue
          const now = context.clock.now()
          const ts = typeof data['ts'] === 'number' ? Math.min(data['ts'], now) : now
          const thread =
            typeof data['thread_id'] === 'string' && data['thread_id'].length <= 255 ? data['thread_id'] : ''
          if (await store(room, userId, { type: 'm.read', eventId, thread, ts }, [])) await notify(room)
        }
      }
    },
  }
  return receipts
}
