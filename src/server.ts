import { readFileSync } from 'node:fs'
import type { RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { watchDesk, watchNodeList, watchQueues } from './composition/gauges.js'
import { configuredKeys } from './composition/own-keys.js'
import { rateLimits } from './composition/options.js'
import { buildServices, type Built } from './composition/services.js'
import type { Config } from './config/schema.js'
import { adminRoutes } from './http/admin/routes.js'
import { createApp } from './http/app.js'
import { accountRoutes } from './http/client/account-routes.js'
import { e2eeRoutes } from './http/client/e2ee-routes.js'
import { roomRoutes } from './http/client/room-routes.js'
import { createListener } from './http/listener.js'
import { operatorRoutes } from './http/operator/routes.js'
import { federationMediaRoutes, mediaRoutes } from './http/media/routes.js'
import { mediaProxyRoutes } from './http/media-proxy/routes.js'
import { createRateLimiter } from './http/rate-limit.js'
import type { Route } from './http/route.js'
import { federationRoutes } from './http/server-server/routes.js'
import { sendTransaction } from './http/server-server/send-transaction.js'
import { nodeRoutes } from './http/well-known/routes.js'
import { periodicJobs } from './jobs/jobs.js'
import { startJobs } from './jobs/schedule.js'
import { createClockWatch } from './platform/clock-watch.js'
import { systemClock } from './platform/clock.js'
import { listenPrivately } from './platform/local-socket.js'
import { createLogger, type Logger } from './platform/logger.js'
import type { Metrics } from './platform/metrics.js'
import { systemRandom } from './platform/random.js'
import { removeAbandonedImports } from './services/replication/history/abandoned-imports.js'
import type { Services } from './services/services.js'
import type { NodeMetrics } from './services/node-metrics.js'
import { openSqlite } from './storage/sqlite-store.js'
import type { StoreObserver } from './storage/observer.js'
import type { Store } from './storage/tx.js'
import { watchWrites } from './storage/write-watch.js'
import { createStateResolver } from './workers/state-resolver.js'

export interface ServerOptions {
  readonly logger?: Logger
  /** The store can write no more: the process should end and be started again. */
  onFault?(error: Error): void
}

export interface RunningServer {
  /** `listener 0`, …: where each listener of the configuration really listens. */
  readonly addresses: Readonly<Record<string, string>>
  readonly services: Services
  close(): Promise<void>
}

type Resource = Config['listeners'][number]['resources'][number]

/** Every route, by the listener resource that serves it. */
const ROUTES: Readonly<Record<Resource, readonly Route[]>> = {
  client: [...roomRoutes, ...e2eeRoutes, ...accountRoutes, ...adminRoutes, ...nodeRoutes.client],
  media: [...mediaRoutes, ...mediaProxyRoutes],
  federation: [sendTransaction, ...federationRoutes, ...federationMediaRoutes, ...nodeRoutes.federation],
  metrics: nodeRoutes.metrics,
  health: nodeRoutes.health,
}

/** All routes of a node with everything switched on. */
export const allRoutes: readonly Route[] = Object.values(ROUTES).flat()

/** Builds and starts a node. Rejects when the store, the key or an address cannot be had. */
export async function startServer(config: Config, options: ServerOptions = {}): Promise<RunningServer> {
  const logger = options.logger ?? createLogger({ level: config.logging.level })
  const { metrics, nodeMetrics } = config.metrics.enabled ? await openMetrics() : NO_METRICS
  const ownKeys = configuredKeys(config)
  const { store, fault: writeFault } = watchWrites(
    await openStore(config, logger, nodeMetrics?.onStore, options.onFault),
    systemClock,
  )
  const resolver = createStateResolver({ logger })
  const stopping = new AbortController()
  const servers: Server[] = []
  let built: Built | undefined
  let jobs: { stop(): Promise<void> } | undefined

  async function close(): Promise<void> {
    stopping.abort()
    // Requests wait for tasks of administrators, which go on at the next start.
    await Promise.all([...servers.map(closeListener), built?.services.administration.tasks.close()])
    await jobs?.stop()
    await built?.repairs.close()
    await built?.completion.close()
    await built?.drain.close()
    await built?.sender.close()
    await built?.services.retention.close()
    await built?.services.delayedEvents.close()
    await built?.services.adminBot?.close()
    await built?.services.accountMoves.close()
    await built?.push.close()
    await built?.appservices.close()
    await built?.mailer?.close()
    await built?.services.accounts.lastSeen.flush()
    await built?.services.audit.flush()
    built?.services.auditFeed?.close()
    await built?.mediaParts.close()
    await resolver.close()
    await built?.transport.close()
    await store.close()
  }

  try {
    built = await buildServices({
      config,
      store,
      clock: systemClock,
      random: systemRandom,
      logger,
      ownKeys,
      writeFault,
      metrics,
      resolver,
      ...(nodeMetrics === undefined ? {} : { nodeMetrics }),
    })
    const { services, sender } = built
    if (nodeMetrics !== undefined) {
      watchQueues({ nodeMetrics, store, sender })
      watchDesk({ nodeMetrics, desk: services.moderationDesk })
      const { nodeList } = services
      if (nodeList !== undefined) watchNodeList({ nodeMetrics, nodeList, clock: systemClock })
    }
    // Before anybody can ask for another join.
    if (config.federation.enabled) {
      await removeAbandonedImports({ store, logger })
      built.transport.warm()
    }
    const addresses: Record<string, string> = {}
    for (const [i, listener] of config.listeners.entries()) {
      const routes = listener.resources.flatMap((resource) => ROUTES[resource])
      const handler = createHandler(config, routes, built, logger, stopping.signal, nodeMetrics)
      const server = listenerOf(listener, handler, logger)
      addresses[`listener ${i}`] = await listen(server, listener)
      servers.push(server)
    }
    const operators = createListener(
      createHandler(config, operatorRoutes, built, logger, stopping.signal, nodeMetrics),
      { logger },
    )
    const refusal = await listenPrivately(operators, config.operator_socket)
    if (refusal === undefined) servers.push(operators)
    else logger.warn({ reason: refusal }, 'the command line cannot reach this node while it runs')
    if (config.federation.enabled) {
      await built.drain.resume()
      await built.sender.resume()
      built.repairs.wake()
      built.completion.wake()
    }
    built.mailer?.wake()
    await built.push.start()
    built.appservices.start()
    services.delayedEvents.start()
    services.adminBot?.start()
    const clockWatch = createClockWatch({ clock: systemClock, logger })
    const watchClock = { name: 'clock.watch', every: 10_000, run: () => Promise.resolve(clockWatch.look()) }
    jobs = startJobs(
      [
        ...periodicJobs(services, {
          nodeListMs: config.node_list.refresh,
          auditDepositMs: config.audit.deposit_every,
          retentionMs: config.retention.interval,
        }),
        watchClock,
      ],
      {
        clock: systemClock,
        logger,
      },
    )
    return { addresses, services, close }
  } catch (error) {
    await close()
    throw error
  }
}

const NO_METRICS = { metrics: undefined, nodeMetrics: undefined }

/** Loaded here alone: a node without metrics starts faster. */
async function openMetrics(): Promise<{ readonly metrics: Metrics; readonly nodeMetrics: NodeMetrics }> {
  const { createMetrics } = await import('./platform/metrics.js')
  const { createNodeMetrics } = await import('./services/node-metrics.js')
  const metrics = createMetrics()
  return { metrics, nodeMetrics: createNodeMetrics(metrics) }
}

async function openStore(
  config: Config,
  logger: Logger,
  observe: StoreObserver | undefined,
  onFault: ServerOptions['onFault'],
): Promise<Store> {
  const common = { logger, ...(observe === undefined ? {} : { observe }) }
  if (config.database.driver === 'postgres') {
    // Loaded here alone, with its driver: most nodes start faster without it.
    const { openPostgres } = await import('./storage/postgres-store.js')
    return openPostgres({
      ...common,
      connectionString: config.database.url,
      // One connection writes.
      tuning: { readers: config.database.max_connections - 1 },
    })
  }
  return openSqlite({ ...common, path: config.database.path, ...(onFault === undefined ? {} : { onFault }) })
}

function createHandler(
  config: Config,
  routes: readonly Route[],
  built: Built,
  logger: Logger,
  stopping: AbortSignal,
  nodeMetrics: NodeMetrics | undefined,
): RequestListener {
  const { services, transport, sender } = built
  const app = createApp({
    routes,
    services,
    logger,
    clock: systemClock,
    rateLimiter: createRateLimiter(rateLimits(config), systemClock),
    trustedProxies: config.trusted_proxies,
    stopping,
    authenticate: services.accounts.authenticate,
    authenticateServer: async (request) => {
      const origin = await transport.requestAuth.verify(request)
      sender.onContact(origin)
      return origin
    },
    admitServer: (authorization) => transport.requestAuth.admit(authorization),
    ...(nodeMetrics === undefined ? {} : { onAnswer: nodeMetrics.onAnswer }),
  })
  const handler = app.callback()
  return (req, res) => void handler(req, res)
}

function listenerOf({ tls }: Config['listeners'][number], handler: RequestListener, logger: Logger): Server {
  if (tls === undefined) return createListener(handler, { logger })
  const pem = { certificate: readFileSync(tls.certificate), key: readFileSync(tls.key) }
  return createListener(handler, { logger, tls: pem })
}

/** Why an address cannot be had, in a sentence that its operator understands. */
export class ListenError extends Error {}

function listenFault(error: NodeJS.ErrnoException, address: string, port: number): Error {
  const where = `${address} port ${port}`
  switch (error.code) {
    case 'EADDRINUSE':
      return new ListenError(`cannot listen on ${where}: another program has it (EADDRINUSE)`)
    case 'EACCES':
      return new ListenError(`cannot listen on ${where}: this user may not (EACCES)`)
    case 'EADDRNOTAVAIL':
      return new ListenError(`cannot listen on ${where}: this machine has no such address (EADDRNOTAVAIL)`)
    default:
      return error
  }
}

function listen(server: Server, { address, port, tls }: Config['listeners'][number]): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenFault(error, address, port)))
    server.listen(port, address, () => {
      server.removeAllListeners('error')
      const bound = server.address() as AddressInfo
      const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address
      resolve(`${tls === undefined ? 'http' : 'https'}://${host}:${bound.port}`)
    })
  })
}

/** Answers what is under way; idle connections end at once, the others after a grace. */
function closeListener(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), 3_000)
    server.close(() => {
      clearTimeout(force)
      resolve()
    })
    server.closeIdleConnections()
  })
}
