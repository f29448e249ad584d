import type { JsonObject } from '../../../core/json/value.js'
import { accountDataOfRooms, type AccountDataRow } from '../../../storage/tables/account-data.js'
import { receiptsBetween, receiptsForEvents } from '../../../storage/tables/receipts.js'
import type { Store, Tx } from '../../../storage/tx.js'
import type { ReceiptRow } from '../../../storage/tables/receipts.js'
import { missingPushRules, accountDataEvent } from '../account-data-event.js'
import type { PushRules } from '../../push/push-rules.js'
import type { Typing } from '../../typing/typing.js'
import { receiptEvent } from '../receipt-event.js'
import { UP_TO_DATE } from './connection-state.js'
import type { SlidingFrame, WantedRoom } from './frame.js'
import type { News } from './news.js'
import type { NextState } from './next-state.js'
import type { ExtensionScope } from './request.js'
import type { RoomResult } from './room-result.js'

export interface ExtensionInput {
  readonly frame: SlidingFrame
  readonly wanted: ReadonlyMap<number, WantedRoom>
  readonly results: ReadonlyMap<number, RoomResult>
  readonly news: News
  readonly next: NextState
  /** The nid of a room of the user's. */
  roomIds(roomId: string): number | undefined
}

export interface ExtensionPart {
  readonly json: JsonObject
  readonly hasNews: boolean
}

/** Receipts of one room in one answer. */
const MAX_RECEIPTS = 2_000
/** Rooms read in one query. */
const ROOMS_AT_ONCE = 200

/** Rooms that the user is in and the client was told of, with whatever it is told in this answer. */
function roomsOf(input: ExtensionInput, scope: ExtensionScope): WantedRoom[] {
  return [...input.wanted.values()].filter((item) => {
    const told = input.next.room(item.room.nid)
    if (told?.membership !== 'join' || item.room.membership !== 'join') return false
    const byList = item.lists.some((name) => scope.lists.has('*') || scope.lists.has(name))
    return byList || (item.isSubscribed && (scope.rooms.has('*') || scope.rooms.has(item.room.roomId)))
  })
}

/** SPEC: https://github.com/matrix-org/matrix-spec-proposals/pull/3961 */
export function typingPart(
  input: ExtensionInput,
  scope: ExtensionScope | undefined,
  typing: Typing,
): ExtensionPart {
  const { frame, next } = input
  const rooms: [string, JsonObject][] = []
  const told = new Set<number>()
  for (const { room } of scope === undefined ? [] : roomsOf(input, scope)) {
    told.add(room.nid)
    const isMissed = next.room(room.nid)!.typingMissed
    const isNew = frame.state.rooms.get(room.nid) === undefined
    if (!isMissed && !typing.changedSince(room.nid, frame.typingFrom)) continue
    next.setRoom(room.nid, { typingMissed: false })
    const typists = typing.in(room.nid)
    if (isNew && typists.length === 0) continue
    rooms.push([room.roomId, { type: 'm.typing', content: { user_ids: typists } }])
  }
  for (const nid of frame.from === 0 ? [] : typing.roomsChangedSince(frame.typingFrom))
    if (!told.has(nid)) next.setRoom(nid, { typingMissed: true })
  return { json: { rooms: Object.fromEntries(rooms) }, hasNews: rooms.length > 0 }
}

/**
 * Receipts that are new. Of a room that is new to the client: those for the events that it is shown, and the user's own.
 * SPEC: https://github.com/matrix-org/matrix-spec-proposals/pull/3960
 */
export async function receiptsPart(
  input: ExtensionInput,
  scope: ExtensionScope | undefined,
  store: Store,
): Promise<ExtensionPart> {
  const { frame, next, news, results } = input
  const { from, upTo, viewer } = frame
  const rooms: [string, JsonObject][] = []
  const told = new Set<number>()
  const wishes: { readonly item: WantedRoom; read(): Tx<readonly ReceiptRow[]> }[] = []
  for (const item of scope === undefined ? [] : roomsOf(input, scope)) {
    const { nid } = item.room
    told.add(nid)
    const mark = next.room(nid)!.receipts
    const shown = results.get(nid)?.shown ?? []
    const since = mark === UP_TO_DATE ? (news.receipts.has(nid) ? from : undefined) : mark
    const isWhole = mark === undefined || shown.length > 0
    if (mark !== UP_TO_DATE) next.setRoom(nid, { receipts: UP_TO_DATE })
    if (!isWhole && since === undefined) continue
    wishes.push({
      item,
      *read() {
        const whole = isWhole ? yield* receiptsForEvents(nid, viewer.userId, shown, upTo, MAX_RECEIPTS) : []
        const latest = since === undefined ? [] : yield* receiptsBetween(nid, since, upTo)
        return [...whole, ...latest]
      },
    })
  }
  for (let at = 0; at < wishes.length; at += ROOMS_AT_ONCE) {
    const part = wishes.slice(at, at + ROOMS_AT_ONCE)
    const found = await store.read('sliding.receipts', function* () {
      const lists: (readonly ReceiptRow[])[] = []
      for (const wish of part) lists.push(yield* wish.read())
      return lists
    })
    part.forEach(({ item }, i) => {
      const event = receiptEvent(found[i]!, viewer.userId)
      if (event !== undefined) rooms.push([item.room.roomId, event])
    })
  }
  for (const nid of news.receipts) {
    if (told.has(nid) || next.room(nid)?.receipts !== UP_TO_DATE || from === 0) continue
    next.setRoom(nid, { receipts: from })
  }
  return { json: { rooms: Object.fromEntries(rooms) }, hasNews: rooms.length > 0 }
}

