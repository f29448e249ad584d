import type { Logger } from '../../../../platform/logger.js'
import type { Clock } from '../../../../platform/clock.js'
import type { Signer } from '../../../../platform/ed25519.js'
import { createNotifier } from '../../../../platform/notifier.js'
import { insertDevice } from '../../../../storage/tables/devices.js'
import { resumeFromCopy } from '../../../../storage/tables/lost-positions.js'
import { insertUser } from '../../../../storage/tables/users.js'
import type { Store } from '../../../../storage/tx.js'
import { buildRooms } from '../../../../composition/rooms.js'
import { createKeyFetcher } from '../../../federation/key-fetcher.js'
import { createKeys } from '../../../federation/keys.js'
import { createKnownKeys } from '../../../federation/known-keys.js'
import { createNotary } from '../../../federation/notary.js'
import type { Requester } from '../../../requester.js'
import type { RoomsContext } from '../../../rooms/context.js'
import { createRoomCreation, type RoomCreation } from '../../../rooms/create-room.js'
import { createMemberships, type Memberships } from '../../../rooms/membership.js'
import { createSending, type Sending } from '../../../rooms/send.js'
import { createToDevice, type ToDevice } from '../../../to-device/to-device.js'
import { createArrivals } from '../../handshakes/arrivals.js'
import { createRemoteMemberships } from '../../handshakes/membership-handshakes.js'
import { removeAbandonedImports } from '../../history/abandoned-imports.js'
import { createPduIntake } from '../../peers/pdu-intake.js'
import { createSender } from '../../sending/sender.js'
import { createInviteServing } from '../../serving/serve-invite.js'
import { createMembershipServing } from '../../serving/serve-membership.js'
import { createFederationReads } from '../../serving/serve-reads.js'
import { createReplication, type Replication } from '../replication.js'
import { fragileStore, type FragileStore } from './fragile-store.js'
import { openMemoryStore, type Copy } from './memory-store.js'
import type { Seeded } from './seeded.js'
import { serveWith } from './serve.js'
import { eventSignerOf, signerOf, verifyOnce } from './sim-keys.js'
import type { Transport } from './transport.js'
import type { VirtualTime } from './virtual-time.js'

/** One life of a node's process, from its start to a crash. */
export interface Process {
  readonly context: RoomsContext
  readonly memberships: Memberships
  readonly creation: RoomCreation
  readonly sending: Sending
  readonly toDevice: ToDevice
  readonly replication: Replication
}

/** A node that outlives its processes: its name, its key and its disk. */
export interface SimNode {
  readonly name: string
  readonly users: readonly string[]
  /** The disk, beside the process that runs. */
  readonly disk: Store
  /** Undefined while it is down. */
  process: Process | undefined
  start(): Promise<void>
  /** Its clock. */
  now(): number
  /** The process ends in the middle of whatever it does. */
  crash(): void
  /**
   * It ends as soon as one of its writes is on disk that `is` true for by its label, unless it ends before; then `after` is called. A life
   * has one such end in view: the latest that was asked for.
   */
  crashWhenWritten(is: (label: string) => boolean, after: () => void): void
  /** It goes on living. */
  spare(): void
  /** What is on its disk now is kept aside. */
  backUp(): void
  /** Its disk is lost, and the last backup takes its place. Pre: it is down, and there is a backup. */
  restore(): Promise<void>
  /** What is on its disk now. */
  image(): Copy
  close(): Promise<void>
}

export const as = (userId: string): Requester => ({
  userId,
  deviceId: 'DEVICE',
  isGuest: false,
  isAdmin: false,
  isSuspended: false,
  appserviceId: undefined,
})

export interface SimNodeDeps {
  readonly name: string
  readonly users: readonly string[]
  /** The other servers of this world. */
  readonly others: readonly string[]
  readonly time: VirtualTime
  readonly transport: Transport
  readonly chance: Seeded
  readonly logger: Logger
  /** How far its clock is from everybody's, in milliseconds. */
  readonly clockError: number
  /** Longest time of a write, in milliseconds; 0 for none. */
  readonly diskMs: number
  /** What is on its disk; absent: the accounts of its users alone. */
  readonly image?: Copy
}

