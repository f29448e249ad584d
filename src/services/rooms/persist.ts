import {
  foundEvents,
  insertEvents,
  insertMissingEvents,
  insertRedactions,
  markRedacted,
} from '../../storage/tables/events.js'
import { saveTransactions } from '../../storage/tables/client-transactions.js'
import { upsertMemberships, type MembershipRow } from '../../storage/tables/memberships.js'
import { enqueuePdus } from '../../storage/tables/outbox.js'
import { allocatePosition, readPosition } from '../../storage/tables/positions.js'
import { deleteRelationsOf, insertRelations } from '../../storage/tables/relations.js'
import { deleteSearchDocs, queueForSearch } from '../../storage/tables/search.js'
import {
  addPartialServers,
  beginPartialRoom,
  endPartialRoom,
  insertPartialEvents,
} from '../../storage/tables/partial-rooms.js'
import { advanceRoom, insertRoom } from '../../storage/tables/rooms.js'
import {
  insertStateDeltas,
  insertStateKeys,
  insertStateNodes,
  type StateDeltaRow,
} from '../../storage/tables/state.js'
import type { Tx } from '../../storage/tx.js'
import { isEventId } from '../../core/ids/event-id.js'
import { searchText } from '../../core/search/search-text.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { relationRow } from './relation-row.js'
import { sticksFromHistory, writeSticky } from './sticky-rows.js'
import { toRow, type StoredEvent } from './stored-event.js'
import { writeUnread } from './unread-effects.js'
import { forgetRedacted } from './unread-redactions.js'
import { membershipIn, type Pending, type WorkingRoom } from './working-room.js'

/** Thrown inside the transaction when another writer was faster: the verdicts must be found anew. */
export class StaleRoom extends Error {
  constructor(roomId: string) {
    super(`${roomId} changed meanwhile`)
    this.name = 'StaleRoom'
  }
}

export interface Persisted {
  /** Positions of the live events, in the order of `room.pending`; undefined for the others. */
  readonly positions: readonly (number | undefined)[]
  readonly lastPos: number
  /** Servers that came into the room. */
  readonly newcomers: readonly string[]
}

/**
 * Writes a batch of events with everything that follows from them, as one transaction's body.
 * Pre: nodes, keys and events of `room` are computed from `room.base`.
 * Post: all or nothing; throws `StaleRoom` when `room.base.rev` is no longer the room's.
 */
