import type { LookupFunction } from 'node:net'
import type { Clock } from '../../platform/clock.js'
import type { Signer } from '../../platform/ed25519.js'
import type { Logger } from '../../platform/logger.js'
import type { Random } from '../../platform/random.js'
import type { Store } from '../../storage/tx.js'
import { createAddressPolicy, guardedLookup, type AddressPolicy } from './address-policy.js'
import { createFederationClient, type FederationClient } from './client.js'
import { createConnections } from './connections.js'
import { createDiscovery, type Discovery } from './discovery.js'
import type { RetiredKey } from './key-document.js'
import { createKeyFetcher, type Notary } from './key-fetcher.js'
import { createKeys, type Keys } from './keys.js'
import { createKnownKeys } from './known-keys.js'
import { createNotary, type NotaryService } from './notary.js'
import { createOutboundHttp, type OutboundHttp } from './outbound-http.js'
import { createRequestAuth, type RequestAuth } from './request-auth.js'
import { systemSrv, type ResolveSrv, type SrvTarget } from './srv.js'
import { createWellKnown } from './well-known.js'

/** Everything that talks to other servers, or listens to them, below the API's endpoints. */
export interface Transport {
  readonly client: FederationClient
  readonly discovery: Discovery
  readonly keys: Keys
  readonly requestAuth: RequestAuth
  readonly notary: NotaryService
  /** Ordinary HTTP to addresses that others name, under the same policy. */
  readonly http: OutboundHttp
  readonly policy: AddressPolicy
  /** Whether this server speaks with that one, by the lists of the configuration. */
  federates(serverName: string): boolean
  /** Does what the first connection would otherwise wait for, and everybody with it. */
  warm(): void
  /** Ends idle connections; requests under way may finish. */
  close(): Promise<void>
}

export interface TransportDeps {
  readonly serverName: string
  readonly signer: Signer
  /** Keys that this server signed with before. */
  readonly retired?: () => readonly RetiredKey[]
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** `name/version`. */
  readonly userAgent: string
  readonly options: TransportOptions
}

export interface TransportOptions {
  /** False: no other server is spoken to or listened to. Default true. */
  readonly enabled?: boolean
  /** Undefined: every server. */
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  readonly pinnedKeys?: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** Public keys that never count, as unpadded base64. */
  readonly bannedKeys?: ReadonlySet<string>
  readonly notaries?: readonly Notary[]
  readonly hosts?: ReadonlyMap<string, SrvTarget>
  readonly useWellKnown?: boolean
  readonly useSrv?: boolean
  /** CIDR ranges; see `createAddressPolicy`. */
  readonly deniedIpRanges?: readonly string[]
  readonly allowedIpRanges?: readonly string[]
  /** PEM. */
  readonly extraCa?: readonly string[]
  readonly caByServer?: ReadonlyMap<string, readonly string[]>
  readonly verifyTls?: boolean
  readonly connectTimeoutMs?: number
  /** See `FederationClientDeps`. */
  readonly questionTimeoutMs?: number
  /** For tests: in place of the system's. */
  readonly resolveSrv?: ResolveSrv
  readonly lookup?: LookupFunction
}

export function createTransport(deps: TransportDeps): Transport {
  const { serverName, signer, store, clock, random, logger, userAgent, options } = deps
  const policy = createAddressPolicy({
    ...(options.deniedIpRanges !== undefined && { denied: options.deniedIpRanges }),
    allowed: options.allowedIpRanges ?? [],
  })
  const connections = createConnections({
    policy,
    lookup: options.lookup ?? guardedLookup(policy),
    extraCa: options.extraCa ?? [],
    caByServer: options.caByServer ?? new Map(),
    verifyTls: options.verifyTls ?? true,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
  })
  const http = createOutboundHttp({ connections, userAgent, now: () => clock.monotonic() })
  const discovery = createDiscovery({
    wellKnown: options.useWellKnown === false ? undefined : createWellKnown({ http, clock, random }),
    resolveSrv: options.useSrv === false ? undefined : (options.resolveSrv ?? systemSrv()),
    clock,
    random,
    hosts: options.hosts ?? new Map(),
  })
  const federates = federationRule(options)
  const client = createFederationClient({
    serverName,
    signer,
    discovery,
    connections,
    clock,
    userAgent,
    federates,
    ...(options.questionTimeoutMs !== undefined && { questionTimeoutMs: options.questionTimeoutMs }),
  })
  const banned = options.bannedKeys ?? new Set()
  const known = createKnownKeys({ store, clock, logger, banned })
  const { notaries = [] } = options
  const fetcher = createKeyFetcher({ client, known, notaries, clock, random, logger, banned })
  const keys = createKeys({
    serverName,
    signer,
    retired: deps.retired ?? (() => []),
    pinned: options.pinnedKeys ?? new Map(),
    known,
    fetcher,
    clock,
  })
  return {
    client,
    discovery,
    keys,
    requestAuth: createRequestAuth({ serverName, keys, clock, federates }),
    notary: createNotary({ serverName, signer, keys, known, fetcher, clock, federates }),
    http,
    policy,
    federates,
    warm: () => connections.warm(),
    close: () => connections.close(),
  }
}

/** Server names are compared byte for byte, as the specification has it. */
function federationRule({
  enabled = true,
  allow,
  deny = [],
}: TransportOptions): (serverName: string) => boolean {
  const allowed = allow === undefined ? undefined : new Set(allow)
  const denied = new Set(deny)
  return (serverName) =>
    enabled && !denied.has(serverName) && (allowed === undefined || allowed.has(serverName))
}
