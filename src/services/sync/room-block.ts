import type { Json, JsonObject } from '../../core/json/value.js'
import type { MembershipRow } from '../../storage/tables/memberships.js'
import type { RoomsContext } from '../rooms/context.js'
import { readState, readStateEvent, readWholeState } from '../rooms/context.js'
import { mapKey } from '../rooms/state-store.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { RoomSnapshot } from '../rooms/working-room.js'
import type { Aggregations } from '../timeline/aggregations.js'
import type { ClientViews, ViewOptions, Viewer } from '../timeline/client-view.js'
import type { TopologicalToken } from '../timeline/tokens.js'
import { readerOf } from '../timeline/visibility.js'
import { readTimeline, type Timeline, type TimelineInput } from './read-timeline.js'
import type { RoomNews } from './room-news.js'
import { heroesOf, memberCounts } from '../../storage/tables/own-rooms.js'

/** Changes of these are told in the summary. */
export const SUMMARISED: ReadonlySet<string> = new Set([
  'm.room.member',
  'm.room.name',
  'm.room.canonical_alias',
])

export interface BlockInput extends TimelineInput {
  readonly viewer: Viewer
  /** The viewer's row in this room. */
  readonly membership: MembershipRow
  readonly withSummary: boolean
  readonly fullState: boolean
  /** Which of two meanings the `state` has: that at the timeline's start, or (`state_after`) that at its end. */
  readonly stateAfter: 'no' | 'state_after' | 'org.matrix.msc4222.state_after'
  /** For who has left: the place right after that. */
  readonly end: TopologicalToken | undefined
  /** Of (since, upTo], with `timelinePageSize` events. Undefined where `since` is 0. */
  readonly news: RoomNews | undefined
}

export interface Block {
  readonly json: Record<string, Json>
  /** Whether there is a timeline or state to show. */
  readonly hasNews: boolean
  /** Nids of the events of the timeline. */
  readonly shown: ReadonlySet<number>
}

export interface BlockDeps {
  readonly context: RoomsContext
  readonly views: ClientViews
  readonly aggregations: Aggregations
}

interface StateBlock {
  readonly events: StoredEvent[]
  /** Members, name or alias may have changed. */
  readonly summaryChanged: boolean
}

/** Which state events go with a timeline. */
async function readStateBlock(
  input: BlockInput,
  timeline: Timeline,
  context: RoomsContext,
): Promise<StateBlock> {
  const { news } = input
  if (news === undefined || input.fullState) {
    return { events: await wholeState(input, timeline, context), summaryChanged: true }
  }
  const { upTo } = input
  const { deltas } = news
  const atEnd = input.stateAfter !== 'no'
  const inTimeline = new Set(timeline.events.map((item) => item.nid))
  const start = timeline.events[0]?.pos ?? upTo + 1
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
    summaryChanged: deltas.some((delta) => SUMMARISED.has(delta.type)),
  }
}

/** The state at the timeline's end, or that at its start with what changes later and is not in the timeline itself. */
async function wholeState(
  input: BlockInput,
  timeline: Timeline,
  context: RoomsContext,
): Promise<StoredEvent[]> {
  const { room } = input
  if (room.root === undefined) return []
  const start = timeline.events[0]?.stateBefore
  if (input.stateAfter !== 'no' || timeline.events.length === 0)
    return readWholeState(context, room, room.root)
  const state = start === undefined ? new Map<number, number>() : await context.states.all(room.nid, start)
  const inTimeline = new Set(timeline.events.map((item) => item.nid))
  for (const [key, [, now]] of await context.states.diff(room.nid, start, room.root)) {
    if (now !== undefined && !inTimeline.has(now)) state.set(key, now)
  }
  return [...(await context.events.byNids([...state.values()])).values()]
}

