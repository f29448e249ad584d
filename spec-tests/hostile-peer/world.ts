import { createHash } from 'node:crypto'
import { eventId } from '../../src/core/event/event-id.js'
import { addSignature, type Signer } from '../../src/core/event/sign.js'
import { redact } from '../../src/core/event/redact.js'
import type { Pdu } from '../../src/core/event/types.js'
import { canonicalJson } from '../../src/core/json/canonical.js'
import type { JsonObject } from '../../src/core/json/value.js'
import type { RoomVersionRules } from '../../src/core/room-version/rules.js'
import { roomVersion } from '../../src/core/room-version/versions.js'
import { createRoom, eventually, register, v3, type Answer, type User } from '../harness/client.js'
import type { Certificate } from '../../src/platform/certificate.js'
import { startForeignServer } from '../harness/foreign-server.js'
import { startNode, testAuthority, type Node, type NodeOptions } from '../harness/node.js'
import { fed, peerOf, type Joined, type Peer } from '../harness/peer.js'

export const enc = encodeURIComponent

/** The most memory that a node of these tests may have, in bytes: at rest it has some 150 MB. */
const MAX_MEMORY = 700e6

/** A room of ours with users of a peer in it, and events that the peer makes by hand. */
export interface Scene {
  readonly roomId: string
  readonly rules: RoomVersionRules
  readonly peer: Peer
  /** The user of the peer. */
  readonly eve: string
  readonly joined: Joined
  /** The last good event of the peer, behind which new ones stand. */
  last: { readonly id: string; readonly depth: number }
  /** What authorises a message of eve. */
  readonly auth: readonly string[]
  /** A well-formed message of eve with these fields changed; undefined takes a field away. Hashed and signed as it then is. */
  forge(changes?: Readonly<Record<string, unknown>>): JsonObject
  idOf(pdu: JsonObject): string
  /** Sends a transaction; gives the answer. */
  send(pdus: readonly unknown[], edus?: readonly unknown[]): Promise<Answer>
  /** Sends a good message, waits until alice has it, and gives the texts in her room, the latest first. */
  textsAfterMarker(): Promise<readonly string[]>
}

/** A node of ours with a user, an honest peer, and a hostile one. */
export interface World {
  /** That the node and the peers trust. */
  readonly authority: Certificate
  readonly node: Node
  readonly alice: User
  readonly honest: Peer
  readonly hostile: Peer
  /** Another server that the node has not heard of. */
  another(): Promise<Peer>
  /** Those with a name of their own. */
  readonly named: ReadonlyMap<string, Peer>
  /** In a room that is made for it. */
  scene(peer: Peer, version?: string, body?: object): Promise<Scene>
  /** In a room that is there, which the peer may join. */
  sceneIn(peer: Peer, roomId: string): Promise<Scene>
  /** Fails unless the honest peer can still talk to alice in a room of their own, and memory and queues are within bounds. */
  othersGoOn(): Promise<void>
  dispose(): Promise<void>
}

/** @param names of servers that are no `localhost:port`, for `named` */
export async function startWorld(
  config: NodeOptions['config'] = {},
  names: readonly string[] = [],
): Promise<World> {
  const authority = testAuthority()
  const strangers = await Promise.all(names.map((name) => startForeignServer(authority, name)))
  const hosts = Object.fromEntries(strangers.map(({ name, port }) => [name, { host: '127.0.0.1', port }]))
  const federation = { ...(config['federation'] as object | undefined), hosts }
  const node = await startNode({ authority, config: { ...config, federation } })
  const alice = await register(node.url, 'alice')
  const peers: Peer[] = []
  const named = new Map<string, Peer>()
  const target = { ...node, own: true } as unknown as Parameters<typeof peerOf>[1]
  const another = async (): Promise<Peer> => {
    const peer = peerOf(await startForeignServer(authority), target)
    peers.push(peer)
    return peer
  }
  for (const stranger of strangers) {
    const peer = peerOf(stranger, target)
    named.set(stranger.name, peer)
    peers.push(peer)
  }
  const honest = await another()
  const hostile = await another()
  const sceneIn = (peer: Peer, roomId: string): Promise<Scene> => makeScene(alice, peer, roomId)
  const scene = async (peer: Peer, version = '11', body: object = {}): Promise<Scene> =>
    sceneIn(peer, await createRoom(alice, { preset: 'public_chat', room_version: version, ...body }))
  const quiet = await scene(honest)

  async function metrics(): Promise<Map<string, number>> {
    const text = await (await fetch(`${node.url}/metrics`)).text()
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    return new Map(
      lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
    )
  }

  return {
    authority,
    node,
    alice,
    honest,
    hostile,
    named,
    another,
    scene,
    sceneIn,
    async othersGoOn() {
      await quiet.textsAfterMarker()
      const found = await metrics()
      const memory = found.get('process_resident_memory_bytes') ?? Infinity
      if (memory > MAX_MEMORY) throw new Error(`the node has ${Math.round(memory / 1e6)} MB`)
      const staged = found.get('chancery_staged_pdus') ?? Infinity
      if (staged > 1_000) throw new Error(`${staged} events wait to be applied`)
    },
    async dispose() {
      await node.dispose()
      for (const peer of peers) await peer.server.close()
    },
  }
}

