import type { Json, JsonObject } from '../../core/json/value.js'
import { liveEvents } from '../../storage/tables/events.js'
import { stateDeltas } from '../../storage/tables/state.js'
import type { RoomsContext } from '../rooms/context.js'
import { readState, readStateEvent, readWholeState } from '../rooms/context.js'
import { mapKey } from '../rooms/state-store.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { RoomSnapshot } from '../rooms/working-room.js'
import type { ClientViews, Viewer } from '../timeline/client-view.js'
import { syncToken, topologicalToken } from '../timeline/tokens.js'
import { readerOf, type Reader } from '../timeline/visibility.js'
import type { SyncFilter } from './filter.js'
import { memberSummary } from './room-changes.js'

const DEFAULT_LIMIT = 10
const MAX_LIMIT = 500

export interface BlockInput {
  readonly room: RoomSnapshot
  readonly viewer: Viewer
  readonly filter: SyncFilter
  /** Everything after this position is new to the client; 0 for a room that is new to it. */
  readonly since: number
  readonly upTo: number
  readonly fullState: boolean
  /** Which of two meanings the `state` has: that at the timeline's start, or (`state_after`) that at its end. */
  readonly stateAfter: 'no' | 'state_after' | 'org.matrix.msc4222.state_after'
  readonly ignored: ReadonlySet<string>
}

export interface Block {
  readonly json: Record<string, Json>
  /** Whether there is a timeline or state to show. */
  readonly hasNews: boolean
  readonly membersChanged: boolean
}

interface Timeline {
  /** Oldest first. */
  readonly events: readonly StoredEvent[]
  readonly limited: boolean
}

export interface BlockDeps {
  readonly context: RoomsContext
  readonly views: ClientViews
}

/** The latest events of (since, upTo] that the filter and the history visibility let through. */
async function readTimeline(input: BlockInput, reader: Reader, context: RoomsContext): Promise<Timeline> {
  const { filter, room, since, upTo } = input
  if (filter.timeline.nothing || !filter.timeline.admitsRoom(room.roomId)) {
    return { events: [], limited: false }
  }
  const limit = Math.min(filter.timeline.limit ?? DEFAULT_LIMIT, MAX_LIMIT)
  const found: StoredEvent[] = []
  let before = upTo
  for (;;) {
    const rows = await context.store.read('sync.timeline', () =>
      liveEvents(room.nid, since, before, limit + 1),
    )
    for (const event of await context.events.revive(rows)) {
      before = event.pos! - 1
      const { event: pdu } = event
      if (!filter.timeline.admits(pdu)) continue
      if (pdu.stateKey === undefined && input.ignored.has(pdu.sender)) continue
      if (since === 0 && !(await reader.mayRead(event))) continue
      if (found.length === limit) return { events: found.toReversed(), limited: true }
      found.push(event)
    }
    if (rows.length <= limit) return { events: found.toReversed(), limited: false }
  }
}

/** Which state events go with a timeline. */
async function readStateBlock(
  input: BlockInput,
  timeline: Timeline,
  context: RoomsContext,
): Promise<{ readonly events: StoredEvent[]; readonly membersChanged: boolean }> {
  const { room, since, upTo } = input
  const first = timeline.events[0]
  const atEnd = input.stateAfter !== 'no'
  if (since === 0 || input.fullState) {
    const root = atEnd || first === undefined ? room.root : (first.stateBefore ?? undefined)
    const events = root === undefined ? [] : await readWholeState(context, room, root)
    return { events, membersChanged: true }
  }
  const deltas = await context.store.read('sync.deltas', () => stateDeltas(room.nid, since, upTo))
  const inTimeline = new Set(timeline.events.map((item) => item.nid))
  const start = first?.pos ?? upTo + 1
  const inTimelineKeys = new Set(
    timeline.events.flatMap(({ event: { type, stateKey } }) =>
      stateKey === undefined ? [] : mapKey({ type, stateKey }),
    ),
  )
  const latest = new Map<string, number>()
  for (const delta of deltas) {
    if (delta.event_nid === null) continue
    const key = mapKey({ type: delta.type, stateKey: delta.state_key })
    // State at the start of the timeline: what came before it, and what no event of the timeline brings.
    const brought = inTimeline.has(delta.event_nid) || (delta.pos >= start && inTimelineKeys.has(key))
    if (atEnd || !brought) latest.set(key, delta.event_nid)
  }
  const events = await context.events.byNids([...latest.values()])
  return {
    events: [...events.values()],
    membersChanged: deltas.some((delta) => delta.type === 'm.room.member'),
  }
}