/** With lazily loaded members: those who speak, the user, those who name the room, and those who changed. */
async function lazyMembers(
  input: BlockInput,
  timeline: Timeline,
  state: readonly StoredEvent[],
  heroes: readonly string[],
  context: RoomsContext,
): Promise<StoredEvent[]> {
  const { room, viewer } = input
  const isWhole = input.since === 0 || input.fullState
  const wanted = new Set(heroes)
  if (isWhole) wanted.add(viewer.userId)
  const introduced = new Set<string>()
  for (const { event } of timeline.events) {
    // Whose membership begins in the timeline before they speak needs no other introduction.
    if (input.stateAfter !== 'no' || !introduced.has(event.sender)) wanted.add(event.sender)
    if (event.type === 'm.room.member' && event.stateKey !== undefined) introduced.add(event.stateKey)
  }
  const isMember = (item: StoredEvent): boolean => item.event.type === 'm.room.member'
  const present = new Map(state.filter(isMember).map((item) => [item.event.stateKey!, item]))
  const missing = isWhole ? [] : [...wanted].filter((userId) => !present.has(userId))
  const root = input.stateAfter === 'no' ? (timeline.events[0]?.stateBefore ?? room.root) : room.root
  const keys = missing.map((stateKey) => ({ type: 'm.room.member', stateKey }))
  const found =
    root === undefined || keys.length === 0
      ? new Map<string, StoredEvent>()
      : await readState(context, room, keys, root)
  const kept = [...present.values()].filter((item) => !isWhole || wanted.has(item.event.stateKey!))
  return [...state.filter((item) => !isMember(item)), ...kept, ...found.values()]
}

/** The part of `/sync` about one room that the user is in or has left. Receipts, typing and counts are added by others. */
export async function roomBlock(input: BlockInput, deps: BlockDeps): Promise<Block> {
  const { context, views } = deps
  const { room, viewer, filter } = input
  const reader = await readerOf(context, room, viewer.userId, input.membership)
  const timeline = await readTimeline(input, reader, context, input.news?.latest)
  const stateBlock = await readStateBlock(input, timeline, context)
  const summary =
    input.withSummary && stateBlock.summaryChanged
      ? await roomSummary(room, viewer.userId, context)
      : undefined
  let state = stateBlock.events
  if (filter.state.lazyLoadMembers)
    state = await lazyMembers(input, timeline, state, summary?.heroes ?? [], context)
  state = state.filter((item) => filter.state.admits(item.event))
  // A client that was sent all that there is sums up itself.
  const relations = timeline.limited
    ? await deps.aggregations.of(timeline.events, viewer, {
        room,
        reader,
        ignored: input.ignored,
        end: input.end,
      })
    : new Map<number, JsonObject>()
  const shown = async (events: readonly StoredEvent[], options: ViewOptions): Promise<JsonObject[]> => {
    const list = await views.view(events, viewer, { ...options, omitRoomId: true, format: filter.format })
    return filter.shape === undefined ? list : list.map(filter.shape)
  }
  const json: Record<string, Json> = {
    timeline: {
      events: await shown(timeline.events, { reader, relations }),
      limited: timeline.limited,
      prev_batch: timeline.prevBatch,
    },
    [input.stateAfter === 'no' ? 'state' : input.stateAfter]: { events: await shown(state, {}) },
    ...(input.withSummary ? { summary: summary?.json ?? {} } : {}),
  }
  return {
    json,
    hasNews: timeline.events.length > 0 || timeline.limited || state.length > 0,
    shown: new Set(timeline.events.map((item) => item.nid)),
  }
}

const nonEmpty = (value: Json | undefined): boolean => typeof value === 'string' && value !== ''

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3sync (RoomSummary) */
async function roomSummary(
  room: RoomSnapshot,
  userId: string,
  context: RoomsContext,
): Promise<{ readonly json: JsonObject; readonly heroes: readonly string[] }> {
  const [name, alias] = await Promise.all([
    readStateEvent(context, room, 'm.room.name', ''),
    readStateEvent(context, room, 'm.room.canonical_alias', ''),
  ])
  const isNamed = nonEmpty(name?.event.content['name']) || nonEmpty(alias?.event.content['alias'])
  const { joined, invited, heroes } = await context.store.read('sync.summary', function* () {
    return {
      ...(yield* memberCounts(room.nid)),
      heroes: isNamed ? [] : yield* heroesOf(room.nid, userId),
    }
  })
  return {
    json: {
      'm.joined_member_count': joined,
      'm.invited_member_count': invited,
      ...(isNamed ? {} : { 'm.heroes': heroes }),
    },
    heroes,
  }
}
