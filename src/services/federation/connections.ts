import { createHash, type X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net'
import * as tls from 'node:tls'
import type * as Undici from 'undici'
import type { buildConnector, Pool } from 'undici'
import { AddressRefusedError, guardedLookup, type AddressPolicy } from './address-policy.js'

const require = createRequire(import.meta.url)
/** Loaded when it is first needed: a node starts faster without it. */
const undici = (): typeof Undici => require('undici') as typeof Undici

/** Where to connect, and whom to expect there. */
export interface Endpoint {
  /** DNS name or IP address, without brackets. */
  readonly host: string
  readonly port: number
  /** The DNS name or IP address that the certificate must be for; undefined for plain HTTP. */
  readonly tlsServerName: string | undefined
}

/** Whom to expect at one server, in place of whoever is trusted for all. One of the two is not empty. */
export interface PeerTrust {
  /** PEM authorities that alone are trusted. Empty: the certificate is known by its pin alone, whoever has signed it for whatever name. */
  readonly ca: readonly string[]
  /** SHA-256 of the public key (SPKI) of the certificate, unpadded base64, one of which it must have. Empty: any key. */
  readonly pins: readonly string[]
}

export interface Connections {
  /** Does what the first connection would wait for, and everybody with it: reading the authorities takes a tenth of a second. */
  warm(): void
  /** The keep-alive connections to an endpoint. `peer` names the server there: see `trustOf`. */
  pool(endpoint: Endpoint, peer?: string): Pool
  /** Ends idle connections at once and the others after their request, or after a grace: a peer may drip for minutes. */
  close(): Promise<void>
}

export interface ConnectionsOptions {
  readonly policy: AddressPolicy
  /** PEM authorities trusted besides those of the system. */
  readonly extraCa?: readonly string[]
  /** Whom to expect at a server; undefined: whoever the authorities vouch for. Connections are shared as long as the object is the same. */
  readonly trustOf?: (serverName: string) => PeerTrust | undefined
  /** False only in tests against servers without certificates. */
  readonly verifyTls?: boolean
  readonly connectTimeoutMs?: number
  /** How long `close` waits for requests under way. Default 2 seconds. */
  readonly closeGraceMs?: number
  /** How long an idle connection is kept. */
  readonly keepAliveMs?: number
  readonly maxPerEndpoint?: number
  /** Endpoints whose connections are kept; the least recently used is closed first. */
  readonly maxEndpoints?: number
  /** For tests: replaces the system's resolver. */
  readonly lookup?: LookupFunction
}

/**
 * Outgoing connections. The address is checked where it cannot change any more: names in the lookup of the very
 * socket, literals before it is made, and what it ended up at once more after.
 */
export function createConnections(options: ConnectionsOptions): Connections {
  const { policy, connectTimeoutMs = 10_000, maxEndpoints = 2_000, verifyTls = true } = options
  const lookup = options.lookup ?? guardedLookup(policy)
  const pools = new Map<string, Pool>()
  let shared: tls.SecureContext | undefined
  // A context holds some 150 parsed certificates: building one for each connection takes milliseconds.
  const sharedContext = (): tls.SecureContext =>
    (shared ??= tls.createSecureContext({
      ca: [...systemAuthorities(), ...(options.extraCa ?? [])],
      minVersion: 'TLSv1.2',
    }))
  interface Particular {
    /** Distinguishes pools: connections of another trust are not to be used. */
    readonly number: number
    readonly context: tls.SecureContext
    readonly trust: PeerTrust
  }
  const particulars = new WeakMap<PeerTrust, Particular>()
  let numbered = 0

  function particularOf(peer: string | undefined): Particular | undefined {
    const trust = peer === undefined ? undefined : options.trustOf?.(peer)
    if (trust === undefined) return undefined
    let particular = particulars.get(trust)
    if (particular === undefined) {
      const context = tls.createSecureContext({ ca: [...trust.ca], minVersion: 'TLSv1.2' })
      particulars.set(trust, (particular = { number: ++numbered, context, trust }))
    }
    return particular
  }

  function connector(endpoint: Endpoint, particular: Particular | undefined): buildConnector.connector {
    const { host, port, tlsServerName } = endpoint
    return (_, callback) => {
      if (isIP(host) !== 0 && !policy.allows(host)) return callback(new AddressRefusedError(host), null)
      if (tlsServerName === undefined) {
        return finish(connectTcp({ host, port, lookup }), 'connect', callback)
      }
      const pins = particular?.trust.pins ?? []
      const isPinnedAlone = particular !== undefined && particular.trust.ca.length === 0
      const socket = tls.connect({
        host,
        port,
        lookup,
        secureContext: particular?.context ?? sharedContext(),
        rejectUnauthorized: verifyTls && !isPinnedAlone,
        ALPNProtocols: ['http/1.1'],
        // SNI carries names only.
        servername: isIP(tlsServerName) === 0 ? tlsServerName : '',
        checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(tlsServerName, certificate),
      })
      finish(socket, 'secureConnect', callback, () => hasPinnedKey(socket.getPeerX509Certificate(), pins))
    }
  }

  function finish(
    socket: Socket,
    event: 'connect' | 'secureConnect',
    callback: buildConnector.Callback,
    isExpected: () => boolean = () => true,
  ): void {
    const timer = setTimeout(() => {
      socket.destroy(
        Object.assign(new Error('connecting takes too long'), { code: 'UND_ERR_CONNECT_TIMEOUT' }),
      )
    }, connectTimeoutMs)
    let settled = false
    const settle = (error: Error | undefined): void => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      if (error === undefined) callback(null, socket)
      else callback(error, null)
    }
    socket.setNoDelay(true)
    socket.once(event, () => {
      if (!policy.allows(socket.remoteAddress ?? ''))
        socket.destroy(new AddressRefusedError(socket.remoteAddress ?? 'the server'))
      else if (!isExpected())
        socket.destroy(
          Object.assign(new Error('the key of the certificate is not one of the pinned ones'), {
            code: 'ERR_TLS_PIN',
          }),
        )
      else settle(undefined)
    })
    // Stays for the life of the socket: an error event that nobody hears ends the process.
    socket.on('error', settle)
    socket.once('close', () =>
      settle(Object.assign(new Error('closed while connecting'), { code: 'ECONNRESET' })),
    )
  }
  let closed = false

  return {
    warm() {
      undici()
      sharedContext()
    },
    pool(endpoint, peer) {
      const particular = particularOf(peer)
      const key = JSON.stringify([
        endpoint.host,
        endpoint.port,
        endpoint.tlsServerName,
        particular?.number ?? null,
      ])
      let pool = pools.get(key)
      pools.delete(key)
      pool ??= new (undici().Pool)(originOf(endpoint), {
        connections: options.maxPerEndpoint ?? 8,
        keepAliveTimeout: options.keepAliveMs ?? 30_000,
        keepAliveMaxTimeout: 300_000,
        // The time limit of a whole request is the caller's; these end what hangs without one.
        headersTimeout: 300_000,
        bodyTimeout: 60_000,
        maxHeaderSize: 16_384,
        connect: connector(endpoint, particular),
      })
      // Whoever was still waiting for their turn gets no connection any more: it would keep the process alive.
      if (closed) void pool.destroy().catch(() => undefined)
      else pools.set(key, pool)
      if (pools.size > maxEndpoints) {
        const [oldest, old] = pools.entries().next().value as [string, Pool]
        pools.delete(oldest)
        old.close().catch(() => undefined)
      }
      return pool
    },
    async close() {
      closed = true
      const all = [...pools.values()]
      pools.clear()
      const grace = setTimeout(() => {
        for (const pool of all) void pool.destroy().catch(() => undefined)
      }, options.closeGraceMs ?? 2_000)
      try {
        await Promise.all(all.map((pool) => pool.close()))
      } finally {
        clearTimeout(grace)
      }
    },
  }
}

