import { Readable } from 'node:stream'
import type { AccessPolicy } from '../../../core/access-rules/access-policy.js'
import type { Signer as EventSigner } from '../../../core/event/sign.js'
import { parseJson } from '../../../core/json/parse.js'
import { canonicalJson } from '../../../core/json/canonical.js'
import type { JsonObject } from '../../../core/json/value.js'
import { federationRoutes } from '../../../http/server-server/routes.js'
import { startTestServer, type TestServer } from '../../../http/testing.js'
import { systemClock } from '../../../platform/clock.js'
import { createSigner, generateSigningKey, type Signer } from '../../../platform/ed25519.js'
import { silentLogger } from '../../../platform/logger.js'
import { createNotifier } from '../../../platform/notifier.js'
import { systemRandom } from '../../../platform/random.js'
import { membershipOf, type MembershipRow } from '../../../storage/tables/memberships.js'
import { openTestStore } from '../../../storage/testing.js'
import type { Store } from '../../../storage/tx.js'
import { buildRooms, type RoomsParts } from '../../../composition/rooms.js'
import {
  bodyText,
  FederationError,
  type FederationClient,
  type FederationRequest,
} from '../../federation/client.js'
import { createKeys, type Keys } from '../../federation/keys.js'
import { pinnedKeys } from '../../federation/peers.js'
import type { Requester } from '../../requester.js'
import { createAliases, type Aliases } from '../../rooms/aliases.js'
import { createRoomCreation, type RoomCreation } from '../../rooms/create-room.js'
import { createMemberships, type Memberships } from '../../rooms/membership.js'
import { createSending, type Sending } from '../../rooms/send.js'
import { createPublicRooms } from '../../directory/public-rooms.js'
import { createPduIntake } from '../peers/pdu-intake.js'
import { createRemoteMemberships } from '../handshakes/membership-handshakes.js'
import { createInviteServing } from '../serving/serve-invite.js'
import { createMembershipServing } from '../serving/serve-membership.js'
import { createFederationReads } from '../serving/serve-reads.js'

/** For tests: nodes in one process whose real endpoints stand behind real sockets; only discovery and TLS are left out. */
export interface World {
  readonly nodes: Map<string, HandshakeNode>
  /** Keys of servers that are no nodes here. */
  readonly strangers: Map<string, Signer>
  /** Answers in the place of a node, or changes what it has answered. */
  intercept: (request: FederationRequest, answer: () => Promise<string>) => Promise<string>
  /** Requests in order: `PUT b.example /_matrix/…`. */
  readonly log: string[]
  /** `access`: the rules that it holds rooms to. */
  node(name: string, access?: AccessPolicy): Promise<HandshakeNode>
  close(): Promise<void>
}

export interface HandshakeNode extends RoomsParts {
  readonly name: string
  readonly store: Store
  readonly signer: EventSigner
  readonly keys: Keys
  readonly client: Pick<FederationClient, 'request' | 'requestStream'>
  readonly memberships: Memberships
  readonly creation: RoomCreation
  readonly sending: Sending
  readonly aliases: Aliases
  readonly server: TestServer
  membership(roomId: string, userId: string): Promise<MembershipRow | undefined>
  /** Ids of the current state, by `type|state key`. */
  state(roomId: string): Promise<Map<string, string>>
  /** A request as another server signs it. */
  ask(
    origin: string,
    method: string,
    path: string,
    body?: JsonObject,
  ): Promise<{ status: number; body: never }>
}

export const as = (userId: string): Requester => ({
  userId,
  deviceId: 'DEVICE',
  isGuest: false,
  isAdmin: false,
  isSuspended: false,
  appserviceId: undefined,
})

export function createWorld(): World {
  const world: World = {
    nodes: new Map(),
    strangers: new Map(),
    intercept: (_request, answer) => answer(),
    log: [],
    node: (name, access) => addNode(world, name, access),
    async close() {
      for (const node of world.nodes.values()) {
        await node.server.close()
        await node.store.close()
      }
    },
  }
  return world
}

function clientOf(world: World, origin: string): Pick<FederationClient, 'request' | 'requestStream'> {
  async function exchange(request: FederationRequest): Promise<string> {
    world.log.push(`${request.method} ${request.destination} ${request.path}`)
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(request.query ?? {})) {
      for (const item of typeof value === 'object' ? value : [value]) {
        if (item !== undefined) query.append(name, String(item))
      }
    }
    return world.intercept(request, async () => {
      const target = world.nodes.get(request.destination)
      if (target === undefined) throw new FederationError('unreachable', 'no such server')
      const sent = bodyText(request)
      const uri = query.size === 0 ? request.path : `${request.path}?${query.toString()}`
      const { status, text, body } = await target.server.request(request.method, uri, {
        headers: { authorization: origin },
        ...(sent === undefined
          ? {}
          : { body: sent, headers: { authorization: origin, 'content-type': 'application/json' } }),
      })
      if (status >= 200 && status < 300) return text
      const { errcode, error } = (body ?? {}) as { errcode?: string; error?: string }
      throw new FederationError('status', error ?? 'refused', { status, errcode })
    })
  }
  return {
    async request(request) {
      const parsed = parseJson(await exchange(request))
      if (!parsed.ok) throw new FederationError('bad-response', parsed.reason)
      return parsed.value as JsonObject
    },
    async requestStream(request) {
      const bytes = Buffer.from(await exchange(request))
      const pieces: Buffer[] = []
      for (let i = 0; i < bytes.length; i += 65_536) pieces.push(bytes.subarray(i, i + 65_536))
      return { status: 200, headers: new Map(), body: Readable.from(pieces) }
    },
  }
}

