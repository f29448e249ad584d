import { buildEvent } from '../../../core/event/build.js'
import type { RoomEvent } from '../../../core/event/types.js'
import type { JsonObject } from '../../../core/json/value.js'
import { systemClock } from '../../../platform/clock.js'
import { until } from '../../../platform/testing-until.js'
import { joinedServers, joinedEventNids } from '../../../storage/tables/memberships.js'
import { all } from '../../../storage/tx.js'
import { addNode, type Network, type NodeOptions, type TestNode } from './network.js'

/** For tests: joins that leave the members out, with the state of the room under the test's thumb. */
export interface HeldStates {
  /** From now on the state of rooms is given. */
  release(): void
}

/** Nobody gives the state of a room until it is released. */
export function holdStates(network: Network): HeldStates {
  const fault = network.fault
  let held = true
  network.fault = (request, from) =>
    held && /\/(?:state|state_ids)\//.test(request.path) ? 'status-500' : fault(request, from)
  return {
    release() {
      held = false
    },
  }
}

export const addFastNode = (network: Network, name: string, options: NodeOptions = {}): Promise<TestNode> =>
  addNode(network, name, {
    fasterJoins: true,
    replication: { completion: { retry: { initialMs: 10, maxMs: 100 } } },
    ...options,
  })

export const isPartial = async (node: TestNode, roomId: string): Promise<boolean> =>
  (await node.context.loader.load(roomId))?.partial === true

export async function whole(node: TestNode, roomId: string): Promise<void> {
  await until(async () => !(await isPartial(node, roomId)))
}

/** An event of a server as that server alone makes it, whatever the room thinks of it. */
export function crafted(
  node: TestNode,
  after: RoomEvent | readonly RoomEvent[],
  draft: {
    readonly type: string
    readonly sender: string
    readonly stateKey?: string
    readonly content: JsonObject
    readonly auth: readonly RoomEvent[]
  },
): RoomEvent {
  const prevs = [after].flat()
  const { rules, roomId } = prevs[0]!
  const { auth, ...fields } = draft
  return buildEvent(
    {
      ...fields,
      roomId,
      depth: Math.max(...prevs.map(({ depth }) => depth)) + 1,
      originServerTs: systemClock.now(),
      prevEvents: prevs.map(({ id }) => id),
      authEvents: auth.map(({ id }) => id),
    },
    rules,
    { serverName: node.name, keyId: node.signer.keyId, sign: node.signer.sign },
  )
}

let transactions = 0

/** Sends events to some nodes as their author's server does. */
export async function deliver(
  from: TestNode,
  to: readonly TestNode[],
  ...events: readonly RoomEvent[]
): Promise<void> {
  for (const node of to) {
    await node.replication.inbound.handleTransaction(from.name, `crafted${(transactions += 1)}`, {
      origin: from.name,
      origin_server_ts: systemClock.now(),
      pdus: events.map((event) => event.pdu),
    })
    await node.replication.drain.idle()
  }
}

/** What a node thinks of a room: its state, its heads, who is in it, and which events it refuses. */
export async function opinion(node: TestNode, roomId: string): Promise<unknown> {
  const room = (await node.context.loader.load(roomId))!
  const { members, servers, refused } = await node.store.read('test.opinion', function* () {
    const nids = yield* joinedEventNids(room.nid)
    return {
      members: yield* all<{ event_id: string }>(
        'SELECT event_id FROM events WHERE nid IN (??) ORDER BY event_id',
        nids,
      ),
      servers: yield* joinedServers(room.nid),
      refused: yield* all<{ event_id: string }>(
        'SELECT event_id FROM events WHERE room_nid = ? AND outlier = 0 AND (rejected IS NOT NULL OR soft_failed = 1) ORDER BY event_id',
        room.nid,
      ),
    }
  })
  return {
    state: [...(await node.stateOf(roomId))],
    heads: await node.heads(roomId),
    members: members.map((row) => row.event_id),
    // Each counts the others.
    servers: [...servers.map((row) => row.server), node.name].toSorted(),
    refused: refused.map((row) => row.event_id),
  }
}
