import { isObject, type Json, type JsonObject } from '../../core/json/value.js'
import { createLru } from '../../platform/lru.js'
import type { Notifier } from '../../platform/notifier.js'
import type { Semaphore } from '../../platform/semaphore.js'
import {
  accountDataBetween,
  accountData as accountDataOf,
  type AccountDataRow,
} from '../../storage/tables/account-data.js'
import { receiptsBetween, roomsWithReceipts, type ReceiptRow } from '../../storage/tables/receipts.js'
import { unreadOf, type UnreadRow } from '../../storage/tables/unread.js'
import type { E2ee } from '../e2ee/e2ee.js'
import { pushRulesContent, type PushRules } from '../push/push-rules.js'
import type { Requester } from '../requester.js'
import type { RoomsContext } from '../rooms/context.js'
import { strippedStateFor } from '../rooms/stripped-state.js'
import type { ToDevice } from '../to-device/to-device.js'
import type { Typing } from '../typing/typing.js'
import type { ClientViews, Viewer } from '../timeline/client-view.js'
import { parseSyncToken, syncToken, type SyncToken } from '../timeline/tokens.js'
import { compileSyncFilter, type SyncFilter } from './filter.js'
import { roomBlock, roomSummary, type BlockInput } from './room-block.js'
import { memberEventAt, ownRooms, type OwnRoom } from './room-changes.js'
import { receiptEvent } from './receipt-event.js'

export interface SyncInput {
  readonly since?: string | undefined
  readonly filter: JsonObject
  readonly fullState: boolean
  /** Milliseconds. */
  readonly timeoutMs: number
  readonly stateAfter: BlockInput['stateAfter']
  readonly signal: AbortSignal
}

export interface Sync {
  /** Long-polls until there is news, at most `timeoutMs`. Throws M_INVALID_PARAM for a foreign token. */
  sync(requester: Requester, input: SyncInput): Promise<JsonObject>
}

export interface SyncDeps {
  readonly context: RoomsContext
  readonly views: ClientViews
  readonly notifier: Notifier
  readonly typing: Typing
  readonly e2ee: Pick<E2ee, 'deviceListsBetween' | 'otkCounts'>
  readonly toDevice: Pick<ToDevice, 'toDeviceFor' | 'acknowledge'>
  readonly pushRules: PushRules
  readonly maxTimeoutMs: number
  /** Bounds how many answers are computed at once; waiting ones hold no place. */
  readonly gate: Semaphore
}

/** Long polls of one user that wait at once; the oldest gives way. */
const MAX_WAITING_PER_USER = 50

interface Answer {
  readonly json: Record<string, Json>
  readonly hasNews: boolean
}

/** One sync's fixed points. */
interface Frame {
  readonly viewer: Viewer
  readonly since: SyncToken | undefined
  readonly from: number
  readonly upTo: number
  readonly typingFrom: number
  readonly filter: SyncFilter
  readonly input: SyncInput
}

