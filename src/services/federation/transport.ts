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
import { createPeers, type PeerOptions, type Peers } from './peers.js'
import { createRequestAuth, type RequestAuth } from './request-auth.js'
import { systemSrv, type ResolveSrv } from './srv.js'
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
  /** Whether this server speaks with that one: see `Peers`. */
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
  /** What a list of members says of them. */
  readonly listed?: Peers
  /** Servers that are shut out for now; asked each time. */
  readonly isBanned?: (serverName: string) => boolean
  readonly options: TransportOptions
}

export interface TransportOptions extends PeerOptions {
  readonly notaries?: readonly Notary[]
  readonly useWellKnown?: boolean
  readonly useSrv?: boolean
  /** CIDR ranges; see `createAddressPolicy`. */
  readonly deniedIpRanges?: readonly string[]
  readonly allowedIpRanges?: readonly string[]
  /** PEM. */
  readonly extraCa?: readonly string[]
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
  const settled = createPeers(options, deps.listed)
  const { isBanned = () => false } = deps
  const federates = (name: string): boolean => settled.federates(name) && !isBanned(name)
  const peers: Peers = { ...settled, federates }
  const connections = createConnections({
    policy,
    lookup: options.lookup ?? guardedLookup(policy),
    extraCa: options.extraCa ?? [],
    trustOf: peers.trustOf,
    verifyTls: options.verifyTls ?? true,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
  })
  const http = createOutboundHttp({ connections, userAgent, now: () => clock.monotonic() })
  const discovery = createDiscovery({
    wellKnown:
      options.useWellKnown === false
        ? undefined
        : createWellKnown({ http, clock, random, hasOwnTrust: (name) => peers.trustOf(name) !== undefined }),
    resolveSrv: options.useSrv === false ? undefined : (options.resolveSrv ?? systemSrv()),
    clock,
    random,
    placesOf: peers.placesOf,
  })
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
  const fetcher = createKeyFetcher({ client, known, notaries, clock, random, logger, banned, federates })
  const keys = createKeys({
    serverName,
    signer,
    retired: deps.retired ?? (() => []),
    fixedKeysOf: peers.keysOf,
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
