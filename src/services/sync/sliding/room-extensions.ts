import { appendTo } from '../../../core/append-to.js'
import type { JsonObject } from '../../../core/json/value.js'
import { accountDataOfRooms, isNewsSince, type AccountDataRow } from '../../../storage/tables/account-data.js'
import { receiptsBetween, receiptsForEvents } from '../../../storage/tables/receipts.js'
import type { Store, Tx } from '../../../storage/tx.js'
import type { ReceiptRow } from '../../../storage/tables/receipts.js'
import { missingPushRules, accountDataEvent } from '../account-data-event.js'
import type { PushRules } from '../../push/push-rules.js'
import type { Typing } from '../../typing/typing.js'
import { receiptEvent } from '../receipt-event.js'
import { UP_TO_DATE, type RoomState } from './connection-state.js'
import type { SlidingFrame } from './frame.js'
import type { News } from './news.js'
import type { NextState } from './next-state.js'
import type { ExtensionScope } from './request.js'
import type { RoomChoice } from './room-choice.js'
import type { RoomResult } from './room-result.js'
import type { RoomList } from './user-rooms.js'

export interface ExtensionInput {
  readonly frame: SlidingFrame
  readonly choice: RoomChoice
  readonly list: RoomList
  readonly results: ReadonlyMap<number, RoomResult>
  readonly news: News
  readonly next: NextState
}

export interface ExtensionPart {
  readonly json: JsonObject
  readonly hasNews: boolean
}

/** Receipts of one room in one answer. */
const MAX_RECEIPTS = 2_000
/** Rooms read in one query. */
const ROOMS_AT_ONCE = 200

/** Whether an extension tells of a room: the user is in it, and the client was told of it, with whatever it is told in this answer. */
function tellsOf(input: ExtensionInput, scope: ExtensionScope, nid: number, told: RoomState): boolean {
  const rule = input.choice.wanted.get(nid)
  const room = input.list.rooms.get(nid)
  if (rule === undefined || room?.membership !== 'join' || told.membership !== 'join') return false
  return (
    rule.lists.some((name) => scope.lists.has('*') || scope.lists.has(name)) ||
    (rule.isSubscribed && (scope.rooms.has('*') || scope.rooms.has(room.roomId)))
  )
}

/**
 * Of the rooms that the client looks at those of which a stream has something to tell. Most have not: `candidates` are those with news in
 * it, and those of which the client was not told all; what this answer tells of is looked at besides.
 */
export function* roomsOf(
  input: ExtensionInput,
  scope: ExtensionScope,
  candidates: readonly Iterable<number>[],
  hasNews: (told: RoomState, nid: number) => boolean,
): Generator<{ readonly nid: number; readonly roomId: string; readonly told: RoomState }> {
  const nids = new Set(input.results.keys())
  for (const some of candidates) for (const nid of some) nids.add(nid)
  for (const nid of nids) {
    const told = input.next.room(nid)
    if (told === undefined || !hasNews(told, nid) || !tellsOf(input, scope, nid, told)) continue
    yield { nid, roomId: input.list.rooms.get(nid)!.roomId, told }
  }
}

