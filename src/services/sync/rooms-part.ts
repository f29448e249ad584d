import { isObject, type Json, type JsonObject } from '../../core/json/value.js'
import {
  accountData as accountDataOf,
  accountDataBetween,
  type AccountDataRow,
} from '../../storage/tables/account-data.js'
import { receiptsBetween, roomsWithReceipts, type ReceiptRow } from '../../storage/tables/receipts.js'
import { unreadOf, type UnreadRow } from '../../storage/tables/unread.js'
import type { RoomsContext } from '../rooms/context.js'
import { strippedStateFor } from '../rooms/stripped-state.js'
import type { ClientViews } from '../timeline/client-view.js'
import { syncToken } from '../timeline/tokens.js'
import type { Typing } from '../typing/typing.js'
import { accountDataEvent } from './account-data-event.js'
import type { Frame } from './frame.js'
import { receiptEvent } from './receipt-event.js'
import { roomBlock, roomSummary } from './room-block.js'
import { memberEventAt, ownRooms, type OwnRoom } from './room-changes.js'

/** The `rooms` of an answer. */
export interface RoomsPart {
  compute(
    frame: Frame,
    /** All account data of the range, of rooms and global. */
    data: readonly AccountDataRow[],
  ): Promise<{ readonly json: JsonObject; readonly hasNews: boolean }>
}

