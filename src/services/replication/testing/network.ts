import { Readable } from 'node:stream'
import { MatrixError } from '../../../core/errors.js'
import type { AccessPolicy } from '../../../core/access-rules/access-policy.js'
import type { Signer as EventSigner } from '../../../core/event/sign.js'
import type { RoomEvent } from '../../../core/event/types.js'
import { canonicalJson } from '../../../core/json/canonical.js'
import { parseJson } from '../../../core/json/parse.js'
import type { JsonObject } from '../../../core/json/value.js'
import type { RetentionPolicy } from '../../../core/retention.js'
import { systemClock, type Clock } from '../../../platform/clock.js'
import { createSigner, generateSigningKey, publicKey, type Signer } from '../../../platform/ed25519.js'
import { silentLogger, type Logger } from '../../../platform/logger.js'
import { createNotifier } from '../../../platform/notifier.js'
import { systemRandom } from '../../../platform/random.js'
import { openTestStore } from '../../../storage/testing.js'
import type { Store } from '../../../storage/tx.js'
import { buildRooms } from '../../../composition/rooms.js'
import {
  bodyText,
  FederationError,
  type FederationClient,
  type FederationRequest,
} from '../../federation/client.js'
import { createKeys, type Keys } from '../../federation/keys.js'
import type { KnownKey } from '../../federation/known-keys.js'
import { pinnedKeys } from '../../federation/peers.js'
import type { Requester } from '../../requester.js'
import type { RoomsContext } from '../../rooms/context.js'
import { createRoomCreation } from '../../rooms/create-room.js'
import type { CreateRoomInput } from '../../rooms/create-room-input.js'
import { addLocalEvent } from '../../rooms/add-local-event.js'
import type { Draft } from '../../rooms/local-event.js'
import { readWholeState } from '../../rooms/context.js'
import type { EduHandler } from '../receiving/edu-dispatch.js'
import { createPduIntake, type PduIntake } from '../peers/pdu-intake.js'
import { createArrivals } from '../handshakes/arrivals.js'
import { createRemoteMemberships } from '../handshakes/membership-handshakes.js'
import { createReplication, type Replication, type ReplicationDeps } from './replication.js'
import { createSender, type SenderOptions } from '../sending/sender.js'
import { createMembershipServing } from '../serving/serve-membership.js'
import { createEventByTimeServing } from '../serving/serve-by-time.js'
import { createFederationReads } from '../serving/serve-reads.js'

/** For tests: nodes in one process that talk through function calls, with faults on request. */
export interface Network {
  readonly nodes: Map<string, TestNode>
  /** Nobody reaches these, and they reach nobody. */
  readonly down: Set<string>
  /** What happens to a request; `lost-answer`: it is carried out, and its sender never learns of it. */
  fault: (request: FederationRequest, from: string) => 'lost-answer' | 'status-400' | 'status-500' | undefined
  /** What a request waits for before it is carried out. */
  hold: ((request: FederationRequest, from: string) => Promise<void> | undefined) | undefined
  /** Requests that were carried out: `PUT a.example→b.example /send`. */
  readonly log: string[]
  /** Bodies of carried out requests, in the order of the log. */
  readonly bodies: (JsonObject | undefined)[]
  /** Resolves when no node has anything to do now. */
  settle(): Promise<void>
  close(): Promise<void>
}