/** A machine that has much else to do takes its time. */
const PATIENCE_MS = 45_000

let marker = 0
let transaction = 0

async function makeScene(alice: User, peer: Peer, roomId: string): Promise<Scene> {
  const eve = peer.user()
  const joined = await peer.join(roomId, eve)
  const rules = roomVersion(joined.version)!
  const probe = joined.next({ type: 'm.room.message', content: {} })
  const scene: Scene = {
    roomId,
    rules,
    peer,
    eve,
    joined,
    last: { id: joined.event.id, depth: joined.event.depth },
    auth: probe.authEvents,
    forge(changes = {}) {
      const fields: Record<string, unknown> = {
        type: 'm.room.message',
        sender: eve,
        room_id: roomId,
        content: { msgtype: 'm.text', body: 'forged' },
        depth: scene.last.depth + 1,
        origin_server_ts: Date.now(),
        prev_events: [scene.last.id],
        auth_events: scene.auth,
        ...changes,
      }
      const present = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
      return signedAsItIs(present as JsonObject, rules, peer.server.signer)
    },
    idOf: (pdu) => eventId(pdu as unknown as Pdu, rules),
    send: (pdus, edus = []) =>
      peer.call('PUT', fed(`/send/h${Date.now()}-${transaction++}`), {
        body: { origin: peer.server.name, origin_server_ts: Date.now(), pdus, edus },
        uncheckedBecause: 'what is sent may not be what the specification has',
      }),
    async textsAfterMarker() {
      const text = `marker ${marker++}`
      const good = scene.forge({ content: { msgtype: 'm.text', body: text } })
      const id = scene.idOf(good)
      const answer = await eventually('an answer to a good event', async () => {
        const now = await scene.send([good])
        return now.status === 200 && now
      })
      if (answer.body.pdus[id]?.error !== undefined) throw new Error(answer.body.pdus[id].error)
      scene.last = { id, depth: good['depth'] as number }
      return eventually(
        'the good event',
        async () => {
          const texts = await textsIn(alice, roomId)
          return texts.includes(text) && texts
        },
        PATIENCE_MS,
      )
    },
  }
  return scene
}

/** The texts in a room as its user sees them, the latest first. */
export async function textsIn(user: User, roomId: string): Promise<readonly string[]> {
  const page = await user.ok('GET', v3(`/rooms/${enc(roomId)}/messages`), undefined, { dir: 'b', limit: 200 })
  return page.chunk.flatMap(({ content }: { content: { body?: string } }) => content.body ?? [])
}

/** The type and state of a room as its user sees it now: `type/key` to content. */
export async function stateOf(user: User, roomId: string): Promise<ReadonlyMap<string, JsonObject>> {
  const events: { type: string; state_key: string; content: JsonObject }[] = await user.ok(
    'GET',
    v3(`/rooms/${enc(roomId)}/state`),
  )
  return new Map(events.map(({ type, state_key: key, content }) => [`${type}/${key}`, content]))
}

/** The id of an event of the state of a room as its user sees it. */
export async function stateId(user: User, roomId: string, type: string, key = ''): Promise<string> {
  const path = v3(`/rooms/${enc(roomId)}/state/${type}/${enc(key)}`)
  return (await user.ok('GET', path, undefined, { format: 'event' })).event_id
}

/** With the hash and the signature that a server would put on this, were it an event. */
export function signedAsItIs(fields: JsonObject, rules: RoomVersionRules, signer: Signer): JsonObject {
  const { unsigned, signatures, hashes, ...hashed } = fields
  const sha256 = createHash('sha256').update(canonicalJson(hashed, 'lenient')).digest('base64').slice(0, 43)
  const pdu: JsonObject = {
    ...hashed,
    hashes: hashes ?? { sha256 },
    ...(signatures !== undefined && { signatures }),
  }
  const signature = signer.sign(Buffer.from(canonicalJson(signedPart(pdu, rules), 'lenient')))
  const signed = addSignature(pdu, signer.serverName, signer.keyId, signature)
  return unsigned === undefined ? signed : { ...signed, unsigned }
}

function signedPart(pdu: JsonObject, rules: RoomVersionRules): JsonObject {
  const { signatures: _signatures, unsigned: _unsigned, ...rest } = pdu
  try {
    return redact(rest as unknown as Pdu, rules) as unknown as JsonObject
  } catch {
    return rest
  }
}
