import { canonicalJson } from '../../core/json/canonical.js'
import type { JsonObject } from '../../core/json/value.js'
import { parseUserId } from '../../core/ids/user-id.js'
import { manualClock, type ManualClock } from '../../platform/clock.js'
import { createSigner, generateSigningKey, type Signer } from '../../platform/ed25519.js'
import { silentLogger } from '../../platform/logger.js'
import { createNotifier, type Notifier } from '../../platform/notifier.js'
import { systemRandom } from '../../platform/random.js'
import { openTestStore } from '../../storage/testing.js'
import { insertDevice } from '../../storage/tables/devices.js'
import { insertEvents } from '../../storage/tables/events.js'
import { membershipOf, upsertMemberships } from '../../storage/tables/memberships.js'
import { deleteSent, pendingDestinations, pendingEdus } from '../../storage/tables/outbox.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import { insertStateDeltas } from '../../storage/tables/state.js'
import { migrations } from '../../storage/migrations/index.js'
import { outbox } from '../../storage/migrations/0007-outbox.js'
import { rooms } from '../../storage/migrations/0002-rooms.js'
import type { Store } from '../../storage/tx.js'
import { FederationError } from '../federation/federation-error.js'
import type { Requester } from '../requester.js'
import { createToDevice, type ToDevice, type ToDeviceOptions } from '../to-device/to-device.js'
import { createE2ee, type E2ee } from './e2ee.js'
import type { ConfirmByUser } from './upload-cross-signing.js'

/** One server of a test: its store and services; the network is a function call to the other servers of the test. */
export interface TestNode {
  readonly name: string
  readonly store: Store
  readonly clock: ManualClock
  readonly notifier: Notifier
  readonly e2ee: E2ee
  readonly toDevice: ToDevice
  /** Confirmations by the user that were asked for; the test lets them pass or not. */
  readonly confirmations: { allow: boolean; count: number }
  /** False: other servers cannot reach it. */
  online: boolean
  /** Federation requests that this server answered. */
  readonly requests: string[]
  position(): Promise<number>
  addDevice(userId: string, deviceId: string, displayName?: string): Promise<Requester>
  /** A membership as this server knows it, with the state change that brings it. */
  setMembership(room: number, userId: string, membership: string): Promise<void>
  /** Sends what waits in the outbox to the servers that can be reached. Gives how many EDUs went. */
  flush(): Promise<number>
}

export interface TestNodes {
  readonly a: TestNode
  readonly b: TestNode
  /** The membership is known on both. */
  setMembership(room: number, userId: string, membership: string): Promise<void>
  /** Lets EDUs travel, and lists be fetched, until nothing moves. */
  settle(): Promise<void>
  close(): Promise<void>
}

export const testSchema = [
  ...migrations,
  ...[rooms, outbox].filter((migration) => !migrations.some((known) => known.id === migration.id)),
]

export interface TestNodeOptions {
  readonly toDevice?: Partial<ToDeviceOptions>
  readonly displayNamesOverFederation?: boolean
  readonly store?: Store
}