/** SPEC: https://github.com/matrix-org/matrix-spec-proposals/pull/3959 */
export async function accountDataPart(
  input: ExtensionInput,
  scope: ExtensionScope | undefined,
  deps: { readonly store: Store; readonly pushRules: PushRules },
): Promise<ExtensionPart> {
  const { frame, next, news } = input
  const { from, upTo, viewer } = frame
  const { userId } = viewer
  const byRoom = new Map<string, AccountDataRow[]>()
  for (const row of news.data) {
    if (row.room_id === '') continue
    const list = byRoom.get(row.room_id)
    if (list === undefined) byRoom.set(row.room_id, [row])
    else list.push(row)
  }
  const isGlobal = (row: AccountDataRow): boolean => row.room_id === ''
  const mark = frame.state.meta.accountData
  if (scope === undefined) {
    if (mark === UP_TO_DATE && from > 0) next.setMeta({ accountData: from })
    for (const [nid, roomId] of toldRoomsWith(byRoom, input)) fallBehind(nid, roomId)
    return { json: {}, hasNews: false }
  }

  next.setMeta({ accountData: UP_TO_DATE })
  const global =
    mark === UP_TO_DATE
      ? news.data.filter(isGlobal)
      : (await deps.store.read('sliding.accountData', () => accountDataOfRooms(userId, [''], upTo))).filter(
          (row) => row.pos > (mark ?? 0),
        )
  const defaults = mark === null ? await missingPushRules(deps.pushRules, userId, global) : []

  const rooms = new Map<string, readonly AccountDataRow[]>()
  const behind = new Map<string, number>()
  const told = new Set<number>()
  for (const { room } of roomsOf(input, scope)) {
    told.add(room.nid)
    const roomMark = next.room(room.nid)!.accountData
    if (roomMark !== UP_TO_DATE) {
      behind.set(room.roomId, roomMark ?? 0)
      next.setRoom(room.nid, { accountData: UP_TO_DATE })
    } else if (byRoom.has(room.roomId)) rooms.set(room.roomId, byRoom.get(room.roomId)!)
  }
  const ids = [...behind.keys()]
  for (let at = 0; at < ids.length; at += ROOMS_AT_ONCE) {
    const part = ids.slice(at, at + ROOMS_AT_ONCE)
    const rows = await deps.store.read('sliding.roomData', () => accountDataOfRooms(userId, part, upTo))
    for (const row of rows) {
      if (row.pos > behind.get(row.room_id)!) rooms.set(row.room_id, [...(rooms.get(row.room_id) ?? []), row])
    }
  }
  for (const [nid, roomId] of toldRoomsWith(byRoom, input)) if (!told.has(nid)) fallBehind(nid, roomId)
  return {
    json: {
      global: [...global.map(accountDataEvent), ...defaults],
      rooms: Object.fromEntries([...rooms].map(([roomId, rows]) => [roomId, rows.map(accountDataEvent)])),
    },
    hasNews: global.length > 0 || rooms.size > 0,
  }

  function fallBehind(nid: number, roomId: string): void {
    if (!byRoom.has(roomId) || next.room(nid)?.accountData !== UP_TO_DATE || from === 0) return
    next.setRoom(nid, { accountData: from })
  }
}

/** Rooms with news among account data that the user has or had a membership in. */
function toldRoomsWith(
  byRoom: ReadonlyMap<string, unknown>,
  { roomIds }: ExtensionInput,
): (readonly [nid: number, roomId: string])[] {
  return [...byRoom.keys()].flatMap((roomId) => {
    const nid = roomIds(roomId)
    return nid === undefined ? [] : [[nid, roomId] as const]
  })
}
