import { setImmediate as nextTurn } from 'node:timers/promises'
import { createPace } from '../../../platform/pace.js'
import { canonicalMode } from '../../../core/event/hash.js'
import type { RoomEvent } from '../../../core/event/types.js'
import { canonicalJson } from '../../../core/json/canonical.js'
import { serverNameOf } from '../../../core/ids/server-name-of.js'
import type { NodeName } from '../../../core/state-trie/node.js'
import { nidsOfEvents } from '../../../storage/tables/event-graph.js'
import { insertEvents, type EventRow } from '../../../storage/tables/events.js'
import { upsertMemberships } from '../../../storage/tables/memberships.js'
import { allocatePosition } from '../../../storage/tables/positions.js'
import { leaveRemoteMembersBefore } from '../../../storage/tables/room-imports.js'
import { insertStateKeys, insertStateNodes } from '../../../storage/tables/state.js'
import type { Tx } from '../../../storage/tx.js'
import type { Nids } from '../../rooms/nids.js'
import type { StateKey } from '../../rooms/state-store.js'
import { toRow, type StoredEvent } from '../../rooms/stored-event.js'
import type { RoomsContext } from '../../rooms/context.js'
import type { CheckedState } from './check-state.js'

/** Rows of one transaction. Between two of them other writers have their turn. */
const BATCH = 500
/** Events of one transaction: the rows are large. */
const EVENTS = 200
const ATTEMPTS = 3

type Context = Pick<RoomsContext, 'store' | 'states'> & { readonly local: { readonly nids: Nids } }

/**
 * Writes the events of a checked state as outliers, in bounded transactions. Nobody sees them yet.
 * Gives the nid of each event, those known before included.
 */
export async function storeOutliers(
  context: Context,
  roomNid: number,
  { events, rejected, create }: Pick<CheckedState, 'events' | 'rejected' | 'create'>,
): Promise<Map<string, number>> {
  const nids = await knownNids(context, events)
  const implied = create.rules.roomIds === 'create-hash' ? create.id : undefined
  for (let start = 0; start < events.length; start += EVENTS) {
    const batch = events.slice(start, start + EVENTS)
    const texts = batch.map((event) => canonicalJson(event.pdu, canonicalMode(event.rules)))
    const written = await retried(async () => {
      const first = await context.local.nids.take('event', batch.length)
      return context.store.write('rooms.importEvents', function* () {
        const before = yield* nidsOfEvents(batch.map((event) => event.id))
        const here = new Map(before.map((row) => [row.event_id, row.nid]))
        const own = new Map(batch.map((event, i) => [event.id, here.get(event.id) ?? first + i]))
        const rows: EventRow[] = []
        for (const [i, event] of batch.entries()) {
          if (here.has(event.id)) continue
          const auth = new Set(event.authEvents)
          if (implied !== undefined && event.id !== implied) auth.add(implied)
          const authNids = [...auth].flatMap((id) => own.get(id) ?? nids.get(id) ?? [])
          rows.push(
            toRow(outlier(own.get(event.id)!, roomNid, event, rejected.get(event.id), authNids), texts[i]!),
          )
        }
        yield* insertEvents(rows)
        return own
      })
    })
    for (const [id, nid] of written) nids.set(id, nid)
    await nextTurn()
  }
  return nids
}

/** Nids of the auth events that are not among the events themselves: those get theirs when they are written, before what names them. */
async function knownNids(context: Context, events: readonly RoomEvent[]): Promise<Map<string, number>> {
  const pace = createPace()
  const own = new Set<string>()
  for (const [i, event] of events.entries()) {
    own.add(event.id)
    if (i % BATCH === 0) await pace()
  }
  const others = new Set<string>()
  for (const [i, event] of events.entries()) {
    for (const id of event.authEvents) if (!own.has(id)) others.add(id)
    if (i % BATCH === 0) await pace()
  }
  const ids = [...others]
  const nids = new Map<string, number>()
  for (let i = 0; i < ids.length; i += BATCH) {
    const rows = await context.store.read('rooms.importKnown', () => nidsOfEvents(ids.slice(i, i + BATCH)))
    for (const row of rows) nids.set(row.event_id, row.nid)
    await pace()
  }
  return nids
}