export function createSync(deps: SyncDeps): Sync {
  const { context, views, typing } = deps
  const filters = createLru<string, SyncFilter>({ max: 500 })
  const waitingOf = new Map<string, Set<AbortController>>()

  function compiled(json: JsonObject): SyncFilter {
    const key = JSON.stringify(json)
    let filter = filters.get(key)
    if (filter === undefined) {
      filter = compileSyncFilter(json)
      filters.set(key, filter)
    }
    return filter
  }

  async function compute(requester: Requester, input: SyncInput): Promise<Answer> {
    const since = input.since === undefined ? undefined : parseSyncToken(input.since)
    const { userId, deviceId } = requester
    const ephemeralNow = typing.position()
    const upTo = await context.store.position()
    const frame: Frame = {
      viewer: { userId, deviceId },
      since,
      from: Math.min(since?.pos ?? 0, upTo),
      upTo,
      // A token of a former run with a faster clock: everybody's typing is news.
      typingFrom: since === undefined || since.ephemeral > ephemeralNow ? 0 : since.ephemeral,
      filter: compiled(input.filter),
      input,
    }
    const data = await context.store.read('sync.accountData', () =>
      accountDataBetween(userId, frame.from, upTo),
    )
    const rooms = await roomsPart(frame, data)
    const global = data.filter(
      (row) => row.room_id === '' && frame.filter.accountData.admits({ type: row.type, content: {} }),
    )
    const e2ee = await e2eePart(frame)
    const json: Record<string, Json> = {
      next_batch: syncToken({ pos: upTo, ephemeral: ephemeralNow, toDevice: e2ee.toDeviceUpTo }),
      rooms: rooms.json,
      account_data: { events: [...global.map(accountDataEvent), ...(await defaultRules(frame, data))] },
      presence: { events: [] },
      ...e2ee.json,
    }
    return { json, hasNews: rooms.hasNews || global.length > 0 || e2ee.hasNews || since === undefined }
  }

  /** Users who never changed their push rules have none stored; clients want the event all the same. */
  async function defaultRules(frame: Frame, data: readonly AccountDataRow[]): Promise<JsonObject[]> {
    const type = 'm.push_rules'
    const wanted = frame.from === 0 && frame.filter.accountData.admits({ type, content: {} })
    if (!wanted || data.some((row) => row.room_id === '' && row.type === type)) return []
    return [{ type, content: pushRulesContent((await deps.pushRules.of(frame.viewer.userId)).rules) }]
  }

  async function e2eePart(
    frame: Frame,
  ): Promise<{ json: Record<string, Json>; hasNews: boolean; toDeviceUpTo: number }> {
    const { viewer, since, from, upTo } = frame
    const toDeviceFrom = since?.toDevice ?? 0
    const { deviceId } = viewer
    if (deviceId === undefined)
      return { json: { to_device: { events: [] } }, hasNews: false, toDeviceUpTo: upTo }
    const found = await context.store.read('sync.e2ee', function* () {
      const batch = yield* deps.toDevice.toDeviceFor(viewer.userId, deviceId, toDeviceFrom, upTo)
      const counts = yield* deps.e2ee.otkCounts(viewer.userId, deviceId)
      const lists =
        since === undefined
          ? { changed: [], left: [] }
          : yield* deps.e2ee.deviceListsBetween(viewer.userId, from, upTo)
      return { batch, counts, lists }
    })
    const { batch, counts, lists } = found
    const countsChanged = counts.pos !== undefined && counts.pos > from
    return {
      json: {
        to_device: { events: batch.events.map((event): JsonObject => ({ ...event })) },
        device_lists: { changed: [...lists.changed], left: [...lists.left] },
        device_one_time_keys_count: counts.counts as JsonObject,
        device_unused_fallback_key_types: [...counts.unusedFallback],
        'org.matrix.msc2732.device_unused_fallback_key_types': [...counts.unusedFallback],
      },
      hasNews: batch.events.length > 0 || lists.changed.length > 0 || lists.left.length > 0 || countsChanged,
      toDeviceUpTo: batch.upTo,
    }
  }

  async function roomsPart(
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

  /** A place among the user's waiting polls; the oldest of too many is answered at once. */
  function enter(userId: string, signal: AbortSignal): { signal: AbortSignal; leave(): void } {
    const controller = new AbortController()
    const mine = waitingOf.get(userId) ?? new Set()
    waitingOf.set(userId, mine)
    mine.add(controller)
    if (mine.size > MAX_WAITING_PER_USER) mine.values().next().value?.abort()
    const stop = (): void => controller.abort()
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    return {
      signal: controller.signal,
      leave() {
        signal.removeEventListener('abort', stop)
        mine.delete(controller)
        if (mine.size === 0) waitingOf.delete(userId)
      },
    }
  }

  return {
    async sync(requester, input) {
      const { clock } = context
      const since = input.since === undefined ? undefined : parseSyncToken(input.since)
      if (since !== undefined && requester.deviceId !== undefined && since.toDevice > 0) {
        await deps.toDevice.acknowledge(requester.userId, requester.deviceId, since.toDevice)
      }
      const deadline = clock.monotonic() + Math.min(Math.max(0, input.timeoutMs), deps.maxTimeoutMs)
      const subscription = deps.notifier.subscribe([requester.userId])
      const place = enter(requester.userId, input.signal)
      try {
        for (;;) {
          const answer = await deps.gate.run(() => compute(requester, input))
          const left = deadline - clock.monotonic()
          if (answer.hasNews || input.fullState || left <= 0 || place.signal.aborted) return answer.json
          const woken = await subscription.wait(left, place.signal)
          if (!woken) return answer.json
        }
      } finally {
        subscription.close()
        place.leave()
      }
    },
  }
}

function ignoredUsers(json: string | undefined): ReadonlySet<string> {
  const content = json === undefined ? {} : (JSON.parse(json) as Json)
  const users = isObject(content) ? content['ignored_users'] : undefined
  return new Set(isObject(users) ? Object.keys(users) : [])
}

const accountDataEvent = (row: AccountDataRow): JsonObject => ({
  type: row.type,
  content: JSON.parse(row.content) as JsonObject,
})
