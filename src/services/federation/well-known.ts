import { parseServerName } from '../../core/ids/server-name.js'
import { parseJson } from '../../core/json/parse.js'
import { isObject, ownValue } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import { backoffDelay } from '../../platform/backoff.js'
import { createLru } from '../../platform/lru.js'
import type { Random } from '../../platform/random.js'
import { createSemaphore, SemaphoreFullError } from '../../platform/semaphore.js'
import type { OutboundHttp } from './outbound-http.js'

/** Delegation as servers publish it under `/.well-known/matrix/server`. */
export interface WellKnown {
  /** The delegated server name of a host (no port), or undefined where there is none. Never rejects. */
  delegate(host: string): Promise<string | undefined>
}

export interface WellKnownDeps {
  readonly http: Pick<OutboundHttp, 'request'>
  readonly clock: Clock
  readonly random: Random
  readonly timeoutMs?: number
  /** Whether certificates of a server are of authorities that are trusted for it alone. */
  readonly hasOwnTrust?: (serverName: string) => boolean
  /** Hosts whose answers are remembered. */
  readonly maxCached?: number
}

const MAX_BYTES = 50 * 1024
const MAX_REDIRECTS = 5
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const MIN_LIFE = 5 * MINUTE
const DEFAULT_LIFE = 24 * HOUR
const MAX_LIFE = 48 * HOUR
const FAILURES = { initialMs: 5 * MINUTE, maxMs: HOUR }

interface Known {
  readonly delegate: string | undefined
  /** When to ask again, on the monotonic clock. */
  readonly until: number
  /** A delegation outlives failures to confirm it up to here. */
  readonly goodUntil: number
  readonly failures: number
}

/**
 * Asks, remembers for 5 minutes to 48 hours as the answer's cache headers say, and remembers failures for 5 minutes to an
 * hour. One request serves all who wait for the same host.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#resolving-server-names
 */
export function createWellKnown(deps: WellKnownDeps): WellKnown {
  const { http, clock, random, timeoutMs = 10_000, maxCached = 10_000 } = deps
  const known = createLru<string, Known>({ max: maxCached })
  const running = new Map<string, Promise<string | undefined>>()
  const slots = createSemaphore({ permits: 32, maxWaiting: 1_000 })

  /**
   * A server whose authority is one of its own may show a certificate of it here too, or that of a public web site: where the document
   * leads, only its own authority counts.
   */
  async function ask(host: string): Promise<{ delegate: string; lifeMs: number } | undefined> {
    const own = deps.hasOwnTrust?.(host) === true ? await read(host, host).catch(() => undefined) : undefined
    return own ?? read(host, undefined)
  }

  async function read(
    host: string,
    peer: string | undefined,
  ): Promise<{ delegate: string; lifeMs: number } | undefined> {
    const answer = await http.request({
      url: `https://${host}/.well-known/matrix/server`,
      ...(peer === undefined ? {} : { peer }),
      headers: { accept: 'application/json' },
      timeoutMs,
      maxBytes: MAX_BYTES,
      maxRedirects: MAX_REDIRECTS,
    })
    if (answer.status !== 200) return undefined
    const parsed = parseJson(answer.body)
    const name = parsed.ok && isObject(parsed.value) ? ownValue(parsed.value, 'm.server') : undefined
    if (typeof name !== 'string') return undefined
    const server = parseServerName(name)
    if (server === undefined || server.port === 0) return undefined
    return { delegate: name, lifeMs: lifeOf(answer.headers, clock.now()) }
  }

  async function refresh(host: string, before: Known | undefined): Promise<string | undefined> {
    const found = await slots
      .run(() => ask(host))
      .catch((error: unknown) => {
        if (error instanceof SemaphoreFullError) return 'full' as const
        return undefined
      })
    // No room to wait in says nothing about the host.
    if (found === 'full') return before?.delegate
    const at = clock.monotonic()
    if (found !== undefined) {
      known.set(host, {
        delegate: found.delegate,
        until: at + found.lifeMs,
        goodUntil: at + MAX_LIFE,
        failures: 0,
      })
      return found.delegate
    }
    const failures = (before?.failures ?? 0) + 1
    const goodUntil = before?.goodUntil ?? 0
    const delegate = goodUntil > at ? before?.delegate : undefined
    known.set(host, { delegate, until: at + backoffDelay(FAILURES, failures, random), goodUntil, failures })
    return delegate
  }

  return {
    async delegate(host) {
      const entry = known.get(host)
      if (entry !== undefined && entry.until > clock.monotonic()) return entry.delegate
      let asking = running.get(host)
      if (asking === undefined) {
        asking = refresh(host, entry).finally(() => running.delete(host))
        running.set(host, asking)
      }
      return asking
    },
  }
}

/** How long an answer may be believed, in milliseconds, from `Cache-Control`, else `Expires`, else a day; within bounds. */
function lifeOf(headers: ReadonlyMap<string, string>, now: number): number {
  const wanted =
    cacheControl(headers.get('cache-control')) ?? expires(headers.get('expires'), now) ?? DEFAULT_LIFE
  return Math.min(Math.max(wanted, MIN_LIFE), MAX_LIFE)
}

function cacheControl(header: string | undefined): number | undefined {
  for (const part of header?.split(',').slice(0, 32) ?? []) {
    const [name = '', value = ''] = part.trim().toLowerCase().split('=')
    if (name === 'no-store' || name === 'no-cache') return 0
    const digits = value.replaceAll('"', '')
    if (name === 'max-age' && /^[0-9]{1,15}$/.test(digits)) return Number(digits) * 1_000
  }
  return undefined
}

function expires(header: string | undefined, now: number): number | undefined {
  if (header === undefined || header.length > 64) return undefined
  const at = Date.parse(header)
  // An unreadable date means "already over". RFC 9111, section 5.3.
  return Number.isNaN(at) ? 0 : at - now
}