export interface TestNode {
  readonly name: string
  readonly store: Store
  readonly context: RoomsContext
  readonly signer: Signer
  readonly keys: Keys
  readonly intake: PduIntake
  readonly replication: Replication
  readonly edus: { readonly origin: string; readonly type: string; readonly content: JsonObject }[]
  /** Whose devices which servers were told of, as somebody came into a room with them. */
  readonly announced: { readonly userId: string; readonly servers: readonly string[] }[]
  /** Servers whose keys this node can learn at present; undefined: of all. */
  learnable: ReadonlySet<string> | undefined
  createRoom(user: string, input?: CreateRoomInput): Promise<string>
  join(user: string, roomId: string, via: string): Promise<void>
  send(user: string, roomId: string, body: string): Promise<string>
  state(user: string, roomId: string, type: string, stateKey: string, content: JsonObject): Promise<string>
  /** Event ids by `type|state key`. */
  stateOf(roomId: string): Promise<Map<string, string>>
  heads(roomId: string): Promise<string[]>
  /** Answers another server's request. Throws `MatrixError`. */
  serve(origin: string, request: FederationRequest): Promise<string>
  /** Ends the services and the store. */
  stop(): Promise<void>
}

export interface NodeOptions {
  readonly store?: Store
  readonly signer?: Signer
  readonly clock?: Clock
  readonly logger?: Logger
  /** Public keys that are known from the start, by server name. */
  readonly pinned?: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly federates?: (serverName: string) => boolean
  readonly sender?: Partial<SenderOptions>
  readonly replication?: ReplicationDeps['options']
  /** The rules that it holds rooms to. */
  readonly access?: AccessPolicy
  /** How long what is said lives. */
  readonly retention?: RetentionPolicy
  readonly isHeld?: (roomId: string, sender: string) => boolean
  /** Joins ask for rooms without their members. */
  readonly fasterJoins?: boolean
  /** Takes EDUs before they are recorded. */
  readonly eduHandler?: EduHandler
}

export const requester = (userId: string): Requester => ({
  userId,
  deviceId: 'DEVICE',
  isGuest: false,
  isAdmin: false,
  isSuspended: false,
  appserviceId: undefined,
})

const QUICK = { initialMs: 20, maxMs: 200 }