export function createRoomsPart(deps: {
  readonly context: RoomsContext
  readonly views: ClientViews
  readonly typing: Typing
}): RoomsPart {
  const { context, views, typing } = deps

  async function compute(
    frame: Frame,
    data: readonly AccountDataRow[],
  ): Promise<{ json: JsonObject; hasNews: boolean }> {
    const { viewer, from, upTo, filter } = frame
    const { own, withReceipts, ignoredJson } = await context.store.read('sync.rooms', function* () {
      return {
        own: yield* ownRooms(viewer.userId, from),
        withReceipts: from === 0 ? [] : yield* roomsWithReceipts(from, upTo),
        ignoredJson: yield* accountDataOf(viewer.userId, '', 'm.ignored_user_list'),
      }
    })
    const ignored = ignoredUsers(ignoredJson)
    const dataByRoom = new Map<string, AccountDataRow[]>()
    for (const row of data) {
      if (row.room_id === '') continue
      const list = dataByRoom.get(row.room_id)
      if (list === undefined) dataByRoom.set(row.room_id, [row])
      else list.push(row)
    }
    const receiptNews = new Set(withReceipts)
    const typingNews = new Set(frame.since === undefined ? [] : typing.roomsChangedSince(frame.typingFrom))
    const sections = {
      join: new Map<string, Json>(),
      leave: new Map<string, Json>(),
      invite: new Map<string, Json>(),
      knock: new Map<string, Json>(),
    }

    for (const row of own) {
      if (!filter.admitsRoom(row.room_id)) continue
      const mayHaveNews =
        from === 0 ||
        frame.input.fullState ||
        row.pos > from ||
        row.last_pos > from ||
        receiptNews.has(row.room_nid) ||
        typingNews.has(row.room_nid) ||
        dataByRoom.has(row.room_id)
      if (!mayHaveNews) continue
      switch (row.membership) {
        case 'join': {
          const block = await joinedRoom(row, frame, ignored, dataByRoom.get(row.room_id) ?? [])
          if (block !== undefined) sections.join.set(row.room_id, block)
          break
        }
        case 'invite':
        case 'knock': {
          if (row.pos <= from && !frame.input.fullState) break
          if (row.membership === 'invite' && ignored.has(row.sender)) break
          const name = row.membership === 'invite' ? 'invite_state' : 'knock_state'
          sections[row.membership].set(row.room_id, { [name]: { events: await strippedState(row) } })
          break
        }
        default: {
          const block = await leftRoom(row, frame, ignored)
          if (block !== undefined) sections.leave.set(row.room_id, block)
        }
      }
    }
    const json: Record<string, Json> = {}
    for (const [name, rooms] of Object.entries(sections))
      if (rooms.size > 0) json[name] = Object.fromEntries(rooms)
    return { json, hasNews: Object.keys(json).length > 0 }
  }

  /** The user's membership when the client last synced; undefined for none. */
  async function membershipThen(row: OwnRoom, from: number): Promise<string | undefined> {
    if (from === 0) return undefined
    const change = await context.store.read('sync.membership', () =>
      memberEventAt(row.room_nid, row.user_id, from),
    )
    if (change === undefined) return row.pos > from ? undefined : row.membership
    if (change.prev_nid === null) return undefined
    const then = (await context.events.byNids([change.prev_nid])).get(change.prev_nid)
    const membership = then?.event.content['membership']
    return typeof membership === 'string' ? membership : undefined
  }

  async function joinedRoom(
    row: OwnRoom,
    frame: Frame,
    ignored: ReadonlySet<string>,
    data: readonly AccountDataRow[],
  ): Promise<Json | undefined> {
    const room = await context.loader.load(row.room_id)
    if (room === undefined) return undefined
    const { viewer, upTo, filter, input } = frame
    const wasJoined =
      frame.from > 0 && (row.pos <= frame.from || (await membershipThen(row, frame.from)) === 'join')
    const since = wasJoined ? frame.from : 0
    const block = await roomBlock(
      {
        room,
        viewer,
        filter,
        since,
        upTo,
        fullState: input.fullState,
        stateAfter: input.stateAfter,
        ignored,
      },
      { context, views },
    )
    // For a room that is new to the client its account data is news, however old.
    const ownData = since === 0 && frame.from > 0 ? await allDataOf(row, upTo) : data
    const accountData = ownData.filter((item) =>
      filter.roomAccountData.admits({ type: item.type, content: {}, roomId: row.room_id }),
    )
    const ephemeral = await ephemeralOf(row, frame, since)
    const { unread, receiptOfOwn } = await countsOf(row, since, upTo)
    const hasNews =
      block.hasNews ||
      accountData.length > 0 ||
      ephemeral.length > 0 ||
      since === 0 ||
      input.fullState ||
      receiptOfOwn
    if (!hasNews) return undefined
    const main = unread.find((item) => item.thread === '')
    const threads = unread.filter((item) => item.thread !== '')
    const perThread = filter.timeline.unreadThreadNotifications
    const sum = (field: 'notify' | 'highlight'): number =>
      perThread ? (main?.[field] ?? 0) : unread.reduce((total, item) => total + item[field], 0)
    return {
      ...block.json,
      account_data: { events: accountData.map(accountDataEvent) },
      ephemeral: { events: ephemeral },
      unread_notifications: { notification_count: sum('notify'), highlight_count: sum('highlight') },
      ...(perThread && threads.length > 0
        ? {
            unread_thread_notifications: Object.fromEntries(
              threads.map((item) => [
                item.thread,
                { notification_count: item.notify, highlight_count: item.highlight },
              ]),
            ),
          }
        : {}),
      summary: block.membersChanged ? await roomSummary(room, viewer.userId, context) : {},
    }
  }

  async function allDataOf(row: OwnRoom, upTo: number): Promise<readonly AccountDataRow[]> {
    const rows = await context.store.read('sync.roomData', () => accountDataBetween(row.user_id, 0, upTo))
    return rows.filter((item) => item.room_id === row.room_id)
  }

  async function ephemeralOf(row: OwnRoom, frame: Frame, since: number): Promise<Json[]> {
    const { filter, viewer, upTo } = frame
    const events: Json[] = []
    const admits = (type: string): boolean =>
      !filter.ephemeral.nothing && filter.ephemeral.admits({ type, content: {}, roomId: row.room_id })
    if (admits('m.receipt')) {
      const receipts = await context.store.read('sync.receipts', () =>
        receiptsBetween(row.room_nid, since, upTo),
      )
      const event = receiptEvent(receipts, viewer.userId)
      if (event !== undefined) events.push(event)
    }
    if (admits('m.typing')) {
      const typists = typing.in(row.room_nid)
      const changed = since === 0 ? typists.length > 0 : typing.changedSince(row.room_nid, frame.typingFrom)
      if (changed) events.push({ type: 'm.typing', content: { user_ids: typists } })
    }
    return events
  }

  async function countsOf(
    row: OwnRoom,
    since: number,
    upTo: number,
  ): Promise<{ unread: readonly UnreadRow[]; receiptOfOwn: boolean }> {
    return context.store.read('sync.unread', function* () {
      const receipts: readonly ReceiptRow[] =
        since === 0 ? [] : yield* receiptsBetween(row.room_nid, since, upTo)
      return {
        unread: yield* unreadOf(row.user_id, [row.room_nid]),
        receiptOfOwn: receipts.some((receipt) => receipt.user_id === row.user_id),
      }
    })
  }

  async function leftRoom(
    row: OwnRoom,
    frame: Frame,
    ignored: ReadonlySet<string>,
  ): Promise<Json | undefined> {
    const { viewer, filter, input } = frame
    if (frame.from === 0 && !filter.includeLeave) return undefined
    const then = await membershipThen(row, frame.from)
    const empty = {
      timeline: {
        events: [],
        limited: false,
        prev_batch: syncToken({ pos: row.pos, ephemeral: 0, toDevice: 0 }),
      },
      state: { events: [] },
    }
    const room = await context.loader.load(row.room_id)
    // An invite that was rejected, or a room that this server has no state of: only that it is over.
    if (row.event_nid === null || room?.root === undefined) return empty
    if (frame.from > 0 && then !== 'join') {
      if (then === undefined && !filter.includeLeave) return undefined
      const leave = (await context.events.byNids([row.event_nid])).get(row.event_nid)
      if (leave === undefined) return empty
      const events = await views.view([leave], viewer, { omitRoomId: true })
      return { ...empty, timeline: { ...empty.timeline, events } }
    }
    const left = (await context.events.byNids([row.event_nid])).get(row.event_nid)
    const block = await roomBlock(
      {
        room: left?.stateAfter === undefined ? room : { ...room, root: left.stateAfter },
        viewer,
        filter,
        since: frame.from,
        upTo: Math.min(frame.upTo, row.pos),
        fullState: input.fullState,
        stateAfter: input.stateAfter,
        ignored,
      },
      { context, views },
    )
    return { ...block.json, account_data: { events: [] } }
  }

  async function strippedState(row: OwnRoom): Promise<Json[]> {
    if (row.stripped_state !== null) return JSON.parse(row.stripped_state) as Json[]
    const room = await context.loader.load(row.room_id)
    return room === undefined ? [] : strippedStateFor(context, room, row.user_id, row.sender)
  }

  return { compute }
}

function ignoredUsers(json: string | undefined): ReadonlySet<string> {
  const content = json === undefined ? {} : (JSON.parse(json) as Json)
  const users = isObject(content) ? content['ignored_users'] : undefined
  return new Set(isObject(users) ? Object.keys(users) : [])
}