async function addNode(world: World, name: string, access?: AccessPolicy): Promise<HandshakeNode> {
  const store = await openTestStore()
  const signingKey = createSigner(generateSigningKey(systemRandom))
  const signer: EventSigner = { serverName: name, keyId: signingKey.keyId, sign: signingKey.sign }
  const client = clientOf(world, name)
  world.strangers.set(name, signingKey)
  const pinned = {
    get: (server: string) => {
      const other = world.strangers.get(server)
      return other === undefined ? undefined : new Map([[other.keyId, other.publicKey]])
    },
  }
  // A keys service anew for each check knows the servers that have joined the world meanwhile.
  const fresh = (): Keys =>
    createKeys({
      serverName: name,
      signer: signingKey,
      fixedKeysOf: pinnedKeys(
        new Map([...world.strangers.keys()].map((server) => [server, pinned.get(server)!])),
      ),
      known: {
        of: () => Promise.resolve({ keys: new Map(), document: undefined }),
        learn: () => Promise.reject(new Error('not used')),
      },
      fetcher: { refresh: () => Promise.resolve() },
      clock: systemClock,
    })
  const keys: Keys = {
    verify: (checks, options) => fresh().verify(checks, options),
    verifyJson: (server, object, options) => fresh().verifyJson(server, object, options),
    verifyEventSignatures: (events, options) => fresh().verifyEventSignatures(events, options),
    ownDocument: () => fresh().ownDocument(),
  }
  const rooms = buildRooms({
    store,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    notifier: createNotifier(),
    serverName: name,
    signer,
    defaultRoomVersion: '12',
    ...(access === undefined ? {} : { access }),
    memberHooks: {
      *remoteUsersLeft() {},
      *roomLeft() {},
      *localUserJoined() {},
    },
    wakeSender: () => undefined,
  })
  const { context, outside } = rooms
  const intake = createPduIntake({ keys, logger: silentLogger })
  const remote = createRemoteMemberships({ context, client, keys, intake, outside })
  const aliases = createAliases(context, remote)
  const exists = (userId: string): Promise<boolean> => Promise.resolve(!userId.startsWith('@nobody'))
  const memberships = createMemberships({
    context,
    aliases,
    remote,
    outside,
    memberProfile: () => Promise.resolve({}),
    checkInvitable: () => Promise.resolve(),
    userExists: exists,
  })
  const server = await startTestServer(
    federationRoutes,
    {
      membershipServing: createMembershipServing({ context, keys }),
      inviteServing: createInviteServing({
        context,
        keys,
        intake,
        outside,
        isActiveUser: exists,
        checkInvitable: () => Promise.resolve(),
      }),
      federationReads: createFederationReads(context),
      aliases,
      serverKeys: keys,
      nodeInfo: { about: { version: '0' } } as never,
      publicRooms: createPublicRooms({
        context,
        acts: () => false,
        fetchRemote: () => Promise.reject(new Error('not used')),
      }),
    },
    { authenticateServer: ({ authorization }) => Promise.resolve(String(authorization)) },
  )
  const node: HandshakeNode = {
    ...rooms,
    name,
    store,
    signer,
    keys,
    client,
    memberships,
    aliases,
    creation: createRoomCreation({
      context,
      memberships,
      addressInvites: {} as never,
      memberProfile: () => Promise.resolve({}),
    }),
    sending: createSending(context, aliases),
    server,
    async membership(roomId, userId) {
      const room = await context.loader.load(roomId)
      if (room === undefined) return undefined
      return store.read('test.membership', () => membershipOf(room.nid, userId))
    },
    async state(roomId) {
      const room = await context.loader.load(roomId)
      const nids = await context.states.all(room!.nid, room!.root!)
      const events = await context.events.byNids([...nids.values()])
      const ids = [...events.values()].map(
        ({ event }) => [`${event.type}|${event.stateKey}`, event.id] as const,
      )
      return new Map(ids)
    },
    async ask(origin, method, path, body) {
      const answer = await server.request(method, path, {
        headers: {
          authorization: origin,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: canonicalJson(body, 'lenient') }),
      })
      return { status: answer.status, body: answer.body as never }
    },
  }
  world.nodes.set(name, node)
  return node
}
