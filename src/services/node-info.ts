import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import type { Metrics } from '../platform/metrics.js'
import { rewritePosition } from '../storage/tables/positions.js'
import { isAlive } from '../storage/tables/alive.js'
import type { Store } from '../storage/tx.js'

/** What the configuration says about the node as others see it. */
export interface NodeInfoOptions {
  readonly serverName: string
  readonly version: string
  /** Without a slash at its end. */
  readonly publicBaseurl?: string
  readonly federation: 'open' | 'closed' | 'off'
  readonly registration: 'open' | 'token' | 'closed'
  readonly adminContact?: string
  /** Further keys of /.well-known/matrix/client. */
  readonly wellKnownClientExtra: Readonly<Record<string, unknown>>
  /** `host:port` for other servers. */
  readonly wellKnownServer?: string
  readonly support: {
    readonly contacts: readonly {
      readonly role: string
      readonly matrix_id?: string
      readonly email_address?: string
    }[]
    readonly page?: string
  }
  /** Unpadded base64, of Ed25519. */
  readonly policyServerKey?: string
}

export interface Health {
  readonly ok: boolean
  /** Each part that was looked at, with `ok` or what is wrong with it; fit for strangers. */
  readonly checks: Readonly<Record<string, string>>
}

export interface NodeInfo {
  readonly about: NodeInfoOptions
  /** Undefined where the node does not know its own address. SPEC: client-server-api/#getwell-knownmatrixclient */
  wellKnownClient(): object | undefined
  /** SPEC: server-server-api/#getwell-knownmatrixserver */
  wellKnownServer(): object | undefined
  /** SPEC: client-server-api/#getwell-knownmatrixsupport */
  wellKnownSupport(): object | undefined
  /** SPEC: client-server-api/#getwell-knownmatrixpolicy_server */
  wellKnownPolicyServer(): object | undefined
  /** Looks at the store at most once a second, and waits for it two seconds at most. Never throws. */
  health(): Promise<Health>
  /** Undefined where metrics are off. */
  metrics(): Promise<{ readonly contentType: string; readonly body: string }> | undefined
}

export interface NodeInfoDeps {
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  /** Absent: metrics are off. */
  readonly metrics?: Metrics
  /** Why the last write failed at the disk; undefined when none did, or one has succeeded since. */
  readonly writeFault?: () => string | undefined
  readonly options: NodeInfoOptions
}

/** What a failing disk is to strangers. */
const WRITE_FAULTS: ReadonlyMap<string, string> = new Map([['full', 'the disk is full']])

const HEALTH_CACHE_MS = 1_000
const HEALTH_TIMEOUT_MS = 2_000

export function createNodeInfo(deps: NodeInfoDeps): NodeInfo {
  const { store, clock, logger, metrics, options } = deps
  let last: { readonly at: number; readonly health: Promise<Health> } | undefined

  async function lookAtStore(): Promise<string> {
    const timer = new AbortController()
    try {
      const late = delay(HEALTH_TIMEOUT_MS, 'does not answer', { signal: timer.signal, ref: false })
      const read = store.read('health', isAlive).then((answer) => (answer ? 'ok' : 'answers wrongly'))
      return await Promise.race([read, late])
    } catch (error) {
      logger.error({ err: error }, 'the store fails its health check')
      return 'fails'
    } finally {
      timer.abort()
    }
  }

  /** A balancer that sends nobody here while writes fail would never see one succeed: one is tried. */
  async function lookAtWrites(): Promise<string> {
    if (deps.writeFault?.() === undefined) return 'ok'
    const timer = new AbortController()
    try {
      const late = delay(HEALTH_TIMEOUT_MS, undefined, { signal: timer.signal, ref: false })
      // Its failure is remembered by the store, and has been logged.
      await Promise.race([store.write('health.write', rewritePosition).catch(() => undefined), late])
    } finally {
      timer.abort()
    }
    const fault = deps.writeFault()
    return fault === undefined ? 'ok' : (WRITE_FAULTS.get(fault) ?? 'fail')
  }

  async function look(): Promise<Health> {
    const [result, writes] = await Promise.all([lookAtStore(), lookAtWrites()])
    return {
      ok: result === 'ok' && writes === 'ok',
      checks: { store: result, ...(writes === 'ok' ? {} : { writes }) },
    }
  }

  return {
    about: options,
    wellKnownClient: () =>
      options.publicBaseurl === undefined
        ? undefined
        : { ...options.wellKnownClientExtra, 'm.homeserver': { base_url: options.publicBaseurl } },
    wellKnownServer: () =>
      options.wellKnownServer === undefined ? undefined : { 'm.server': options.wellKnownServer },
    wellKnownSupport() {
      const { contacts, page } = options.support
      if (contacts.length === 0 && page === undefined) return undefined
      return {
        ...(contacts.length === 0 ? {} : { contacts }),
        ...(page === undefined ? {} : { support_page: page }),
      }
    },
    wellKnownPolicyServer: () =>
      options.policyServerKey === undefined
        ? undefined
        : { public_keys: { ed25519: options.policyServerKey } },
    health() {
      const now = clock.monotonic()
      if (last === undefined || now - last.at >= HEALTH_CACHE_MS) last = { at: now, health: look() }
      return last.health
    },
    metrics: () => metrics?.text(),
  }
}