/** Another process may be importing the same events: a conflict of keys is gone on the next look. */
async function retried<T>(task: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await task()
    } catch (error) {
      if (attempt >= ATTEMPTS) throw error
    }
  }
}

const outlier = (
  nid: number,
  roomNid: number,
  event: RoomEvent,
  rejected: string | undefined,
  authNids: readonly number[],
): StoredEvent => ({
  nid,
  roomNid,
  event,
  pos: undefined,
  ord: undefined,
  outlier: true,
  rejected,
  softFailed: false,
  stateBefore: undefined,
  stateAfter: undefined,
  authNids,
  replaces: undefined,
  redactedBy: undefined,
  txn: undefined,
})

/** Writes a state that is given whole as a trie, in bounded transactions; gives its root. Pre: the events have nids. */
export async function storeState(
  context: Context,
  roomNid: number,
  state: readonly RoomEvent[],
  nids: ReadonlyMap<string, number>,
): Promise<NodeName> {
  const entries = new Map<number, number>()
  for (let i = 0; i < state.length; i += BATCH) {
    const batch = state.slice(i, i + BATCH)
    const keys = batch.map((event): StateKey => ({ type: event.type, stateKey: event.stateKey! }))
    const keyNids = await storeKeys(context, keys)
    for (const [at, event] of batch.entries()) entries.set(keyNids[at]!, nids.get(event.id)!)
    await nextTurn()
  }
  const { root, created } = await context.states.update(roomNid, undefined, entries)
  const nodes = [...created.values()]
  for (let i = 0; i < nodes.length; i += BATCH) {
    const batch = nodes.slice(i, i + BATCH)
    await context.store.write('rooms.importState', () =>
      insertStateNodes(
        roomNid,
        batch.map(({ name, bytes }) => ({ hash: name, data: bytes })),
      ),
    )
    await nextTurn()
  }
  context.states.remember(nodes)
  return root
}

/** Nids of state keys, all of them on disk. */
async function storeKeys(context: Context, keys: readonly StateKey[]): Promise<number[]> {
  const { states } = context
  for (let attempt = 1; ; attempt++) {
    const interned = await states.internMany(keys)
    const rows = interned.flatMap(({ nid, fresh }, i) =>
      fresh ? [{ nid, type: keys[i]!.type, state_key: keys[i]!.stateKey }] : [],
    )
    if (rows.length === 0) return interned.map(({ nid }) => nid)
    if (await context.store.write('rooms.importKeys', () => insertStateKeys(rows))) {
      states.stored(rows)
      return interned.map(({ nid }) => nid)
    }
    // Another process has named one of the keys at the same time.
    states.disown(rows)
    if (attempt >= ATTEMPTS) throw new Error('state keys cannot be stored')
  }
}

/**
 * Writes the memberships of other servers' users as this state has them; those it does not name are in the room no
 * more. Local users are left alone: their clients must see a change together with the room.
 */
export async function storeRemoteMembers(
  context: Context,
  roomNid: number,
  state: readonly RoomEvent[],
  nids: ReadonlyMap<string, number>,
  ourName: string,
): Promise<void> {
  const members = state.flatMap((event) => {
    const server = event.stateKey === undefined ? undefined : serverNameOf(event.stateKey)
    const membership = event.content['membership']
    if (event.type !== 'm.room.member' || server === undefined || server === ourName) return []
    return typeof membership === 'string' ? [{ event, server, membership }] : []
  })
  let firstPos: number | undefined
  for (let i = 0; i < members.length; i += BATCH) {
    const batch = members.slice(i, i + BATCH)
    const pos = await context.store.write('rooms.importMembers', function* (): Tx<number> {
      const last = yield* allocatePosition()
      yield* upsertMemberships(
        batch.map(({ event, server, membership }) => ({
          room_nid: roomNid,
          user_id: event.stateKey!,
          membership,
          event_nid: nids.get(event.id)!,
          sender: event.sender,
          pos: last,
          server,
          local: 0,
          forgotten: 0,
          stripped_state: null,
        })),
      )
      return last
    })
    firstPos ??= pos
    await nextTurn()
  }
  const from = firstPos ?? Number.MAX_SAFE_INTEGER
  await context.store.write('rooms.importDeparted', () => leaveRemoteMembersBefore(roomNid, from))
}
