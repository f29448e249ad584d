import type { Config } from '../config/schema.js'
import type { E2ee } from '../services/e2ee/e2ee.js'
import type { Transport } from '../services/federation/transport.js'
import type { RoomHealth } from '../services/replication/receiving/room-comparison.js'
import type { Presence } from '../services/presence/presence.js'
import type { Receipts } from '../services/receipts/receipts.js'
import type { Arrivals } from '../services/replication/handshakes/arrivals.js'
import { createBackfill, type Backfill } from '../services/replication/history/backfill.js'
import { createDrain, type Drain } from '../services/replication/receiving/drain.js'
import { createEduDispatch } from '../services/replication/receiving/edu-dispatch.js'
import { createFetchByTime, type FetchByTime } from '../services/replication/history/fetch-by-time.js'
import { createGapFill } from '../services/replication/history/gap-fill.js'
import { createInbound, type Inbound } from '../services/replication/receiving/inbound.js'
import type { PduIntake } from '../services/replication/peers/pdu-intake.js'
import { createPeerReads } from '../services/replication/peers/peer-reads.js'
import { createRetraction } from '../services/replication/receiving/retraction.js'
import type { Sender } from '../services/replication/sending/sender.js'
import {
  createRoomCompletion,
  type RoomCompletion,
} from '../services/replication/receiving/room-completion.js'
import { createRoomHealth } from '../services/replication/receiving/room-health.js'
import { createRoomRepairs, type RoomRepairs } from '../services/replication/receiving/room-repairs.js'
import { createStagingQuota, STAGING_LIMITS } from '../services/replication/receiving/staging-quota.js'
import type { RoomsContext } from '../services/rooms/context.js'
import type { OutsideMemberships } from '../services/rooms/outside-memberships.js'
import type { ToDevice } from '../services/to-device/to-device.js'
import type { TypingNotices } from '../services/typing/typing-notices.js'

export interface Replication {
  readonly inbound: Inbound
  readonly drain: Drain
  readonly backfill: Backfill
  readonly fetchByTime: FetchByTime
  readonly roomHealth: RoomHealth
  readonly repairs: RoomRepairs
  readonly completion: RoomCompletion
}

/** What flows in from other servers: transactions, and the history and state that they lack. */
export function buildReplication(deps: {
  readonly config: Config
  readonly context: RoomsContext
  readonly transport: Transport
  readonly intake: PduIntake
  readonly outside: OutsideMemberships
  readonly arrivals: Arrivals
  readonly sender: Sender
  readonly e2ee: E2ee
  readonly toDevice: ToDevice
  readonly receipts: Receipts
  readonly typingNotices: TypingNotices
  readonly presence: Pick<Presence, 'onEdu'>
}): Replication {
  const { config, context, intake } = deps
  const peers = createPeerReads({ client: deps.transport.client, intake })
  const quota = createStagingQuota({
    store: context.store,
    limits: {
      perOrigin: { ...STAGING_LIMITS.perOrigin, size: config.limits.staged_bytes_per_server },
      perRoom: { ...STAGING_LIMITS.perRoom, size: config.limits.staged_bytes_per_room },
    },
  })
  const drain = createDrain({ context, intake, quota, gapFill: createGapFill({ context, peers }) })
  const edus = createEduDispatch({
    context,
    logger: context.logger,
    handlers: [
      async (origin, type, content) => {
        if (type !== 'm.typing') return false
        await deps.typingNotices.onEdu(origin, content)
        return true
      },
      async (origin, type, content) => {
        if (type !== 'm.receipt') return false
        await deps.receipts.onEdu(origin, content)
        return true
      },
      async (origin, type, content) => {
        if (type !== 'm.presence') return false
        await deps.presence.onEdu(origin, content)
        return true
      },
      (origin, type, content) => deps.toDevice.onEdu(origin, type, content),
      (origin, type, content) => deps.e2ee.onEdu(origin, type, content),
    ],
  })
  const inbound = createInbound({
    context,
    intake,
    edus,
    quota,
    drain,
    arrivals: deps.arrivals,
    retraction: createRetraction({ context, intake, outside: deps.outside }),
    federates: deps.transport.federates,
    onContact: (name) => deps.sender.onContact(name),
  })
  const backfill = createBackfill({ context, peers })
  const roomHealth = createRoomHealth({ context, client: deps.transport.client, peers, inbound, drain })
  const { store, clock, random, logger } = context
  const repairs = createRoomRepairs({ store, clock, random, logger, health: roomHealth })
  const completion = createRoomCompletion({ context, peers, onWhole: () => repairs.wake() })
  deps.arrivals.onJoined(() => {
    repairs.wake()
    completion.wake()
  })
  return {
    inbound,
    drain,
    backfill,
    fetchByTime: createFetchByTime({ context, peers, backfill }),
    roomHealth,
    repairs,
    completion,
  }
}