/** With lazily loaded members: those who speak, the user, and those who changed. */
async function lazyMembers(
  input: BlockInput,
  timeline: Timeline,
  state: readonly StoredEvent[],
  context: RoomsContext,
): Promise<StoredEvent[]> {
  const { room, viewer, since } = input
  const wanted = new Set(timeline.events.map((item) => item.event.sender))
  if (since === 0 || input.fullState) wanted.add(viewer.userId)
  const others = state.filter((item) => item.event.type !== 'm.room.member')
  const present = new Map(
    state.filter((item) => item.event.type === 'm.room.member').map((item) => [item.event.stateKey!, item]),
  )
  // In the timeline a client finds the membership of those who join there.
  for (const item of timeline.events) {
    if (item.event.type === 'm.room.member' && input.stateAfter === 'no') wanted.delete(item.event.stateKey!)
  }
  const missing = [...wanted].filter((userId) => !present.has(userId))
  const root = input.stateAfter === 'no' ? (timeline.events[0]?.stateBefore ?? room.root) : room.root
  const keys = missing.map((stateKey) => ({ type: 'm.room.member', stateKey }))
  const found =
    root === undefined || keys.length === 0
      ? new Map<string, StoredEvent>()
      : await readState(context, room, keys, root)
  const kept = [...present.values()].filter((item) => wanted.has(item.event.stateKey!) || since > 0)
  return [...others, ...kept, ...found.values()]
}

/** The part of `/sync` about one room that the user is in or has left. Receipts, typing and counts are added by others. */
export async function roomBlock(input: BlockInput, deps: BlockDeps): Promise<Block> {
  const { context, views } = deps
  const { room, viewer, filter } = input
  const reader = await readerOf(context, room, viewer.userId)
  const timeline = await readTimeline(input, reader, context)
  const stateBlock = await readStateBlock(input, timeline, context)
  let state = stateBlock.events
  if (filter.state.lazyLoadMembers) state = await lazyMembers(input, timeline, state, context)
  state = state.filter((item) => filter.state.admits(item.event))
  const first = timeline.events[0]
  const prevBatch =
    first === undefined
      ? syncToken({ pos: input.upTo, ephemeral: 0, toDevice: 0 })
      : topologicalToken({ depth: first.event.depth, ord: first.ord! })
  const name = input.stateAfter === 'no' ? 'state' : input.stateAfter
  const json: Record<string, Json> = {
    timeline: {
      events: await views.view(timeline.events, viewer, { omitRoomId: true, reader }),
      limited: timeline.limited,
      prev_batch: prevBatch,
    },
    [name]: { events: await views.view(state, viewer, { omitRoomId: true }) },
  }
  return {
    json,
    hasNews: timeline.events.length > 0 || state.length > 0,
    membersChanged: stateBlock.membersChanged,
  }
}

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3sync (RoomSummary) */
export async function roomSummary(
  room: RoomSnapshot,
  userId: string,
  context: RoomsContext,
): Promise<JsonObject> {
  const { joined, invited, heroes } = await context.store.read('sync.summary', () =>
    memberSummary(room.nid, userId),
  )
  const [name, alias] = await Promise.all([
    readStateEvent(context, room, 'm.room.name', ''),
    readStateEvent(context, room, 'm.room.canonical_alias', ''),
  ])
  const isNamed =
    typeof name?.event.content['name'] === 'string' || typeof alias?.event.content['alias'] === 'string'
  return {
    'm.joined_member_count': joined,
    'm.invited_member_count': invited,
    ...(isNamed ? {} : { 'm.heroes': heroes }),
  }
}
