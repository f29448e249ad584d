import { createHash } from 'node:crypto'
import { canonicalJson } from '../../../../core/json/canonical.js'
import { serverNameOf } from '../../../../core/ids/server-name-of.js'
import type { JsonObject } from '../../../../core/json/value.js'
import { stateKey } from '../../../../core/state/state-key.js'
import type { NodeName } from '../../../../core/state-trie/node.js'
import { all } from '../../../../storage/tx.js'
import { readWholeState } from '../../../rooms/context.js'
import type { StoredEvent } from '../../../rooms/stored-event.js'
import type { SimNode } from './sim-node.js'

/** What one node has on disk of a room. */
export interface View {
  readonly server: string
  readonly roomId: string
  readonly roomNid: number
  /** Event ids of the current state, by `type|state key`. */
  readonly state: ReadonlyMap<string, string>
  /** The same by the names that `core/state` uses. */
  readonly stateByName: ReadonlyMap<string, string>
  readonly heads: readonly string[]
  /** The depth at which it came into the room last, as it has written that down. */
  readonly arrivalDepth: number | null
  /** Every event, outliers included, by id. */
  readonly events: ReadonlyMap<string, StoredEvent>
  /** Servers with somebody in the room, by the current state. */
  readonly servers: ReadonlySet<string>
  /** Memberships as the table has them that lists of rooms and members are made of, by user; and as the state has them. */
  readonly members: ReadonlyMap<string, string>
  readonly membersInState: ReadonlyMap<string, string>
  /** Names a state by its content, alike on all nodes. */
  digest(root: NodeName | undefined): Promise<string>
  /** The same name for a state that is given by the ids of its events. */
  digestOf(ids: Iterable<string>): string
  /** Whether a server has somebody in the room by a state. */
  isIn(server: string, root: NodeName | undefined): Promise<boolean>
}

/** Undefined where the node knows no state of the room. */
export async function viewOf(node: SimNode, roomId: string): Promise<View | undefined> {
  const { context } = node.process!
  const room = await context.loader.load(roomId)
  if (room?.root === undefined) return undefined
  const nids = await node.disk.read('sim.events', () =>
    all<{ nid: number }>('SELECT nid FROM events WHERE room_nid = ?', room.nid),
  )
  const stored = await context.events.byNids(nids.map(({ nid }) => nid))
  const events = new Map([...stored.values()].map((one) => [one.event.id, one]))
  const current = await readWholeState(context, room, room.root)
  const membersInState = new Map<string, string>()
  for (const { event } of current) {
    if (event.type === 'm.room.member')
      membersInState.set(event.stateKey!, event.content['membership'] as string)
  }
  const servers = new Set(
    [...membersInState].filter(([, is]) => is === 'join').map(([userId]) => serverNameOf(userId) ?? ''),
  )
  const rows = await node.disk.read('sim.members', () =>
    all<{ user_id: string; membership: string }>(
      'SELECT user_id, membership FROM memberships WHERE room_nid = ?',
      room.nid,
    ),
  )
  const [row] = await node.disk.read('sim.arrival', () =>
    all<{ arrival_depth: number | null }>('SELECT arrival_depth FROM rooms WHERE nid = ?', room.nid),
  )
  const digests = new Map<NodeName, string>()
  const isJoin = ({ event }: StoredEvent): boolean =>
    event.type === 'm.room.member' && event.content['membership'] === 'join'
  return {
    server: node.name,
    roomId,
    roomNid: room.nid,
    arrivalDepth: row?.arrival_depth ?? null,
    stateByName: new Map(current.map(({ event }) => [stateKey(event.type, event.stateKey!), event.id])),
    state: new Map(current.map(({ event }) => [`${event.type}|${event.stateKey}`, event.id])),
    heads: room.heads.map((head) => head.id).toSorted(),
    events,
    servers,
    members: new Map(rows.map((row) => [row.user_id, row.membership])),
    membersInState,
    digestOf,
    async digest(root) {
      if (root === undefined) return 'none'
      let name = digests.get(root)
      if (name === undefined) {
        const entries = [...(await context.states.all(room.nid, root)).values()]
        name = digestOf(entries.map((nid) => stored.get(nid)?.event.id ?? `nid ${nid}`))
        digests.set(root, name)
      }
      return name
    },
    async isIn(server, root) {
      if (root === undefined) return false
      const whole = await readWholeState(context, room, root)
      return whole.some((one) => isJoin(one) && serverNameOf(one.event.stateKey!) === server)
    },
  }
}

export const contentOf = ({ event }: StoredEvent): string => canonicalJson(event.pdu as JsonObject, 'lenient')

function digestOf(ids: Iterable<string>): string {
  return createHash('sha256')
    .update([...ids].toSorted().join(' '))
    .digest('hex')
}

export const short = (id: string): string => id.slice(0, 9)

export function describeEvent(stored: StoredEvent | undefined): string {
  if (stored === undefined) return 'nothing'
  const { event } = stored
  const fate =
    stored.rejected ?? (stored.softFailed ? 'soft-failed' : stored.outlier ? 'outlier' : 'accepted')
  return `${short(event.id)} (${event.type}|${event.stateKey ?? ''} of ${event.sender} at depth ${event.depth}, ${fate})`
}
