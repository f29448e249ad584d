import { appendTo } from '../../core/append-to.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import { StorageError } from '../../storage/errors.js'
import { noticeRoomOf } from '../../storage/tables/notice-rooms.js'
import { accountDataOfRooms, isNewsSince, type AccountDataRow } from '../../storage/tables/account-data.js'
import { receiptsBetween, roomsWithReceipts, type ReceiptRow } from '../../storage/tables/receipts.js'
import type { StickyNews } from '../../storage/tables/sticky-events.js'
import { unreadOf, type UnreadCount } from '../../storage/tables/unread.js'
import { ignoredUsersOf } from '../account-data/ignored-users.js'
import { invitePermissionOf } from '../account-data/invite-permission.js'
import type { RoomsContext } from '../rooms/context.js'
import { membershipAt } from '../rooms/member-history.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { Aggregations } from '../timeline/aggregations.js'
import type { ClientViews } from '../timeline/client-view.js'
import { after } from '../timeline/places.js'
import { syncToken, topologicalToken } from '../timeline/tokens.js'
import type { Typing } from '../typing/typing.js'
import { accountDataEvent } from './account-data-event.js'
import type { Frame } from './frame.js'
import { receiptEvent } from './receipt-event.js'
import { outsideEnd } from './outside-end.js'
import { roomOfRow, strippedState, wayOut } from './own-room-state.js'
import { timelinePageSize } from './read-timeline.js'
import { roomBlock } from './room-block.js'
import { stickyViews, type StickyBatch } from './sticky-part.js'
import { createRoomNewsReader, type RoomNews } from './room-news.js'
import { ownRooms, ownRoomsWithNews, type OwnRoom } from '../../storage/tables/own-rooms.js'

/** The `rooms` of an answer. */
export interface RoomsPart {
  compute(
    frame: Frame,
    /** All account data of the range, of rooms and global. */
    data: readonly AccountDataRow[],
    sticky: StickyBatch,
  ): Promise<{ readonly json: JsonObject; readonly hasNews: boolean }>
}

/** Of one room, what the streams of all rooms have for this user. */
interface RoomData {
  readonly data: readonly AccountDataRow[]
  readonly sticky: readonly StickyNews[]
}

type Section = 'join' | 'leave' | 'invite' | 'knock'