export function* persistRoom(room: WorkingRoom, now: number, serverName: string): Tx<Persisted> {
  const { base, pending } = room
  if (base.rev === 0) {
    const made = yield* insertRoom({
      nid: base.nid,
      room_id: base.roomId,
      version: base.rules.id,
      rev: 0,
      state_root: null,
      heads: '[]',
      last_pos: 0,
      published: 0,
    })
    if (!made) throw new StaleRoom(base.roomId)
  }
  if (!(yield* insertStateKeys([...room.newKeys.values()]))) throw new StaleRoom(base.roomId)
  yield* insertStateNodes(
    base.nid,
    [...room.nodes.values()].map(({ name, bytes }) => ({ hash: name, data: bytes })),
  )
  yield* enqueuePdus(pending.flatMap((item) => item.destinations.map((to) => [to, item.stored.nid] as const)))
  yield* forgetRedacted(base.nid, pending)
  yield* writeUnread(base.nid, pending, serverName, base.rev + 1)
  const redactions = pending.filter(
    ({ stored: { event, rejected } }) =>
      event.redacts !== undefined && isEventId(event.redacts) && rejected === undefined,
  )
  yield* insertRedactions(
    redactions.map((item) => ({ target: item.stored.event.redacts!, redaction: item.stored.nid })),
  )
  yield* insertMissingEvents(
    pending.flatMap((item) =>
      item.missing.map((eventId) => ({
        roomNid: base.nid,
        eventId,
        referrer: item.stored.nid,
        depth: item.stored.event.depth,
      })),
    ),
  )
  const placed = pending
    .filter((item) => !item.isNew && !item.stored.outlier)
    .map((item) => item.stored.event.id)
  if (placed.length > 0 && base.rev > 0) yield* foundEvents(base.nid, placed)
  yield* saveTransactions(
    pending.flatMap(({ clientTxn, stored }) =>
      clientTxn === undefined ? [] : [{ key: clientTxn.key, ts: now, eventNid: stored.nid }],
    ),
  )

  // Positions last: their row stays locked until the commit. A change of state that no live event brings takes one too.
  const takes = (item: Pending): boolean =>
    item.live || item.stateChanges.length > 0 || item.completes !== undefined || sticksFromHistory(item, now)
  const wanting = pending.filter(takes)
  const last = wanting.length === 0 ? yield* readPosition() : yield* allocatePosition(wanting.length)
  let next = last - wanting.length + 1
  const taken: (number | undefined)[] = []
  const positions: (number | undefined)[] = []
  const deltas: StateDeltaRow[] = []
  const members = new Map<string, MembershipRow>()
  let lastPos = base.lastPos
  let wholePos: number | undefined
  for (const item of pending) {
    const pos = takes(item) ? next++ : undefined
    taken.push(pos)
    positions.push(item.live ? pos : undefined)
    if (pos !== undefined) lastPos = pos
    if (item.completes !== undefined) wholePos = pos
    if (item.live) item.stored = { ...item.stored, pos, ord: pos }
    for (const change of item.stateChanges) {
      deltas.push({
        pos: pos!,
        room_nid: base.nid,
        type: change.type,
        state_key: change.stateKey,
        event_nid: change.after?.nid ?? null,
        prev_nid: change.before?.nid ?? null,
      })
      if (change.type !== 'm.room.member') continue
      const server = serverNameOf(change.stateKey) ?? ''
      members.set(change.stateKey, {
        room_nid: base.nid,
        user_id: change.stateKey,
        membership: membershipIn(change.after) ?? 'leave',
        event_nid: change.after?.nid ?? null,
        sender: change.after?.event.sender ?? change.stateKey,
        pos: pos!,
        server,
        local: server === serverName ? 1 : 0,
        forgotten: 0,
        stripped_state: null,
      })
    }
  }
  yield* insertEvents(pending.map((item) => toRow(item.stored, item.json)))
  const newcomers = yield* writeSticky(room, taken, now, serverName)
  yield* insertRelations(
    pending.flatMap((item) => (item.isRevised === true ? [] : (relationRow(item.stored) ?? []))),
  )
  yield* queueForSearch(
    pending.flatMap(({ stored }) =>
      isFound(stored) && searchText(stored.event) !== undefined ? [stored.nid] : [],
    ),
  )
  for (const { stored, redaction } of pending) {
    if (redaction !== undefined) yield* markRedacted(redaction.target.nid, stored.nid, redaction.json)
  }
  const emptied = pending.flatMap((item) => [
    ...(item.redaction === undefined ? [] : [item.redaction.target.nid]),
    ...(item.isHidden === true ? [item.stored.nid] : []),
  ])
  yield* deleteRelationsOf(emptied)
  yield* deleteSearchDocs(emptied)
  yield* insertStateDeltas(deltas)
  yield* upsertMemberships([...members.values()])
  // A room that is made here begins here.
  const arrival = base.rev === 0 ? pending[0] : pending.findLast((item) => item.isArrival)
  const advanced = yield* advanceRoom(
    {
      nid: base.nid,
      version: base.rules.id,
      state_root: room.root ?? null,
      heads: JSON.stringify(room.heads.map((head) => head.nid)),
      last_pos: lastPos,
    },
    base.rev,
    arrival?.stored.event.depth,
  )
  if (!advanced) throw new StaleRoom(base.roomId)
  yield* writePartial(room, wholePos, lastPos)
  return { positions, lastPos, newcomers }
}

/** What is noted of a room whose members are not all known. */
function* writePartial(room: WorkingRoom, wholePos: number | undefined, lastPos: number): Tx<void> {
  const { base, pending, partialJoin } = room
  if (partialJoin !== undefined) {
    if (!partialJoin.begins) yield* addPartialServers(base.nid, partialJoin.servers)
    else yield* beginPartialRoom(base.nid, partialJoin)
  }
  yield* insertPartialEvents(
    base.nid,
    pending.flatMap(({ stored: { nid }, provisional }) =>
      provisional === undefined ? [] : [{ nid, ...provisional }],
    ),
  )
  if (wholePos !== undefined) yield* endPartialRoom(base.nid, wholePos)
  // Who left it when it was partial came back, and was told everything.
  else if (base.partial && !room.partial) yield* endPartialRoom(base.nid, lastPos)
}

/** Whether clients see the event in the timeline, so that a search finds it. */
const isFound = (stored: StoredEvent): boolean =>
  stored.ord !== undefined && stored.rejected === undefined && !stored.softFailed