export async function createSimNode(deps: SimNodeDeps): Promise<SimNode> {
  const { name, users, time, chance } = deps
  const clock: Clock = { now: () => time.now() + deps.clockError, monotonic: () => time.monotonic() }
  const disk = openMemoryStore(clock, deps.image)
  const signer = signerOf(name)
  const delays = chance.fork('disk')
  let lives = 0
  let backup: Copy | undefined
  let stop: (() => void) | undefined
  let current: FragileStore | undefined
  if (deps.image === undefined)
    await disk.write('sim.users', function* () {
      for (const userId of users) {
        const account = { passwordHash: null, isGuest: false, isAdmin: false, appserviceId: null }
        yield* insertUser({ userId, createdTs: 0, ...account })
        yield* insertDevice({ userId, deviceId: 'DEVICE', displayName: null, createdTs: 0 })
      }
    })

  const node: SimNode = {
    name,
    users,
    disk,
    process: undefined,
    now: () => clock.now(),
    async start() {
      // A machine has one process of it.
      stop?.()
      let alive = true
      const random = chance.fork(`process ${++lives}`)
      const store = fragileStore(disk, time, () =>
        deps.diskMs > 0 && delays.chance(0.5) ? delays.int(1, deps.diskMs) : 0,
      )
      current = store
      stop = () => {
        alive = false
        store.crash()
      }
      node.process = await startProcess({ ...deps, clock, store, signer, random, isAlive: () => alive })
    },
    crash() {
      stop?.()
      node.process = undefined
      deps.transport.servers.delete(name)
    },
    crashWhenWritten(is, after) {
      if (current === undefined) return
      current.onWritten = (label) => {
        if (!is(label)) return
        node.crash()
        after()
      }
    },
    spare() {
      if (current !== undefined) current.onWritten = () => undefined
    },
    backUp() {
      backup = disk.copy()
    },
    async restore() {
      disk.putBack(backup!)
      await disk.write('sim.restore', () => resumeFromCopy(clock.now()))
    },
    image: () => disk.copy(),
    close: () => disk.close(),
  }
  return node
}

interface ProcessDeps extends SimNodeDeps {
  readonly clock: Clock
  readonly store: Store
  readonly signer: Signer
  readonly random: Seeded
  isAlive(): boolean
}

async function startProcess(deps: ProcessDeps): Promise<Process> {
  const { name, users, transport, logger, clock, store, signer } = deps
  const { random } = deps.random
  const client = transport.clientOf(name, deps.isAlive)
  const known = createKnownKeys({ store, clock, logger })
  // Whose server cannot be reached, what they have said would else be missing from a state that is taken over.
  const notaries = deps.others.map((serverName) => ({ serverName }))
  const fetcher = createKeyFetcher({ client, known, notaries, clock, random, logger })
  const keys = createKeys({
    serverName: name,
    signer,
    known,
    fetcher,
    clock,
    verifySignature: verifyOnce,
  })
  const base = { store, clock, random, logger, serverName: name, notifier: createNotifier() }
  const sender = createSender({
    ...base,
    client,
    options: { backoff: { initialMs: 1_000, maxMs: 60_000 } },
  })
  const wakeSender = (destinations: readonly string[]): void => sender.wake(destinations)
  const toDevice = createToDevice({ ...base, wakeSender })
  const { context, outside } = buildRooms({
    ...base,
    signer: eventSignerOf(name, signer),
    defaultRoomVersion: '12',
    memberHooks: {
      *remoteUsersLeft() {},
      *roomLeft() {},
      *localUserJoined() {},
    },
    wakeSender,
  })
  const intake = createPduIntake({ keys, logger })
  const arrivals = createArrivals()
  const replication = createReplication({
    context,
    client,
    intake,
    sender,
    eduHandlers: [(origin, type, content) => toDevice.onEdu(origin, type, content)],
    outside,
    arrivals,
  })
  const remote = createRemoteMemberships({ context, client, keys, intake, outside, arrivals })
  const aliases = {
    resolve: () => Promise.reject(new Error('there are no aliases here')),
  } as never
  const isOurs = (userId: string): Promise<boolean> => Promise.resolve(users.includes(userId))
  const memberships = createMemberships({
    context,
    aliases,
    remote,
    outside,
    memberProfile: () => Promise.resolve({}),
    checkInvitable: () => Promise.resolve(),
    userExists: isOurs,
  })
  const federates = (): boolean => true
  const serve = serveWith({
    keys,
    notary: createNotary({ serverName: name, signer, keys, known, fetcher, clock, federates }),
    inbound: replication.inbound,
    membership: createMembershipServing({ context, keys }),
    invites: createInviteServing({
      context,
      keys,
      intake,
      outside,
      isActiveUser: isOurs,
      checkInvitable: () => Promise.resolve(),
    }),
    reads: createFederationReads(context),
  })
  // In the order of the program's start.
  await removeAbandonedImports({ store, logger })
  transport.servers.set(name, serve)
  await replication.resume()
  return {
    context,
    memberships,
    creation: createRoomCreation({
      context,
      memberships,
      addressInvites: {} as never,
      memberProfile: () => Promise.resolve({}),
    }),
    sending: createSending(context, aliases),
    toDevice,
    replication,
  }
}
