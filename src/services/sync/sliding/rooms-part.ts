import type { JsonObject } from '../../../core/json/value.js'
import { StorageError } from '../../../storage/errors.js'
import { ownRoomsByNids, type OwnRoom } from '../../../storage/tables/own-rooms.js'
import { unreadOf, type Counts } from '../../../storage/tables/unread.js'
import type { Store } from '../../../storage/tx.js'
import type { RoomsContext } from '../../rooms/context.js'
import { UP_TO_DATE, type RoomState } from './connection-state.js'
import type { SlidingFrame, WantedRoom } from './frame.js'
import type { News } from './news.js'
import type { RoomResult, RoomResults } from './room-result.js'
import type { NextState } from './next-state.js'
import type { RoomChoice } from './room-choice.js'
import type { RoomList } from './user-rooms.js'

/** Rooms in one answer; the others follow in the next, which then does not wait. */
const MAX_ROOMS = 300
const NOBODY: ReadonlySet<string> = new Set()

export interface RoomsPart {
  readonly json: Readonly<Record<string, JsonObject>>
  /** What was built for this answer, by nid. */
  readonly results: ReadonlyMap<number, RoomResult>
  /** More rooms wait to be told. */
  readonly more: boolean
}

/** Which of the rooms that the client looks at may have news, the latest first. */
function withNews(
  { from }: SlidingFrame,
  { wanted, unfinished }: RoomChoice,
  list: RoomList,
  news: News,
): WantedRoom[] {
  const nids = new Set(unfinished.rooms)
  for (const room of list.order) {
    if (room.activity <= from) break
    nids.add(room.nid)
  }
  for (const nid of news.ownReceipts) nids.add(nid)
  const found: WantedRoom[] = []
  for (const nid of nids) {
    const rule = wanted.get(nid)
    if (rule !== undefined) found.push({ ...rule, room: list.rooms.get(nid)! })
  }
  return found.toSorted((a, b) => b.room.activity - a.room.activity || b.room.nid - a.room.nid)
}

export async function roomsPart(
  frame: SlidingFrame,
  choice: RoomChoice,
  list: RoomList,
  news: News,
  next: NextState,
  deps: { readonly context: RoomsContext; readonly results: RoomResults },
): Promise<RoomsPart> {
  const { context } = deps
  const { userId } = frame.viewer
  const all = withNews(frame, choice, list, news)
  const chosen = all.slice(0, MAX_ROOMS)
  // What the list in memory says is for order alone: who may see what is read now.
  const { rows, unread } = await readRows(
    context.store,
    userId,
    chosen.map((item) => item.room.nid),
  )
  const ignored = chosen.length === 0 ? NOBODY : (await news.wishes()).ignored
  const byNid = new Map(rows.map((row) => [row.room_nid, row]))
  const json: [string, JsonObject][] = []
  const results = new Map<number, RoomResult>()
  const left: number[] = all.slice(MAX_ROOMS).map((item) => item.room.nid)

  for (const item of chosen) {
    const { nid, roomId } = item.room
    const row = byNid.get(nid)
    const told = frame.state.rooms.get(nid)
    // Of a room that they have forgotten other devices still hear that they left.
    if (
      row === undefined ||
      (row.forgotten === 1 && (told === undefined || told.membership === row.membership))
    )
      continue
    try {
      const result = await build(item, row, told)
      if (result === undefined) {
        left.push(nid)
        continue
      }
      results.set(nid, result)
      if (result.json !== undefined) json.push([roomId, result.json])
      next.tell(nid, result, item.required.id)
    } catch (error) {
      // One damaged room must not keep the others from the user; a store that fails concerns them all.
      if (error instanceof StorageError) throw error
      context.logger.error({ err: error, roomId }, 'a room is left out of an answer to sliding sync')
    }
  }
  const done = new Set(results.keys())
  for (const room of list.order) {
    if (room.activity <= frame.from) break
    if (!done.has(room.nid)) next.fallBehind(room.nid)
  }
  for (const nid of left) next.fallBehind(nid)
  for (const nid of news.ownReceipts) if (!done.has(nid)) next.fallBehind(nid)
  return { json: Object.fromEntries(json), results, more: all.length > MAX_ROOMS }

  function build(
    item: WantedRoom,
    row: OwnRoom,
    told: RoomState | undefined,
  ): Promise<RoomResult | undefined> {
    return deps.results.build({
      frame,
      row,
      wanted: item,
      told,
      toldState: told === undefined ? undefined : next.stateText(told.config),
      isDm: list.direct.has(row.room_id),
      countsChanged: news.ownReceipts.has(row.room_nid) || (told !== undefined && told.room !== UP_TO_DATE),
      unread: unread.get(row.room_nid) ?? { notify: 0, highlight: 0 },
      ignored,
    })
  }
}

/** Memberships in some rooms, and what is unread in them over all threads. */
async function readRows(
  store: Store,
  userId: string,
  nids: readonly number[],
): Promise<{ readonly rows: readonly OwnRoom[]; readonly unread: ReadonlyMap<number, Counts> }> {
  if (nids.length === 0) return { rows: [], unread: new Map() }
  const found = await store.read('sliding.rows', function* () {
    return { rows: yield* ownRoomsByNids(userId, nids), counts: yield* unreadOf(userId, nids) }
  })
  const unread = new Map<number, Counts>()
  for (const { room_nid: nid, notify, highlight } of found.counts) {
    const sum = unread.get(nid) ?? { notify: 0, highlight: 0 }
    unread.set(nid, { notify: sum.notify + notify, highlight: sum.highlight + highlight })
  }
  return { rows: found.rows, unread }
}
