import { readFileSync } from 'node:fs'
import type { Config } from '../config/schema.js'
import { readAppservices } from '../config/appservices.js'
import type { AppserviceRegistration } from '../core/appservice/registration.js'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import type { Notifier } from '../platform/notifier.js'
import type { Random } from '../platform/random.js'
import { createAliasRules } from '../services/appservices/alias-rules.js'
import { beginAppservices } from '../services/appservices/begin.js'
import { createBoundQueues, type BoundQueues } from '../services/appservices/bound-queues.js'
import { createAppserviceClient } from '../services/appservices/client.js'
import { createEphemeral } from '../services/appservices/ephemeral.js'
import { createInterest } from '../services/appservices/interest.js'
import { createKeyOwners } from '../services/appservices/key-owners.js'
import { createPing, type PingAppservice } from '../services/appservices/ping.js'
import { createAppserviceQueries, type AppserviceQueries } from '../services/appservices/queries.js'
import { createAppserviceRegistry, type AppserviceRegistry } from '../services/appservices/registry.js'
import { createAppserviceSender, type AppserviceSender } from '../services/appservices/sender.js'
import { createTransactions } from '../services/appservices/transactions.js'
import { createAppserviceWatch, type AppserviceWatch } from '../services/appservices/watch.js'
import type { KeyOwners } from '../services/e2ee/key-owners.js'
import type { EphemeralPositions } from '../services/ephemeral-positions.js'
import { createConnections } from '../services/federation/connections.js'
import { createOutboundHttp } from '../services/federation/outbound-http.js'
import type { NodeMetrics } from '../services/node-metrics.js'
import type { Presence } from '../services/presence/presence.js'
import type { AliasRules } from '../services/rooms/aliases.js'
import type { RoomsContext } from '../services/rooms/context.js'
import type { ClientViews } from '../services/timeline/client-view.js'
import type { Typing } from '../services/typing/typing.js'
import { userById, type UserRow } from '../storage/tables/users.js'
import type { Store } from '../storage/tx.js'
import { VERSION } from '../version.js'
import type { RoomsPartsDeps } from './rooms.js'

/** Milliseconds: a bridge that was restarted is found again soon, one that is gone costs little. */
const BACKOFF = { initialMs: 1_000, maxMs: 60_000 }
const TRANSACTION_TIMEOUT = 60_000

/** What rooms need later to be able to tell application services of them. */
export interface AppserviceSources {
  readonly context: RoomsContext
  readonly views: ClientViews
  readonly positions: EphemeralPositions
  readonly typing: Typing
  readonly presence: Pick<Presence, 'changedAfter'>
}

export interface AppserviceParts {
  readonly registry: AppserviceRegistry
  /** Undefined for a node without any. */
  readonly hooks: AppserviceRegistry | undefined
  readonly watch: AppserviceWatch
  readonly queries: AppserviceQueries
  /** Who keeps keys of users itself. */
  readonly keyOwners: KeyOwners
  readonly aliasRules: AliasRules
  /** Whether the application service acts for the user. */
  acts(appserviceId: string, userId: string): boolean
  /** A local account; application services may make it as soon as somebody asks for it. */
  userRow(userId: string): Promise<UserRow | undefined>
  readonly ping: PingAppservice
  readonly boundQueues: BoundQueues
  /** The notifier, so that what it is told wakes them too. */
  listening(notifier: Notifier): Notifier
  /** What rooms write and do, with what they do for application services. */
  staging(other: Staging): Staging
  connect(sources: AppserviceSources): void
  readonly sender: () => AppserviceSender
  /** Once the node runs: tells what waits. */
  start(): void
  close(): Promise<void>
}

type Staging = Pick<RoomsPartsDeps, 'stage' | 'onEvents' | 'onOutside'>

/** The files were looked at when the configuration was read; one that was broken since ends the start. */
function registrationsOf(config: Config): readonly AppserviceRegistration[] {
  const files = config.appservices.map((file) => ({ file, text: readFileSync(file, 'utf8') }))
  const { registrations, faults } = readAppservices(files, config.server_name)
  const [fault] = faults
  if (fault !== undefined) throw new Error(fault.problem)
  return registrations
}

