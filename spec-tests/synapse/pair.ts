import { join } from 'node:path'
import { SqliteDatabase } from '../../src/storage/sqlite-driver.js'
import { call, session, v3, type User } from '../harness/client.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'
import { startGate, type Gate } from './gate.js'
import { startSynapse, type Synapse } from './start-synapse.js'

/** One of the two servers, as the scenarios see it. */
export interface Side {
  readonly name: 'chancery' | 'synapse'
  readonly serverName: string
  readonly url: string
  readonly gate: Gate
  user(name: string): Promise<User>
  /** Two accounts that all scenarios use. */
  readonly first: User
  readonly second: User
  /** The events of a room that this server keeps and shows to nobody: soft-failed or rejected. */
  hidden(roomId: string): Set<string>
  stop(): Promise<void>
  start(): Promise<void>
}

/** A node of ours and a Synapse that trust each other's certificates. */
export interface Pair {
  readonly chancery: Side
  readonly synapse: Side
  /** A second node of ours, which is started when it is first asked for. */
  another(): Promise<Side>
  dispose(): Promise<void>
}

let counter = 0

async function register(base: string, name: string, uncheckedBecause?: string): Promise<User> {
  const username = `${name}-${Date.now().toString(36)}-${counter++}`
  const password = 'a good password'
  const ask = (auth: object) =>
    call(base, 'POST', v3('/register'), {
      body: { username, password, auth: { type: 'm.login.dummy', ...auth } },
      ...(uncheckedBecause && { uncheckedBecause }),
    })
  let answer = await ask({})
  if (answer.status === 401) answer = await ask({ session: answer.body.session })
  if (answer.status !== 200) throw new Error(`register: ${answer.status} ${JSON.stringify(answer.body)}`)
  return session(base, password, answer, uncheckedBecause)
}

function eventIds(path: string, query: string, roomId: string): Set<string> {
  const database = new SqliteDatabase(path, { readonly: true })
  try {
    return new Set(database.prepare<string[], { event_id: string }>(query).all(roomId).map((row) => row.event_id))
  } finally {
    database.close()
  }
} // prettier-ignore

const OUR_HIDDEN = `SELECT e.event_id FROM events e JOIN rooms r ON r.nid = e.room_nid
  WHERE r.room_id = ? AND (e.soft_failed = 1 OR e.rejected IS NOT NULL)`
const SYNAPSE_HIDDEN = `SELECT e.event_id FROM events e JOIN event_json j ON j.event_id = e.event_id
  WHERE e.room_id = ? AND (e.rejection_reason IS NOT NULL OR json_extract(j.internal_metadata, '$.soft_failed'))`

/** @param python one in which `import synapse` works */
export async function startPair(python: string): Promise<Pair> {
  const authority = testAuthority()
  const ourGate = await startGate()
  const theirGate = await startGate()
  // Another host than ours: server ACLs do not look at ports.
  const theirName = `127.0.0.1:${theirGate.port}`
  const nodeBehind = (gate: Gate): Promise<Node> =>
    startNode({
      authority,
      config: {
        server_name: `localhost:${gate.port}`,
        presence: { enabled: true, federation: true },
        federation: { backoff: { initial: '100ms', max: '300ms' } },
        logging: { level: process.env['CHANCERY_SYNAPSE_LOG'] === undefined ? 'info' : 'debug' },
      },
    })
  const started = await Promise.allSettled([nodeBehind(ourGate), startSynapse(python, theirName, authority)])
  const [{ value: node }, { value: synapse }] = started as [{ value?: Node }, { value?: Synapse }]
  async function dispose(): Promise<void> {
    await Promise.all([node?.dispose(), synapse?.dispose(), ...thirds.map((third) => third.node.dispose())])
    await Promise.all([ourGate.close(), theirGate.close(), ...thirds.map((third) => third.gate.close())])
  }
  const thirds: { readonly node: Node; readonly gate: Gate }[] = []
  if (node === undefined || synapse === undefined) {
    await dispose()
    throw started.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))[0]
  }
  ourGate.leadTo(Number(node.serverName.split(':')[1]))
  theirGate.leadTo(synapse.federationPort)
  async function sideOf(own: Node, gate: Gate, first: string, second: string): Promise<Side> {
    const user = (name: string) => register(own.url, name)
    return {
      name: 'chancery',
      serverName: `localhost:${gate.port}`,
      url: own.url,
      gate,
      user,
      first: await user(first),
      second: await user(second),
      hidden: (roomId) => eventIds(join(own.folder, 'homeserver.db'), OUR_HIDDEN, roomId),
      stop: own.stop,
      start: own.start,
    }
  }
  let third: Promise<Side> | undefined
  async function startThird(): Promise<Side> {
    const gate = await startGate()
    const own = await nodeBehind(gate)
    thirds.push({ node: own, gate })
    gate.leadTo(Number(own.serverName.split(':')[1]))
    return sideOf(own, gate, 'tamar', 'theo')
  }
  const theirUser = (name: string) => register(synapse.url, name, 'Synapse answers')
  return {
    chancery: await sideOf(node, ourGate, 'alice', 'benoit'),
    synapse: {
      name: 'synapse',
      serverName: theirName,
      url: synapse.url,
      gate: theirGate,
      user: theirUser,
      first: await theirUser('sam'),
      second: await theirUser('sue'),
      hidden: (roomId) => eventIds(join(synapse.folder, 'homeserver.db'), SYNAPSE_HIDDEN, roomId),
      stop: synapse.stop,
      start: synapse.start,
    },
    another: () => (third ??= startThird()),
    dispose,
  }
}
