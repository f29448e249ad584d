import type { FederationClient } from '../../federation/client.js'
import type { RoomHealth } from '../receiving/room-comparison.js'
import type { RoomsContext } from '../../rooms/context.js'
import type { OutsideMemberships } from '../../rooms/outside-memberships.js'
import type { Arrivals } from '../handshakes/arrivals.js'
import { createBackfill, type Backfill, type BackfillOptions } from '../history/backfill.js'
import { createDrain, type Drain, type DrainOptions } from '../receiving/drain.js'
import { createEduDispatch, type EduHandler } from '../receiving/edu-dispatch.js'
import { createFetchByTime, type FetchByTime } from '../history/fetch-by-time.js'
import { createGapFill, type GapFill, type GapFillOptions } from '../history/gap-fill.js'
import { createRoomHealth } from '../receiving/room-health.js'
import { createInbound, type Inbound } from '../receiving/inbound.js'
import {
  createRoomCompletion,
  type RoomCompletion,
  type RoomCompletionOptions,
} from '../receiving/room-completion.js'
import { createRoomRepairs, type RoomRepairs } from '../receiving/room-repairs.js'
import { createRetraction } from '../receiving/retraction.js'
import type { PduIntake } from '../peers/pdu-intake.js'
import { createPeerReads, type PeerReads } from '../peers/peer-reads.js'
import type { Sender } from '../sending/sender.js'
import { createStagingQuota, type StagingLimits } from '../receiving/staging-quota.js'

/** For tests: the flow of events to and from other servers, as the program composes it. */
export interface Replication {
  readonly sender: Sender
  readonly inbound: Inbound
  readonly drain: Drain
  readonly gapFill: GapFill
  readonly peers: PeerReads
  readonly backfill: Backfill
  readonly fetchByTime: FetchByTime
  readonly health: RoomHealth
  readonly repairs: RoomRepairs
  readonly completion: RoomCompletion
  /** At start, once other servers can reach this one: goes on with what was staged, and with what waits to be sent. */
  resume(): Promise<void>
  close(): Promise<void>
}

export interface ReplicationDeps {
  readonly context: RoomsContext
  readonly client: Pick<FederationClient, 'request' | 'requestStream'>
  readonly intake: PduIntake
  readonly eduHandlers: readonly EduHandler[]
  readonly sender: Sender
  /** Invites in rooms that the server is not in, which other servers may end. */
  readonly outside?: OutsideMemberships
  readonly arrivals?: Arrivals
  federates?(serverName: string): boolean
  readonly options?: {
    readonly staging?: StagingLimits
    readonly drain?: DrainOptions
    readonly gapFill?: GapFillOptions
    readonly backfill?: BackfillOptions
    readonly completion?: RoomCompletionOptions
  }
}

/** All of it but the sender, which rooms wake and which therefore exists before them. */
export function createReplication(deps: ReplicationDeps): Replication {
  const { context, client, intake, sender, options = {} } = deps
  const peers = createPeerReads({ client, intake })
  const gapFill = createGapFill({
    context,
    peers,
    ...(options.gapFill === undefined ? {} : { options: options.gapFill }),
  })
  const quota = createStagingQuota({
    store: context.store,
    ...(options.staging === undefined ? {} : { limits: options.staging }),
  })
  const drain = createDrain({
    context,
    intake,
    gapFill,
    quota,
    ...(options.drain === undefined ? {} : { options: options.drain }),
  })
  const edus = createEduDispatch({ context, handlers: deps.eduHandlers, logger: context.logger })
  const inbound = createInbound({
    context,
    intake,
    edus,
    quota,
    drain,
    ...(deps.arrivals === undefined ? {} : { arrivals: deps.arrivals }),
    ...(deps.outside === undefined
      ? {}
      : { retraction: createRetraction({ context, intake, outside: deps.outside }) }),
    ...(deps.federates === undefined ? {} : { federates: deps.federates }),
    onContact: (server) => sender.onContact(server),
  })
  const backfill = createBackfill({
    context,
    peers,
    ...(options.backfill === undefined ? {} : { options: options.backfill }),
  })
  const health = createRoomHealth({ context, client, peers, inbound, drain })
  const repairs = createRoomRepairs({ store: context.store, clock: context.clock, random: context.random, logger: context.logger, health }) // prettier-ignore
  const completion = createRoomCompletion({
    context,
    peers,
    onWhole: () => repairs.wake(),
    ...(options.completion === undefined ? {} : { options: options.completion }),
  })
  deps.arrivals?.onJoined(() => {
    repairs.wake()
    completion.wake()
  })
  return {
    sender,
    inbound,
    drain,
    gapFill,
    peers,
    backfill,
    health,
    repairs,
    completion,
    fetchByTime: createFetchByTime({ context, peers, backfill }),
    async resume() {
      await drain.resume()
      await sender.resume()
      repairs.wake()
      completion.wake()
    },
    async close() {
      await sender.close()
      await drain.close()
      await repairs.close()
      await completion.close()
    },
  }
}
