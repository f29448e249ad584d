import type { Json, JsonObject } from '../../../core/json/value.js'
import { latestOfTypes, type OwnRoom } from '../../../storage/tables/own-rooms.js'
import { stateDeltas } from '../../../storage/tables/state.js'
import type { Counts } from '../../../storage/tables/unread.js'
import { readState, type RoomsContext } from '../../rooms/context.js'
import { membershipAt } from '../../rooms/member-history.js'
import { mapKey } from '../../rooms/state-store.js'
import type { StoredEvent } from '../../rooms/stored-event.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'
import type { Aggregations } from '../../timeline/aggregations.js'
import type { ClientViews } from '../../timeline/client-view.js'
import { after } from '../../timeline/places.js'
import type { TopologicalToken } from '../../timeline/tokens.js'
import { readerOf } from '../../timeline/visibility.js'
import { compileSyncFilter, type SyncFilter } from '../filter.js'
import { outsideEnd } from '../outside-end.js'
import { roomOfRow, strippedState, wayOut } from '../own-room-state.js'
import { readTimeline, type Timeline } from '../read-timeline.js'
import { UP_TO_DATE, type RoomState } from './connection-state.js'
import type { SlidingFrame, WantedRoom } from './frame.js'
import { lookupOf, requiredStateFrom, type RequiredState, type StateLookup } from './required-state.js'
import { summaryOf } from './room-summary.js'
import { stateAt } from './state-at.js'

/** SPEC: MSC4186: what is an activity by which clients order rooms. */
const BUMPING: readonly string[] = [
  'm.room.create',
  'm.room.message',
  'm.room.encrypted',
  'm.sticker',
  'm.call.invite',
  'm.poll.start',
  'org.matrix.msc3381.poll.start',
  'm.beacon_info',
  'org.matrix.msc3672.beacon_info',
]
/** Latest events of a room among which the last activity is looked for. */
const BUMP_SCAN = 500
const MEMBER = 'm.room.member'
/** Members of a room who are known to be told; others may be told again. */
const MAX_MEMBERS = 100

export interface RoomInput {
  readonly frame: SlidingFrame
  /** The user's membership, as read for this answer. */
  readonly row: OwnRoom
  readonly wanted: WantedRoom
  /** What the client was told of the room; undefined for nothing. */
  readonly told: RoomState | undefined
  /** The required state of then; undefined where it is not known any more. */
  readonly toldState: string | undefined
  readonly isDm: boolean
  /** The user has read something in it, here or on another device, so that the counts are others. */
  readonly countsChanged: boolean
  readonly unread: Counts
  readonly ignored: ReadonlySet<string>
}

export interface RoomResult {
  /** Undefined: there is nothing to tell. */
  readonly json: JsonObject | undefined
  /** What the client then knows, without what extensions tell. */
  readonly told: Pick<RoomState, 'room' | 'membership' | 'timeline' | 'isDm' | 'members'>
  /** Ids of the events that are shown as more than news: for them extensions begin anew. */
  readonly shown: readonly string[]
  readonly isInitial: boolean
}

export interface RoomResults {
  /** The room for one answer; undefined: it is not this answer's to tell, as the membership has changed since its position. */
  build(input: RoomInput): Promise<RoomResult | undefined>
}

