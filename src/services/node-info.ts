import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import type { Metrics } from '../platform/metrics.js'
import { one, type Store } from '../storage/tx.js'

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
  readonly options: NodeInfoOptions
}

const HEALTH_CACHE_MS = 1_000
const HEALTH_TIMEOUT_MS = 2_000

export function createNodeInfo(deps: NodeInfoDeps): NodeInfo {
  const { store, clock, logger, metrics, options } = deps
  let last: { readonly at: number; readonly health: Promise<Health> } | undefined

  async function lookAtStore(): Promise<string> {
    const timer = new AbortController()
    try {
      const late = delay(HEALTH_TIMEOUT_MS, 'does not answer', { signal: timer.signal, ref: false })
      const read = store
        .read('health', function* () {
          return yield* one<{ ok: number }>('SELECT 1 AS ok')
        })
        .then((row) => (row?.ok === 1 ? 'ok' : 'answers wrongly'))
      return await Promise.race([read, late])
    } catch (error) {
      logger.error({ err: error }, 'the store fails its health check')
      return 'fails'
    } finally {
      timer.abort()
    }
  }

  async function look(): Promise<Health> {
    const result = await lookAtStore()
    return { ok: result === 'ok', checks: { store: result } }
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
    health() {
      const now = clock.monotonic()
      if (last === undefined || now - last.at >= HEALTH_CACHE_MS) last = { at: now, health: look() }
      return last.health
    },
    metrics: () => metrics?.text(),
  }
}