function hasPinnedKey(certificate: X509Certificate | undefined, pins: readonly string[]): boolean {
  if (pins.length === 0) return true
  const spki = certificate?.publicKey.export({ type: 'spki', format: 'der' })
  if (spki === undefined) return false
  return pins.includes(createHash('sha256').update(spki).digest('base64').replace('=', ''))
}

/** Undici names a pool by an origin; it is not what is connected to, that is the connector's business. */
function originOf(endpoint: Endpoint): string {
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host
  return `${endpoint.tlsServerName === undefined ? 'http' : 'https'}://${host}:${endpoint.port}`
}

/** The usual places of a bundle on Linux; Node before 22.15 knows its built-in list only. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/cert.pem',
]

function systemAuthorities(): readonly string[] {
  const fromNode = (tls as { getCACertificates?: (type: string) => string[] }).getCACertificates
  if (fromNode !== undefined) return distinct([...tls.rootCertificates, ...fromNode('system')])
  for (const path of SYSTEM_BUNDLES) {
    try {
      const bundle = readFileSync(path, 'utf8').split(/(?<=-----END CERTIFICATE-----)/)
      return distinct([...tls.rootCertificates, ...bundle])
    } catch {
      // Not that kind of system: the next place.
    }
  }
  return tls.rootCertificates
}

/** Node's list and that of the system are nearly the same but for their line breaks, and each certificate takes time to read. */
function distinct(certificates: readonly string[]): readonly string[] {
  const byText = new Map<string, string>()
  for (const certificate of certificates) {
    const text = certificate.replaceAll(/\s+/g, '')
    if (text !== '' && !byText.has(text)) byText.set(text, certificate)
  }
  return [...byText.values()]
}