export function createRoomResults(deps: {
  readonly context: RoomsContext
  readonly views: ClientViews
  readonly aggregations: Aggregations
}): RoomResults {
  const { context, views, aggregations } = deps
  const filters: SyncFilter[] = []
  const filterOf = (limit: number): SyncFilter =>
    (filters[limit] ??= compileSyncFilter({ room: { timeline: { limit } } }))

  async function invited(input: RoomInput): Promise<RoomResult> {
    const { row, told, frame, isDm } = input
    const since = told === undefined ? 0 : told.room || frame.from
    const result = {
      told: knownOf(input, row.membership, 0, []),
      shown: [],
      isInitial: true,
    }
    if (told?.membership === row.membership && row.pos <= since && told.isDm === isDm)
      return { ...result, json: undefined }
    const state = await strippedState(context, row)
    return {
      ...result,
      json: {
        initial: true,
        membership: row.membership,
        bump_stamp: row.pos,
        // The name of today's clients, and that of the proposal's text.
        invite_state: state,
        stripped_state: state,
        ...(isDm ? { is_dm: true } : {}),
        ...listsOf(input),
      },
    }
  }

  /** A room that the user is in, or was in until `end`. */
  async function inside(
    input: RoomInput,
    room: RoomSnapshot,
    since: number,
    upTo: number,
    end?: TopologicalToken,
  ): Promise<RoomResult> {
    const { row, told, frame, wanted } = input
    const { viewer } = frame
    const isInitial = since === 0
    const isExpanded = !isInitial && wanted.timelineLimit > told!.timeline
    const reader = await readerOf(context, room, viewer.userId, row)
    const from = isExpanded ? 0 : since
    const timeline = await readTimeline(
      {
        room,
        filter: filterOf(wanted.timelineLimit),
        since: from,
        upTo,
        isNewlyJoined: false,
        checkVisibility: end !== undefined || row.pos > from,
        ignored: input.ignored,
      },
      reader,
      context,
    )
    const hasOlder = isExpanded && timeline.events.some((event) => event.pos! <= since)
    const state = await stateOf(input, room, since, upTo, timeline)
    const summary = await summaryOf(
      context,
      room,
      viewer.userId,
      state.changedTypes,
      row.membership === 'join',
    )
    const dmChanged = told !== undefined && told.isDm !== input.isDm
    const hasNews =
      isInitial ||
      hasOlder ||
      timeline.events.some((event) => event.pos! > since) ||
      (timeline.limited && !isExpanded) ||
      state.events.length > 0 ||
      state.stubs.length > 0 ||
      summary.hasNews ||
      dmChanged ||
      input.countsChanged ||
      told?.membership !== row.membership
    const known = knownOf(
      input,
      row.membership,
      isInitial || isExpanded || timeline.limited ? wanted.timelineLimit : told!.timeline,
      state.members,
    )
    const shown = isInitial || hasOlder ? timeline.events.map(({ event }) => event.id) : []
    if (!hasNews) return { json: undefined, told: known, shown, isInitial: false }
    const relations = await aggregations.of(timeline.events, viewer, {
      room,
      reader,
      ignored: input.ignored,
      end,
    })
    const json: Record<string, Json> = {
      ...(isInitial ? { initial: true } : {}),
      membership: row.membership,
      ...listsOf(input),
      ...summary.json,
      ...(await bumpStamp(input, timeline, since, upTo)),
      ...(isInitial ? (input.isDm ? { is_dm: true } : {}) : dmChanged ? { is_dm: input.isDm } : {}),
      required_state: [
        ...(await views.view(state.events, viewer, { omitRoomId: true })),
        ...state.stubs.map(({ type, stateKey }) => ({ type, state_key: stateKey })),
      ],
      timeline: await views.view(timeline.events, viewer, { reader, relations, omitRoomId: true }),
      prev_batch: timeline.prevBatch,
      limited: timeline.limited,
      num_live: frame.from === 0 ? 0 : timeline.events.filter((event) => event.pos! > frame.from).length,
      ...(hasOlder ? { unstable_expanded_timeline: true, expanded_timeline: true } : {}),
      ...(row.membership === 'join'
        ? { notification_count: input.unread.notify, highlight_count: input.unread.highlight }
        : {}),
    }
    return { json, told: known, shown, isInitial }
  }

  const lookups = new WeakMap<RequiredState, Promise<StateLookup>>()

  /** Where to look for a required state, asked for once in an answer; keys that no room has ever had are looked for in none. */
  function lookup(required: RequiredState): Promise<StateLookup> {
    let found = lookups.get(required)
    if (found === undefined) {
      const whole = lookupOf(required)
      found = context.states.nidsOf(whole.keys).then((nids) => ({
        ...whole,
        keys: whole.keys.filter((_, i) => nids[i] !== undefined),
      }))
      lookups.set(required, found)
    }
    return found
  }

  /** SPEC: MSC4186: for those who are not in the room it says when that began. */
  async function bumpStamp(
    { row }: RoomInput,
    timeline: Timeline,
    since: number,
    upTo: number,
  ): Promise<JsonObject> {
    if (row.membership !== 'join') return { bump_stamp: row.pos }
    const last = timeline.events.findLast((event) => BUMPING.includes(event.event.type))?.pos
    if (last !== undefined && last > since) return { bump_stamp: last }
    // Nothing was left out of the timeline, so nothing has bumped the room.
    if (since > 0 && !timeline.limited) return {}
    const found = await context.store.read('sliding.bump', () =>
      latestOfTypes(row.room_nid, BUMPING, upTo, BUMP_SCAN),
    )
    return found === undefined
      ? since > 0
        ? {}
        : { bump_stamp: Math.min(row.pos, upTo) }
      : { bump_stamp: found }
  }

  interface StatePart {
    readonly events: readonly StoredEvent[]
    /** Keys of state that is gone. */
    readonly stubs: readonly { readonly type: string; readonly stateKey: string }[]
    readonly members: readonly string[]
    /** Undefined: all of them. */
    readonly changedTypes: ReadonlySet<string> | undefined
  }

  async function stateOf(
    input: RoomInput,
    room: RoomSnapshot,
    since: number,
    upTo: number,
    timeline: Timeline,
  ): Promise<StatePart> {
    const { wanted, told, toldState } = input
    const { required } = wanted
    const isInitial = since === 0
    const chosen = new Map<string, StoredEvent>()
    const stubs: { type: string; stateKey: string }[] = []
    let changedTypes: Set<string> | undefined
    const put = (event: StoredEvent): void => {
      chosen.set(mapKey({ type: event.event.type, stateKey: event.event.stateKey! }), event)
    }
    // After a gap a client holds no member for known that it had loaded lazily.
    const keptMembers = isInitial || timeline.limited ? [] : told!.members
    if (!isInitial) {
      const known = new Set(told!.members)
      const deltas = await context.store.read('sliding.deltas', () => stateDeltas(room.nid, since, upTo))
      changedTypes = new Set(deltas.map((delta) => delta.type))
      const latest = new Map<string, (typeof deltas)[number]>()
      for (const delta of deltas) latest.set(mapKey({ type: delta.type, stateKey: delta.state_key }), delta)
      const isTold = (type: string, stateKey: string): boolean =>
        required.wants(type, stateKey) ||
        (required.lazyMembers && type === MEMBER && (!timeline.limited || known.has(stateKey)))
      const mine = [...latest.values()].filter((delta) => isTold(delta.type, delta.state_key))
      const events = await context.events.byNids(mine.flatMap((delta) => delta.event_nid ?? []))
      for (const delta of mine) {
        const event = delta.event_nid === null ? undefined : events.get(delta.event_nid)
        if (event === undefined) stubs.push({ type: delta.type, stateKey: delta.state_key })
        else put(event)
      }
    }
    const before: RequiredState | undefined =
      isInitial || toldState === undefined
        ? undefined
        : toldState === required.id
          ? required
          : requiredStateFrom(toldState)
    if (before !== required && room.root !== undefined) {
      const isNew = (type: string, stateKey: string): boolean =>
        required.wants(type, stateKey) && before?.wants(type, stateKey) !== true
      const where = await lookup(required)
      for (const event of await stateAt(context, room.nid, room.root, where, isNew)) put(event)
    }
    const members = new Set(keptMembers)
    if (required.lazyMembers && room.root !== undefined) {
      const shown = new Set<string>()
      for (const { event } of timeline.events) {
        shown.add(event.sender)
        if (event.type === MEMBER && event.stateKey !== undefined) shown.add(event.stateKey)
      }
      const missing = [...shown].filter((userId) => !members.has(userId))
      const keys = missing.map((stateKey) => ({ type: MEMBER, stateKey }))
      for (const event of (await readState(context, room, keys)).values()) put(event)
      for (const userId of missing) members.add(userId)
    }
    return { events: [...chosen.values()], stubs, members: [...members].slice(-MAX_MEMBERS), changedTypes }
  }

  /** Who has left, was put out or banned: what they may see up to then, and how it ended. */
  async function outside(input: RoomInput): Promise<RoomResult> {
    const { row, told, frame } = input
    const since = told === undefined ? 0 : told.room || frame.from
    const { room, own, departure } = await wayOut(context, row, frame.upTo)
    const left = departure?.event
    const ownView = own === undefined ? [] : await views.view([own], frame.viewer, { omitRoomId: true })
    if (room !== undefined && departure !== undefined && left?.stateAfter !== undefined) {
      const wasJoined =
        told?.membership === 'join' && since > 0 && (await membershipAt(context, row, since)) === 'join'
      if (wasJoined || told === undefined) {
        const then = { ...room, root: left.stateAfter }
        const result = await inside(
          input,
          then,
          wasJoined ? since : 0,
          departure.pos,
          left.ord === undefined ? undefined : after(left),
        )
        return { ...result, json: withOwnMembership(result.json ?? {}, ownView) }
      }
    }
    const known = knownOf(input, row.membership, 0, [])
    const result = { told: known, shown: [], isInitial: told === undefined }
    if (told?.membership === row.membership && row.pos <= since) return { ...result, json: undefined }
    const ending = own === undefined ? outsideEnd(row)?.json : undefined
    const events = ending === undefined ? ownView : [ending]
    return {
      ...result,
      json: {
        initial: true,
        membership: row.membership,
        bump_stamp: row.pos,
        required_state: events,
        timeline: events,
        num_live: row.pos > frame.from && frame.from > 0 ? events.length : 0,
        ...listsOf(input),
      },
    }
  }

  return {
    async build(input) {
      const { row, told, frame } = input
      // What changed after the answer's position belongs to the next answer.
      if (row.pos > frame.upTo) return undefined
      if (row.membership === 'invite' || row.membership === 'knock') return invited(input)
      if (row.membership !== 'join') return outside(input)
      const room = await roomOfRow(context, row)
      if (room === undefined) return undefined
      const since = told?.membership === 'join' ? told.room || frame.from : 0
      const wasJoined = since > 0 && (await membershipAt(context, row, since)) === 'join'
      return inside(input, room, wasJoined ? since : 0, frame.upTo)
    },
  }
}

const listsOf = ({ wanted }: RoomInput): JsonObject =>
  wanted.lists.length === 0 ? {} : { lists: wanted.lists }

const knownOf = (
  input: RoomInput,
  membership: string,
  timeline: number,
  members: readonly string[],
): RoomResult['told'] => ({ room: UP_TO_DATE, membership, timeline, isDm: input.isDm, members })

/** The user's own membership belongs to the state of a room that they are out of, whatever was asked for: it says that they are. */
function withOwnMembership(json: JsonObject, own: readonly JsonObject[]): JsonObject {
  const state = (json['required_state'] ?? []) as readonly JsonObject[]
  const [mine] = own
  if (mine === undefined) return json
  const others = state.filter(
    (event) => !(event['type'] === MEMBER && event['state_key'] === mine['state_key']),
  )
  return { ...json, required_state: [...others, mine] }
}
