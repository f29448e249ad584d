import type { Config } from '../config/schema.js'
import type { Clock } from '../platform/clock.js'
import type { Signer } from '../platform/ed25519.js'
import type { Logger } from '../platform/logger.js'
import type { Random } from '../platform/random.js'
import type { AuditTrail } from '../services/audit/trail.js'
import { createAddressPolicy } from '../services/federation/address-policy.js'
import { createConnections } from '../services/federation/connections.js'
import { createOutboundHttp } from '../services/federation/outbound-http.js'
import type { Transport } from '../services/federation/transport.js'
import { federationFetch, outboundFetch } from '../services/media/federation-fetch.js'
import { createMedia, type Media } from '../services/media/media.js'
import { createUrlFetcher } from '../services/previews/fetch-url.js'
import type { NodeListService } from '../services/node-list/node-list.js'
import type { NodeMetrics } from '../services/node-metrics.js'
import { createPreviews, type Previews } from '../services/previews/previews.js'
import { createScanning, type Scanning } from '../services/scanning/scanning.js'
import type { Store } from '../storage/tx.js'
import { VERSION } from '../version.js'
import { createThumbnailPool } from '../workers/thumbnail-pool.js'
import { mediaOptions, remoteMediaLimits } from './options.js'
import { buildScanner } from './scanner.js'

export interface MediaParts {
  readonly media: Media
  readonly previews: Previews
  readonly scanning: Scanning
  /** Ends the processes that make thumbnails, and the connections of previews. */
  close(): Promise<void>
}

interface MediaPartsDeps {
  readonly config: Config
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly serverName: string
  readonly transport: Transport
  readonly signer: Signer
  readonly audit: AuditTrail
  readonly nodeList: NodeListService | undefined
  readonly nodeMetrics: NodeMetrics | undefined
}

/** Builds what has to do with files: those of users and of other servers, and what pages show of themselves. */
export async function buildMedia({
  config,
  transport,
  signer,
  nodeList,
  nodeMetrics,
  ...base
}: MediaPartsDeps): Promise<MediaParts> {
  const thumbnailer = createThumbnailPool({ logger: base.logger })
  const scan = await buildScanner({ ...base, config, signer, nodeList, nodeMetrics })
  const media = await createMedia({
    ...base,
    ...(scan === undefined ? {} : { gate: scan.gate, looksAhead: true }),
    thumbnailer,
    fetchRemote: federationFetch(transport.client, remoteMediaLimits(config)),
    fetchUrl: outboundFetch(transport.http, remoteMediaLimits(config)),
    options: mediaOptions(config),
  })
  const { previews, close } = buildPreviews({ ...base, config, media })
  return {
    media,
    previews,
    scanning: createScanning({ media, parts: scan }),
    async close() {
      await Promise.all([thumbnailer.close(), close()])
    },
  }
}

/**
 * Previews have connections of their own: ranges that are open to federation, such as a network between ministries, are not open to
 * whatever users link to.
 */
function buildPreviews(deps: {
  readonly config: Config
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly media: Media
}): { readonly previews: Previews; close(): Promise<void> } {
  const { config, store, clock, logger, media } = deps
  const {
    enabled,
    allow,
    deny,
    allowed_ip_ranges: allowed,
    max_image_bytes: maxImageBytes,
    timeout,
    cache_lifetime: cacheMs,
  } = config.url_previews
  const connections = createConnections({
    policy: createAddressPolicy({ allowed }),
    connectTimeoutMs: timeout,
    maxEndpoints: 200,
    keepAliveMs: 1_000,
  })
  const monotonic = (): number => clock.monotonic()
  const fetcher = createUrlFetcher({
    http: createOutboundHttp({
      connections,
      userAgent: `Chancery/${VERSION} (bot; previews of links)`,
      now: monotonic,
    }),
    rules: {
      allow: allow ?? undefined,
      deny,
    },
    timeoutMs: timeout,
    monotonic,
  })
  const previews = createPreviews({
    store,
    clock,
    logger,
    media,
    fetcher,
    options: {
      enabled,
      maxImageBytes: Math.min(maxImageBytes, config.media.max_upload_bytes),
      cacheMs,
    },
  })
  return { previews, close: () => connections.close() }
}