export function createNetwork(): Network {
  const network: Network = {
    nodes: new Map(),
    down: new Set(),
    fault: () => undefined,
    hold: undefined,
    log: [],
    bodies: [],
    async settle() {
      for (let calm = 0; calm < 3;) {
        await Promise.all([...network.nodes.values()].map((node) => node.replication.drain.idle()))
        const busy = [...network.nodes.values()].some(
          (node) => node.replication.sender.stats().active > node.replication.sender.stats().failing,
        )
        calm = busy ? 0 : calm + 1
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    },
    async close() {
      for (const node of network.nodes.values()) await node.stop()
    },
  }
  return network
}

function clientOf(network: Network, from: string): Pick<FederationClient, 'request' | 'requestStream'> {
  async function carryOut(request: FederationRequest): Promise<string> {
    const body = bodyText(request)
    await new Promise((resolve) => setImmediate(resolve))
    const target = network.nodes.get(request.destination)
    if (target === undefined || network.down.has(from) || network.down.has(request.destination)) {
      throw new FederationError('unreachable', 'no connection to the server')
    }
    await network.hold?.(request, from)
    const fault = network.fault(request, from)
    if (fault === 'status-400') throw new FederationError('status', 'refused', { status: 400 })
    if (fault === 'status-500') throw new FederationError('status', 'trouble', { status: 500 })
    // As it travels: nothing is shared between the two.
    const parsed = body === undefined ? undefined : parseJson(body)
    const carried = parsed?.ok === true ? { ...request, body: parsed.value as JsonObject } : request
    network.log.push(`${request.method} ${from}→${request.destination} /${request.path.split('/')[4]}`)
    network.bodies.push(carried.body)
    try {
      const answer = await target.serve(from, carried)
      if (fault === 'lost-answer') throw new FederationError('timeout', 'the server did not answer in time')
      return answer
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error
      const status = error.status ?? STATUS[error.errcode] ?? 400
      throw new FederationError('status', error.message, { status, errcode: error.errcode })
    }
  }
  return {
    async request(request) {
      const parsed = parseJson(await carryOut(request))
      if (!parsed.ok) throw new FederationError('bad-response', parsed.reason)
      return parsed.value as JsonObject
    },
    async requestStream(request) {
      return { status: 200, headers: new Map(), body: Readable.from([Buffer.from(await carryOut(request))]) }
    },
  }
}

const STATUS: Readonly<Record<string, number>> = { M_FORBIDDEN: 403, M_NOT_FOUND: 404, M_LIMIT_EXCEEDED: 429 }

export async function addNode(network: Network, name: string, options: NodeOptions = {}): Promise<TestNode> {
  const store = options.store ?? (await openTestStore())
  const signer = options.signer ?? createSigner(generateSigningKey(systemRandom))
  const { clock = systemClock, logger = silentLogger } = options
  const random = systemRandom
  const client = clientOf(network, name)
  const eventSigner: EventSigner = { serverName: name, keyId: signer.keyId, sign: signer.sign }

  const learnt = new Map<string, ReadonlyMap<string, KnownKey>>()
  const keys = createKeys({
    serverName: name,
    signer,
    fixedKeysOf: pinnedKeys(options.pinned),
    known: {
      of: (server) => Promise.resolve({ keys: learnt.get(server) ?? new Map(), document: undefined }),
      learn: () => Promise.reject(new Error('not used')),
    },
    fetcher: {
      async refresh(server) {
        await new Promise((resolve) => setImmediate(resolve))
        const other = network.nodes.get(server)
        if (other === undefined || node.learnable?.has(server) === false) return
        const key = publicKey(other.signer.publicKey)!
        learnt.set(
          server,
          new Map([[other.signer.keyId, { key, validUntilTs: Infinity, expiredTs: undefined }]]),
        )
      },
    },
    clock,
  })
  const sender = createSender({
    store,
    client,
    clock,
    random,
    logger,
    serverName: name,
    options: { backoff: QUICK, ...options.sender },
  })
  const announced: { userId: string; servers: readonly string[] }[] = []
  const rooms = buildRooms({
    store,
    clock,
    random,
    logger,
    notifier: createNotifier(),
    serverName: name,
    signer: eventSigner,
    defaultRoomVersion: '12',
    ...(options.access === undefined ? {} : { access: options.access }),
    ...(options.retention === undefined ? {} : { retention: options.retention }),
    ...(options.isHeld === undefined ? {} : { isHeld: options.isHeld }),
    memberHooks: {
      *remoteUsersLeft() {},
      *roomLeft() {},
      // oxlint-disable-next-line require-yield -- nothing is written
      *localUserJoined(userId, servers) {
        announced.push({ userId, servers })
      },
    },
    wakeSender: (destinations) => sender.wake(destinations),
  })
  const { context } = rooms
  const intake = createPduIntake({ keys, logger })
  const edus: TestNode['edus'] = []
  const arrivals = createArrivals()
  const replication = createReplication({
    context,
    arrivals,
    client,
    intake,
    sender,
    ...(options.federates === undefined ? {} : { federates: options.federates }),
    eduHandlers: [
      ...(options.eduHandler === undefined ? [] : [options.eduHandler]),
      (origin, type, content) => Promise.resolve(edus.push({ origin, type, content }) > 0),
    ],
    options: { drain: { retry: QUICK, maxAttempts: 4 }, ...options.replication },
  })
  const remote = createRemoteMemberships({
    context,
    client,
    keys,
    intake,
    outside: rooms.outside,
    arrivals,
    options: { fasterJoins: options.fasterJoins === true },
  })
  const serving = createMembershipServing({ context, keys })
  const reads = createFederationReads(context)
  const byTime = createEventByTimeServing(context)
  const creation = createRoomCreation({
    context,
    memberships: { checkInvitees: () => Promise.resolve(), invite: () => Promise.resolve() } as never,
    addressInvites: {} as never,
    memberProfile: () => Promise.resolve({}),
  })
  const add = async (roomId: string, draft: Draft): Promise<string> => {
    const stored = await context.writer.write(roomId, (room) => addLocalEvent(room, draft, context.local))
    return stored.event.id
  }

  const node: TestNode = {
    name,
    store,
    context,
    signer,
    keys,
    intake,
    replication,
    edus,
    announced,
    learnable: undefined,
    createRoom: async (user, input = { preset: 'public_chat' }) =>
      (await creation.create(requester(user), input)).room_id,
    join: (user, roomId, via) => remote.join(user, roomId, [via], { membership: 'join' }),
    send: (user, roomId, body) =>
      add(roomId, { type: 'm.room.message', sender: user, content: { msgtype: 'm.text', body } }),
    state: (user, roomId, type, stateKey, content) => add(roomId, { type, sender: user, stateKey, content }),
    async stateOf(roomId) {
      const room = await context.loader.load(roomId)
      const events = await readWholeState(context, room!, room!.root!)
      const names = events.map(({ event }) => `${event.type}|${event.stateKey}\n${event.id}`).toSorted()
      return new Map(names.map((name) => name.split('\n') as [string, string]))
    },
    async heads(roomId) {
      return (await context.loader.load(roomId))!.heads.map((head) => head.id).toSorted()
    },
    serve: (origin, request) => serveRequest(origin, request),
    async stop() {
      await replication.close()
      await store.close()
    },
  }

  async function serveRequest(
    origin: string,
    { path, query = {}, body = {} }: FederationRequest,
  ): Promise<string> {
    const [, , , , action, ...rest] = path.split('/').map(decodeURIComponent)
    const [first = '', second = ''] = rest
    const text = async (parts: AsyncIterable<string>): Promise<string> => {
      let out = ''
      for await (const part of parts) out += part
      return out
    }
    const json = (value: unknown): string => canonicalJson(value as JsonObject, 'lenient')
    const sent = { roomId: first, eventId: second, event: body }
    switch (action) {
      case 'send':
        return json(await replication.inbound.handleTransaction(origin, first, body))
      case 'make_join':
        return json(await serving.template(origin, 'join', { roomId: first, userId: second, versions: query['ver'] as string[] })) // prettier-ignore
      case 'make_leave':
        return json(await serving.template(origin, 'leave', { roomId: first, userId: second }))
      case 'send_join':
        return text(await serving.join(origin, { ...sent, omitMembers: query['omit_members'] === true }))
      case 'event':
        return json(await reads.event(origin, first))
      case 'event_auth':
        return text(await reads.eventAuth(origin, first, second))
      case 'state':
        return text(await reads.state(origin, first, query['event_id'] as string))
      case 'state_ids':
        return text(await reads.stateIds(origin, first, query['event_id'] as string))
      case 'timestamp_to_event':
        return json(
          await byTime(origin, { roomId: first, ts: query['ts'] as number, dir: query['dir'] as 'f' }),
        )
      case 'backfill':
        return json(await reads.backfill(origin, first, { eventIds: query['v'] as string[], limit: query['limit'] as number })) // prettier-ignore
      case 'get_missing_events':
        return json(
          await reads.missingEvents(origin, first, {
            latest: body['latest_events'] as string[],
            earliest: body['earliest_events'] as string[],
            limit: body['limit'] as number,
          }),
        )
      default:
        throw new MatrixError('M_UNRECOGNIZED', `nobody serves ${action}`, {}, 404)
    }
  }

  network.nodes.set(name, node)
  await replication.resume()
  return node
}

/** Message bodies of a room in live order. */
export async function bodiesOf(node: TestNode, roomId: string): Promise<string[]> {
  const room = await node.context.loader.load(roomId)
  const { liveEvents } = await import('../../../storage/tables/events.js')
  const rows = await node.store.read('test.live', () =>
    liveEvents(room!.nid, 0, Number.MAX_SAFE_INTEGER, 100_000),
  )
  const events = await node.context.events.revive(rows)
  return events
    .map(({ event }) => event)
    .filter((event: RoomEvent) => event.type === 'm.room.message')
    .map((event) => event.content['body'] as string)
    .reverse()
}