/** SPEC: https://github.com/matrix-org/matrix-spec-proposals/pull/3961 */
export async function typingPart(
  input: ExtensionInput,
  scope: ExtensionScope | undefined,
  typing: Typing,
): Promise<ExtensionPart> {
  const { frame, next, news } = input
  const { unfinished } = input.choice
  const rooms: [string, JsonObject][] = []
  const changed = new Set(frame.from === 0 ? [] : typing.roomsChangedSince(frame.typingFrom))
  const done = new Set<number>()
  const found =
    scope === undefined
      ? []
      : [
          ...roomsOf(
            input,
            scope,
            [unfinished.typing, changed],
            (told, nid) => told.typingMissed || changed.has(nid),
          ),
        ]
  const ignored = found.length === 0 ? new Set<string>() : (await news.wishes()).ignored
  for (const { nid, roomId } of found) {
    done.add(nid)
    next.setRoom(nid, { typingMissed: false })
    const typists = typing.in(nid).filter((userId) => !ignored.has(userId))
    const isNew = frame.state.rooms.get(nid) === undefined
    if (!isNew || typists.length > 0)
      rooms.push([roomId, { type: 'm.typing', content: { user_ids: typists } }])
  }
  for (const nid of changed) if (!done.has(nid)) next.setRoom(nid, { typingMissed: true })
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
  const done = new Set<number>()
  const wishes: { readonly roomId: string; read(): Tx<readonly ReceiptRow[]> }[] = []
  const shownIn = (nid: number): readonly string[] => results.get(nid)?.shown ?? []
  const found =
    scope === undefined
      ? []
      : roomsOf(
          input,
          scope,
          [input.choice.unfinished.receipts, news.receipts],
          (told, nid) => told.receipts !== UP_TO_DATE || news.receipts.has(nid) || shownIn(nid).length > 0,
        )
  for (const { nid, roomId, told } of found) {
    done.add(nid)
    const mark = told.receipts
    const shown = shownIn(nid)
    const since = mark === UP_TO_DATE ? (news.receipts.has(nid) ? from : undefined) : mark
    const isWhole = mark === undefined || shown.length > 0
    if (mark !== UP_TO_DATE) next.setRoom(nid, { receipts: UP_TO_DATE })
    if (!isWhole && since === undefined) continue
    wishes.push({
      roomId,
      *read() {
        const whole = isWhole ? yield* receiptsForEvents(nid, viewer.userId, shown, upTo, MAX_RECEIPTS) : []
        const latest = since === undefined ? [] : yield* receiptsBetween(nid, since, upTo)
        return [...whole, ...latest]
      },
    })
  }
  for (let at = 0; at < wishes.length; at += ROOMS_AT_ONCE) {
    const part = wishes.slice(at, at + ROOMS_AT_ONCE)
    const read = await store.read('sliding.receipts', function* () {
      const lists: (readonly ReceiptRow[])[] = []
      for (const wish of part) lists.push(yield* wish.read())
      return lists
    })
    part.forEach(({ roomId }, i) => {
      const event = receiptEvent(read[i]!, viewer.userId)
      if (event !== undefined) rooms.push([roomId, event])
    })
  }
  for (const nid of news.receipts) {
    if (done.has(nid) || next.room(nid)?.receipts !== UP_TO_DATE || from === 0) continue
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
    appendTo(byRoom, row.room_id, row)
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
          (row) => isNewsSince(row, mark ?? 0),
        )
  const defaults = mark === null ? await missingPushRules(deps.pushRules, userId, global) : []

  const rooms = new Map<string, AccountDataRow[]>()
  const behind = new Map<string, number>()
  const done = new Set<number>()
  const withNews = new Set(toldRoomsWith(byRoom, input).map(([nid]) => nid))
  for (const { nid, roomId, told } of roomsOf(
    input,
    scope,
    [input.choice.unfinished.accountData, withNews],
    (item, at) => item.accountData !== UP_TO_DATE || withNews.has(at),
  )) {
    done.add(nid)
    if (told.accountData === UP_TO_DATE) rooms.set(roomId, byRoom.get(roomId)!)
    else {
      behind.set(roomId, told.accountData ?? 0)
      next.setRoom(nid, { accountData: UP_TO_DATE })
    }
  }
  const ids = [...behind.keys()]
  for (let at = 0; at < ids.length; at += ROOMS_AT_ONCE) {
    const part = ids.slice(at, at + ROOMS_AT_ONCE)
    const rows = await deps.store.read('sliding.roomData', () => accountDataOfRooms(userId, part, upTo))
    for (const row of rows) {
      if (isNewsSince(row, behind.get(row.room_id)!)) appendTo(rooms, row.room_id, row)
    }
  }
  for (const [nid, roomId] of toldRoomsWith(byRoom, input)) if (!done.has(nid)) fallBehind(nid, roomId)
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
  { list }: ExtensionInput,
): (readonly [nid: number, roomId: string])[] {
  return [...byRoom.keys()].flatMap((roomId) => {
    const nid = list.byId.get(roomId)?.nid
    return nid === undefined ? [] : [[nid, roomId] as const]
  })
}
