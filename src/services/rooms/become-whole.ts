import { canonicalMode } from '../../core/event/hash.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { canonicalJson } from '../../core/json/canonical.js'
import type { NodeName } from '../../core/state-trie/node.js'
import { createPace } from '../../platform/pace.js'
import { upsertUnknownMembers } from '../../storage/tables/room-imports.js'
import type { MembershipRow } from '../../storage/tables/memberships.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import { changesOf } from './apply-event.js'
import type { RoomsContext } from './context.js'
import type { LocalEventDeps } from './local-event.js'
import type { TrueLine } from './redo-events.js'
import {
  addPending,
  eventsByNids,
  membershipIn,
  type RoomSnapshot,
  type WorkingRoom,
} from './working-room.js'

/** Rows of one transaction. Between two of them other writers have their turn. */
const BATCH = 500

/** Members of other servers who were written without a change of state for each. */
export interface Brought {
  /** Key nid → event nid. */
  readonly entries: ReadonlyMap<number, number>
  /** Servers with somebody who has joined. */
  readonly servers: ReadonlySet<string>
}

/**
 * Writes the memberships of other servers' users of whom a partial room has nothing, in bounded transactions. Clients are told of them by the room's becoming
 * whole, and of nobody by name: they may be tens of thousands.
 */
export async function bringMembers(
  context: Pick<RoomsContext, 'store' | 'states' | 'events' | 'rosters' | 'serverName'>,
  room: RoomSnapshot,
  trueRoot: NodeName,
): Promise<Brought> {
  const { states, events, store } = context
  const entries = new Map<number, number>()
  const servers = new Set<string>()
  const absent: [number, number][] = []
  for (const [key, [here, there]] of await states.diff(room.nid, room.root, trueRoot))
    if (here === undefined && there !== undefined) absent.push([key, there])
  const pace = createPace()
  for (let i = 0; i < absent.length; i += BATCH) {
    await pace()
    const part = absent.slice(i, i + BATCH)
    const names = await states.keysOf(part.map(([key]) => key))
    const stored = await events.byNids(part.map(([, nid]) => nid))
    const rows: Omit<MembershipRow, 'pos'>[] = []
    for (const [key, nid] of part) {
      const name = names.get(key)
      const event = stored.get(nid)
      const server = name === undefined ? undefined : serverNameOf(name.stateKey)
      const membership = membershipIn(event)
      if (name?.type !== 'm.room.member' || server === undefined || server === context.serverName) continue
      if (event === undefined || membership === undefined) continue
      entries.set(key, nid)
      if (membership === 'join') servers.add(server)
      rows.push({
        room_nid: room.nid,
        user_id: name.stateKey,
        membership,
        event_nid: nid,
        sender: event.event.sender,
        server,
        local: 0,
        forgotten: 0,
        stripped_state: null,
      })
    }
    await store.write('rooms.bringMembers', function* () {
      const pos = yield* allocatePosition()
      yield* upsertUnknownMembers(rows.map((row) => ({ ...row, pos })))
    })
  }
  context.rosters.forget(room.nid)
  return { entries, servers }
}

/**
 * Puts what was computed beside it in the place of the room's provisional state: from here on the room is whole.
 * `carrier`: an event of the room that was redone in an earlier transaction. `newServers`: see `Pending.completes`.
 * Pre: every event of the partial room was redone.
 */
export async function becomeWhole(
  room: WorkingRoom,
  line: TrueLine,
  {
    brought,
    carrier,
    newServers,
  }: { readonly brought: Brought; readonly carrier: number; readonly newServers: readonly string[] },
  deps: LocalEventDeps,
): Promise<void> {
  const { readers } = deps
  const { states } = readers
  const stored = (await eventsByNids(room, [carrier], readers)).get(carrier)
  if (stored === undefined || line.root === undefined)
    throw new Error('a partial room has lost its beginning')
  const told = await withBrought(room, brought, deps)
  const diff = await states.diff(room.base.nid, told.root, line.root, told.nodes)
  const changes = await changesOf(room, diff, deps)
  room.root = line.root
  room.heads = line.heads
  room.partial = false
  addPending(
    room,
    {
      stored,
      json: canonicalJson(stored.event.pdu, canonicalMode(stored.event.rules)),
      live: false,
      isRevised: true,
      stateChanges: changes,
      completes: { newServers },
      destinations: [],
      unread: undefined,
      isNew: false,
      missing: [],
      redaction: undefined,
      clientTxn: undefined,
    },
    readers,
  )
}

/** The provisional state with the members that were brought and of whom it still has nothing: from there on changes are told. */
async function withBrought(
  room: WorkingRoom,
  brought: Brought,
  { readers: { states } }: LocalEventDeps,
): Promise<{ readonly root: NodeName | undefined; readonly nodes: WorkingRoom['nodes'] }> {
  if (room.root === undefined || brought.entries.size === 0) return { root: room.root, nodes: room.nodes }
  const now = await states.all(room.base.nid, room.root, room.nodes)
  const absent = new Map([...brought.entries].filter(([key]) => !now.has(key)))
  const { root, created } = await states.update(room.base.nid, room.root, absent, room.nodes)
  // Nobody needs these nodes once the changes are found.
  return { root, nodes: new Map([...room.nodes, ...created]) }
}