export async function startNode(
  name: string,
  peers: Map<string, TestNode>,
  options: TestNodeOptions = {},
): Promise<TestNode> {
  const store = options.store ?? (await openTestStore({ migrations: testSchema }))
  const clock = manualClock()
  const notifier = createNotifier()
  const confirmations = { allow: true, count: 0 }
  const confirmByUser: ConfirmByUser = () => {
    confirmations.count++
    return confirmations.allow ? Promise.resolve() : Promise.reject(new Error('not confirmed'))
  }
  const shared = {
    store,
    clock,
    random: systemRandom,
    logger: silentLogger,
    notifier,
    serverName: name,
    wakeSender: () => undefined,
  }
  const e2ee = createE2ee({
    ...shared,
    confirmByUser,
    parsePosition: Number,
    options: { displayNamesOverFederation: options.displayNamesOverFederation ?? false },
    federation: {
      async request(request) {
        const peer = peers.get(request.destination)
        if (peer === undefined || !peer.online) throw new FederationError('unreachable', 'no connection')
        peer.requests.push(request.path)
        const copy = (value: unknown): JsonObject => JSON.parse(JSON.stringify(value)) as JsonObject
        const body = copy(request.body ?? {})
        if (request.path.endsWith('/keys/query')) return copy(await peer.e2ee.queryKeysForServer(body))
        if (request.path.endsWith('/keys/claim')) return copy(await peer.e2ee.claimKeysForServer(body))
        const userId = decodeURIComponent(request.path.split('/').at(-1)!)
        return copy(await peer.e2ee.userDevices(userId))
      },
    },
  })
  const toDevice = createToDevice({
    ...shared,
    ...(options.toDevice === undefined ? {} : { options: options.toDevice }),
  })
  let nextEvent = 1

  const node: TestNode = {
    name,
    store,
    clock,
    notifier,
    e2ee,
    toDevice,
    confirmations,
    online: true,
    requests: [],
    position: () => store.position(),
    async addDevice(userId, deviceId, displayName) {
      await store.write('test.device', () =>
        insertDevice({ userId, deviceId, displayName: displayName ?? null, createdTs: 1 }),
      )
      return requesterOf(userId, deviceId)
    },
    async setMembership(room, userId, membership) {
      const nid = nextEvent++
      const server = parseUserId(userId)!.domain
      const json = JSON.stringify({ type: 'm.room.member', content: { membership } })
      await store.write('test.membership', function* () {
        const before = yield* membershipOf(room, userId)
        const pos = yield* allocatePosition()
        yield* insertEvents([
          {
            nid,
            event_id: `$${nid}`,
            room_nid: room,
            type: 'm.room.member',
            state_key: userId,
            sender: userId,
            depth: nid,
            ts: 1,
            pos,
            ord: pos,
            outlier: 0,
            rejected: null,
            soft_failed: 0,
            state_before: null,
            state_after: null,
            auth: '[]',
            replaces: null,
            redacted_by: null,
            txn: null,
            json,
          },
        ])
        yield* insertStateDeltas([
          { pos, room_nid: room, type: 'm.room.member', state_key: userId, event_nid: nid, prev_nid: before?.event_nid ?? null },
        ]) // prettier-ignore
        yield* upsertMemberships([
          {
            room_nid: room,
            user_id: userId,
            membership,
            event_nid: nid,
            sender: userId,
            pos,
            server,
            local: server === name ? 1 : 0,
            forgotten: 0,
            stripped_state: null,
          },
        ])
        if (membership !== 'join') {
          if (server === name) yield* e2ee.onRoomLeft(room)
          else yield* e2ee.onRemoteUsersLeft([userId])
        }
      })
    },
    async flush() {
      let sent = 0
      for (const destination of await store.read('test.destinations', pendingDestinations)) {
        const peer = peers.get(destination)
        if (peer === undefined || !peer.online) continue
        const edus = await store.read('test.edus', () => pendingEdus(destination, 100))
        for (const edu of edus) {
          const content = JSON.parse(edu.content) as JsonObject
          if (!(await peer.e2ee.onEdu(name, edu.edu_type, content)))
            await peer.toDevice.onEdu(name, edu.edu_type, content)
        }
        await store.write('test.sent', () => deleteSent(destination, [], edus))
        sent += edus.length
      }
      return sent
    },
  }
  peers.set(name, node)
  return node
}

/** Two servers, `a.example` and `b.example`. */
export async function startNodes(options: TestNodeOptions = {}): Promise<TestNodes> {
  const peers = new Map<string, TestNode>()
  const a = await startNode('a.example', peers, options)
  const b = await startNode('b.example', peers, options)
  return {
    a,
    b,
    async setMembership(room, userId, membership) {
      await a.setMembership(room, userId, membership)
      await b.setMembership(room, userId, membership)
    },
    async settle() {
      for (let round = 0; round < 10; round++) {
        const sent = (await a.flush()) + (await b.flush())
        for (const node of [a, b]) {
          await node.e2ee.idle()
          node.clock.advance(3_000)
          await node.e2ee.resyncDue()
        }
        if (sent === 0) break
      }
    },
    async close() {
      await a.store.close()
      await b.store.close()
    },
  }
}

export const requesterOf = (userId: string, deviceId: string | undefined): Requester => ({
  userId,
  deviceId,
  isGuest: false,
  isAdmin: false,
  isSuspended: false,
  appserviceId: undefined,
})

/** A key pair under the name of its own public key, or of a device. */
export const newSigner = (): Signer => createSigner(generateSigningKey(systemRandom))

export function sign(object: JsonObject, userId: string, keyName: string, signer: Signer): JsonObject {
  const { signatures, ...rest } = object
  const { unsigned: _unsigned, ...signed } = rest
  const signature = signer.sign(new TextEncoder().encode(canonicalJson(signed)))
  const all = (signatures ?? {}) as Record<string, JsonObject>
  return {
    ...rest,
    signatures: { ...all, [userId]: { ...all[userId], [`ed25519:${keyName}`]: signature } },
  }
}

/** Identity keys of a device, signed by itself. */
export function deviceKeys(userId: string, deviceId: string, signer: Signer = newSigner()): JsonObject {
  const keys = {
    user_id: userId,
    device_id: deviceId,
    algorithms: ['m.olm.v1.curve25519-aes-sha2', 'm.megolm.v1.aes-sha2'],
    keys: { [`ed25519:${deviceId}`]: signer.publicKey, [`curve25519:${deviceId}`]: 'curve' },
  }
  return sign(keys, userId, deviceId, signer)
}

export function crossSigningKey(
  userId: string,
  usage: string,
  signer: Signer,
  signedBy?: Signer,
): JsonObject {
  const key = {
    user_id: userId,
    usage: [usage],
    keys: { [`ed25519:${signer.publicKey}`]: signer.publicKey },
  }
  return signedBy === undefined ? key : sign(key, userId, signedBy.publicKey, signedBy)
}

export const oneTimeKey = (text: string): JsonObject => ({
  key: text,
  signatures: { '@x:a.example': { 'ed25519:X': 'signature' } },
})