export async function buildAppservices(deps: {
  readonly config: Config
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly serverName: string
  readonly nodeMetrics?: NodeMetrics
}): Promise<AppserviceParts> {
  const { config, store, clock, nodeMetrics } = deps
  const registry = createAppserviceRegistry({ ...deps, registrations: registrationsOf(config) })
  await beginAppservices({ ...deps, registry })
  // The operator has named the addresses: they may be on this machine, or in its network.
  const connections = createConnections({
    policy: { allows: () => true },
    extraCa: config.federation.ca_files.map((path) => readFileSync(path, 'utf8')),
    maxPerEndpoint: 32,
  })
  const http = createOutboundHttp({
    connections,
    userAgent: `Chancery/${VERSION}`,
    now: () => clock.monotonic(),
  })
  const client = createAppserviceClient({ http, clock })
  const interest = createInterest()
  const watch = createAppserviceWatch({ registry, interest, clock })
  const queries = createAppserviceQueries({ ...deps, registry, client })
  const wantsMore = registry.all.some(
    ({ registration: { url, receivesEphemeral, encrypts } }) =>
      url !== undefined && (receivesEphemeral || encrypts),
  )
  let sender: AppserviceSender | undefined
  const readUser = (userId: string): Promise<UserRow | undefined> =>
    store.read('users.exists', () => userById(userId))

  return {
    registry,
    hooks: registry.all.length === 0 ? undefined : registry,
    watch,
    queries,
    keyOwners: createKeyOwners({ ...deps, registry, client }),
    aliasRules: createAliasRules({ registry, queries }),
    acts: (id, userId) => registry.byId(id)?.ownsUser(userId) === true,
    userRow: async (userId) =>
      (await readUser(userId)) ?? ((await queries.makeUser(userId)) ? await readUser(userId) : undefined),
    boundQueues: createBoundQueues({ ...deps, appservices: registry.all }),
    ping: createPing({ registry, client, clock, onAnswer: (id) => sender?.retryNow(id) }),
    listening(notifier) {
      if (!wantsMore) return notifier
      return {
        get size() {
          return notifier.size
        },
        subscribe: (keys) => notifier.subscribe(keys),
        notify(keys) {
          notifier.notify(keys)
          sender?.nudge()
        },
      }
    },
    staging: (other) => ({
      stage: {
        *events(room) {
          if (other.stage !== undefined) yield* other.stage.events(room)
          yield* watch.stageEvents(room)
        },
        *invite(roomNid, userId, pos) {
          if (other.stage !== undefined) yield* other.stage.invite(roomNid, userId, pos)
        },
        outside: (userId, pos, event) => watch.stageOutside(userId, pos, event),
      },
      onEvents(room) {
        other.onEvents?.(room)
        sender?.wake(watch.concerned(room))
      },
      onOutside(userId) {
        other.onOutside?.(userId)
        sender?.wake(watch.ownersOf(userId).map((one) => one.id))
      },
    }),
    connect({ context, views, positions, typing, presence }) {
      const ephemeral = createEphemeral({ context, interest, positions, typing, presence })
      sender = createAppserviceSender({
        ...deps,
        appservices: registry.all,
        client,
        transactions: createTransactions({ ...deps, context, views, interest, ephemeral }),
        fleeting: positions.current(),
        ...(nodeMetrics === undefined ? {} : { onAttempt: nodeMetrics.onAppserviceAttempt }),
        options: { backoff: BACKOFF, timeoutMs: TRANSACTION_TIMEOUT },
      })
      if (nodeMetrics !== undefined && registry.all.length > 0) {
        const own = sender
        nodeMetrics.watch(
          'appservices_failing',
          'Application services that did not take their last transaction.',
          () => own.failing,
        )
        nodeMetrics.watch(
          'appservice_lag_seconds',
          'Age of the oldest thing that some application service has not taken.',
          () => own.lag(),
        )
      }
    },
    sender: () => sender!,
    start: () => sender?.start(),
    async close() {
      await sender?.close()
      await connections.close()
    },
  }
}