export function createRoomsPart(deps: {
  readonly context: RoomsContext
  readonly views: ClientViews
  readonly aggregations: Aggregations
  readonly typing: Typing
}): RoomsPart {
  const { context, views, aggregations, typing } = deps
  const roomNews = createRoomNewsReader(context.store)

  const newsOf = async (
    row: OwnRoom,
    since: number,
    upTo: number,
    frame: Frame,
  ): Promise<RoomNews | undefined> =>
    since === 0 ? undefined : roomNews.read(row.room_nid, since, upTo, timelinePageSize(frame.filter))

  async function compute(
    frame: Frame,
    data: readonly AccountDataRow[],
    sticky: StickyBatch,
  ): Promise<{ json: JsonObject; hasNews: boolean }> {
    const { viewer, from, upTo, filter } = frame
    const typingNews = new Set(frame.since === undefined ? [] : typing.roomsChangedSince(frame.typingFrom))
    const dataByRoom = new Map<string, AccountDataRow[]>()
    for (const row of data) {
      if (row.room_id === '') continue
      appendTo(dataByRoom, row.room_id, row)
    }
    const everyRoom = from === 0 || frame.input.fullState || dataByRoom.size > 0
    const { own, withReceipts, ignored } = await context.store.read('sync.rooms', function* () {
      const withReceipts = from === 0 ? [] : yield* roomsWithReceipts(viewer.userId, from, upTo)
      return {
        // Most rooms of most answers have no news: the database leaves them out.
        own: everyRoom
          ? yield* ownRooms(viewer.userId, from)
          : yield* ownRoomsWithNews(viewer.userId, from, [
              ...new Set([...withReceipts, ...typingNews, ...sticky.byRoom.keys()]),
            ]),
        withReceipts,
        ignored: yield* ignoredUsersOf(viewer.userId),
      }
    })
    const receiptNews = new Set(withReceipts)
    const sections: Record<Section, Map<string, Json>> = {
      join: new Map(),
      leave: new Map(),
      invite: new Map(),
      knock: new Map(),
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
        sticky.byRoom.has(row.room_nid) ||
        dataByRoom.has(row.room_id)
      if (!mayHaveNews) continue
      try {
        const [section, block] = await roomOf(row, frame, ignored, {
          data: dataByRoom.get(row.room_id) ?? [],
          sticky: sticky.byRoom.get(row.room_nid) ?? [],
        })
        if (block === undefined) continue
        if (section === 'invite' && (await isUnwanted(row))) continue
        sections[section].set(row.room_id, block)
      } catch (error) {
        // One damaged room must not keep the others from the user; a store that fails concerns them all.
        if (error instanceof StorageError) throw error
        context.logger.error({ err: error, roomId: row.room_id }, 'a room is left out of an answer to /sync')
      }
    }
    const json: Record<string, Json> = {}
    for (const [name, rooms] of Object.entries(sections))
      if (rooms.size > 0) json[name] = Object.fromEntries(rooms)
    return { json, hasNews: Object.keys(json).length > 0 }
  }

  /** What the server itself has to say always arrives. SPEC: https://spec.matrix.org/v1.19/client-server-api/#invite-permission */
  async function isUnwanted(invite: OwnRoom): Promise<boolean> {
    const { permission, noticeRoom } = await context.store.read('sync.invites', function* () {
      return {
        permission: yield* invitePermissionOf(invite.user_id),
        noticeRoom: yield* noticeRoomOf(invite.user_id),
      }
    })
    return invite.room_id !== noticeRoom && permission.of(invite.sender) !== 'allow'
  }

  async function roomOf(
    row: OwnRoom,
    frame: Frame,
    ignored: ReadonlySet<string>,
    own: RoomData,
  ): Promise<readonly [Section, Json | undefined]> {
    // What changed after the answer's last position belongs to the next answer.
    const membership = await membershipAt(context, row, frame.upTo)
    switch (membership) {
      case 'join':
        return ['join', await joinedRoom(row, frame, ignored, own)]
      case 'invite':
      case 'knock': {
        const isOld = row.pos <= frame.from && !frame.input.fullState
        const isUnwanted = membership === 'invite' && ignored.has(row.sender)
        if (isOld || isUnwanted || row.pos > frame.upTo) return [membership, undefined]
        const name = membership === 'invite' ? 'invite_state' : 'knock_state'
        return [membership, { [name]: { events: await strippedState(context, row) } }]
      }
      default:
        return ['leave', row.pos > frame.upTo ? undefined : await leftRoom(row, frame, ignored, own.data)]
    }
  }

  async function joinedRoom(
    row: OwnRoom,
    frame: Frame,
    ignored: ReadonlySet<string>,
    { data, sticky }: RoomData,
  ): Promise<Json | undefined> {
    const room = await roomOfRow(context, row)
    if (room === undefined) return undefined
    const { viewer, upTo, filter, input, from } = frame
    // Who wants all members sees the room when they are known, and then for the first time.
    const wantsMembers = !filter.state.lazyLoadMembers
    if (wantsMembers && (row.partial === 1 || row.whole_pos > upTo)) return undefined
    const isNewToClient = wantsMembers && from < row.whole_pos
    const wasJoined = from > 0 && !isNewToClient && (await membershipAt(context, row, from)) === 'join'
    const since = wasJoined ? from : 0
    const news = await newsOf(row, since, upTo, frame)
    const block = await roomBlock(
      {
        room,
        viewer,
        membership: row,
        filter,
        since,
        upTo,
        isNewlyJoined: from > 0 && !wasJoined,
        checkVisibility: row.pos > since,
        withSummary: true,
        fullState: input.fullState,
        stateAfter: input.stateAfter,
        ignored,
        end: undefined,
        news,
      },
      { context, views, aggregations },
    )
    const accountData = await accountDataOf(row, frame, since, data)
    const { receipts, unread } = await context.store.read('sync.counts', function* () {
      return {
        receipts: news?.receipts ?? (yield* receiptsBetween(row.room_nid, since, upTo)),
        unread: yield* unreadOf(row.user_id, [row.room_nid]),
      }
    })
    const stuck = await stickyViews(sticky, block.shown, {
      context,
      views,
      viewer,
      ignored,
      options: { omitRoomId: true, format: filter.format },
    })
    const ephemeral = ephemeralOf(row, frame, since, receipts, ignored)
    const hasNews =
      block.hasNews ||
      accountData.length > 0 ||
      ephemeral.length > 0 ||
      stuck.length > 0 ||
      since === 0 ||
      input.fullState ||
      receipts.some((receipt) => receipt.user_id === row.user_id) ||
      // Events that the filter hides raise the counts all the same; those after the answer's last position belong to the next answer.
      (news !== undefined && news.latest.rows.length > 0 && unread.some((item) => item.notify > 0))
    if (!hasNews) return undefined
    return {
      ...block.json,
      account_data: { events: accountData },
      ephemeral: { events: ephemeral },
      ...(stuck.length === 0 ? {} : { msc4354_sticky: { events: stuck } }),
      ...countsJson(unread, filter.timeline.unreadThreadNotifications),
    }
  }

  /** `data`: of the range of the answer. For a room that is new to the client what is older is news, too. */
  async function accountDataOf(
    row: OwnRoom,
    { from, upTo, filter }: Frame,
    since: number,
    data: readonly AccountDataRow[],
  ): Promise<readonly JsonObject[]> {
    const own = since === 0 && from > 0 ? await allDataOf(row, upTo) : data
    return own
      .filter(({ type }) => filter.roomAccountData.admits({ type, content: {}, roomId: row.room_id }))
      .map(accountDataEvent)
  }

  async function allDataOf(row: OwnRoom, upTo: number): Promise<readonly AccountDataRow[]> {
    const data = await context.store.read('sync.roomData', () =>
      accountDataOfRooms(row.user_id, [row.room_id], upTo),
    )
    return data.filter((item) => isNewsSince(item, 0))
  }

  function ephemeralOf(
    row: OwnRoom,
    frame: Frame,
    since: number,
    receipts: readonly ReceiptRow[],
    ignored: ReadonlySet<string>,
  ): readonly Json[] {
    const { filter, viewer } = frame
    const events: Json[] = []
    const admits = (type: string): boolean =>
      !filter.ephemeral.nothing && filter.ephemeral.admits({ type, content: {}, roomId: row.room_id })
    if (admits('m.receipt')) {
      const event = receiptEvent(receipts, viewer.userId)
      if (event !== undefined) events.push(event)
    }
    if (admits('m.typing')) {
      const typists = typing.in(row.room_nid).filter((userId) => !ignored.has(userId))
      const changed = since === 0 ? typists.length > 0 : typing.changedSince(row.room_nid, frame.typingFrom)
      if (changed) events.push({ type: 'm.typing', content: { user_ids: typists } })
    }
    return events
  }

  async function leftRoom(
    row: OwnRoom,
    frame: Frame,
    ignored: ReadonlySet<string>,
    data: readonly AccountDataRow[],
  ): Promise<Json | undefined> {
    const { viewer, filter, input, from } = frame
    // Who comes with a token of a lost database may believe to be in the room.
    if (from === 0 && frame.since === undefined && !filter.includeLeave) return undefined
    const { room, own, departure } = await wayOut(context, row, frame.upTo)
    const left = departure?.event
    const wasJoined = from > 0 && (await membershipAt(context, row, from)) === 'join'
    // In the room since the last answer, or (in a first one) ever: up to their leaving they may see it.
    const wasThere = departure !== undefined && (from === 0 || wasJoined || departure.pos > from)
    if (room === undefined || left?.stateAfter === undefined || !wasThere) return onlyTheEnd(own, row, frame)
    const since = wasJoined ? from : 0
    const block = await roomBlock(
      {
        room: { ...room, root: left.stateAfter },
        viewer,
        membership: row,
        filter,
        since,
        upTo: departure.pos,
        isNewlyJoined: from > 0 && !wasJoined,
        checkVisibility: true,
        withSummary: false,
        fullState: input.fullState,
        stateAfter: input.stateAfter,
        ignored,
        end: left.ord === undefined ? undefined : after(left),
        news: await newsOf(row, since, departure.pos, frame),
      },
      { context, views, aggregations },
    )
    return { ...block.json, account_data: { events: await accountDataOf(row, frame, since, data) } }
  }

  /** An invite or a knock that came to nothing, a ban of somebody outside: the membership event and nothing of the room. */
  async function onlyTheEnd(own: StoredEvent | undefined, row: OwnRoom, frame: Frame): Promise<Json> {
    const { filter, viewer, input } = frame
    const outside = own === undefined ? outsideEnd(row) : undefined
    const ending = own?.event ?? outside
    const isShown = ending !== undefined && filter.timeline.admits(ending) && !filter.timeline.nothing
    const format = { omitRoomId: true, format: filter.format }
    const last = own === undefined ? [outside?.json ?? {}] : await views.view([own], viewer, format)
    const events = isShown ? last : []
    const isPlaced = own?.ord !== undefined
    return {
      timeline: {
        events: filter.shape === undefined ? events : events.map(filter.shape),
        // There may be more before it than they were shown.
        limited: isPlaced,
        prev_batch: isPlaced
          ? topologicalToken({ depth: own.event.depth, ord: own.ord! })
          : syncToken({ pos: row.pos, ephemeral: 0, toDevice: 0 }),
      },
      [input.stateAfter === 'no' ? 'state' : input.stateAfter]: { events: [] },
    }
  }

  return { compute }
}

/**
 * The counts of a room; with `perThread`, threads apart.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#receiving-notifications
 */
function countsJson(unread: readonly UnreadCount[], perThread: boolean): JsonObject {
  const counts = (rows: readonly UnreadCount[]): JsonObject => ({
    notification_count: rows.reduce((total, row) => total + row.notify, 0),
    highlight_count: rows.reduce((total, row) => total + row.highlight, 0),
  })
  if (!perThread) return { unread_notifications: counts(unread) }
  const threads = unread.filter((row) => row.thread !== '' && row.notify > 0)
  return {
    unread_notifications: counts(unread.filter((row) => row.thread === '')),
    // Empty says that no thread has anything unread any more.
    unread_thread_notifications: Object.fromEntries(threads.map((row) => [row.thread, counts([row])])),
  }
}
