import { parseJson } from '../../core/json/parse.js'
import { isObject, type JsonObject } from '../../core/json/value.js'
import { createSemaphore, type Semaphore } from '../../platform/semaphore.js'
import { FederationError } from '../federation/federation-error.js'
import type { OutboundHttp } from '../federation/outbound-http.js'

/** Push gateways, which others run. Their addresses are judged as all that others name. */
export interface Gateways {
  /**
   * Tells a gateway something. Gives the push keys that it has no use for any more. Throws FederationError where it did not take it, and the
   * reason of `signal` where that was aborted. `failing`: it failed last time, and must not hold up those that work.
   */
  notify(request: {
    readonly url: string
    readonly body: JsonObject
    readonly failing: boolean
    readonly signal: AbortSignal
  }): Promise<ReadonlySet<string>>
}

export interface GatewayOptions {
  readonly allowHttp: boolean
  /** For one request, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number
}

const MAX_ANSWER_BYTES = 64 * 1_024
/** Requests at once: to one gateway, to all, and to those that failed last time. */
const PER_GATEWAY = 8
const ALL = 64
const FAILING = 16
const MAX_REJECTED = 1_000

export function createGateways(deps: {
  readonly http: Pick<OutboundHttp, 'request'>
  readonly options: GatewayOptions
}): Gateways {
  const { allowHttp, timeoutMs = 10_000 } = deps.options
  const working = createSemaphore({ permits: ALL })
  const failed = createSemaphore({ permits: FAILING })
  const byHost = new Map<string, Semaphore>()

  /** One that is slow keeps only its own turns. */
  async function inTurn<T>(url: string, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    const { host } = new URL(url)
    let own = byHost.get(host)
    if (own === undefined) {
      own = createSemaphore({ permits: PER_GATEWAY })
      byHost.set(host, own)
    }
    try {
      return await own.run(task, signal)
    } finally {
      if (own.active === 0 && own.waiting === 0) byHost.delete(host)
    }
  }

  return {
    notify: ({ url, body, failing, signal }) =>
      inTurn(url, signal, () =>
        (failing ? failed : working).run(async () => {
          const answer = await deps.http.request({
            url,
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(body),
            timeoutMs,
            maxBytes: MAX_ANSWER_BYTES,
            allowHttp,
            signal,
          })
          if (answer.status < 200 || answer.status > 299)
            throw new FederationError('status', `the gateway answered ${answer.status}`, {
              status: answer.status,
              retryAfterMs: retryAfter(answer.headers.get('retry-after')),
            })
          return rejectedIn(answer.body)
        }, signal),
      ),
  }
}

/** A gateway that answers 200 and no JSON has taken the notification, and rejects nothing. */
function rejectedIn(body: Uint8Array): ReadonlySet<string> {
  const parsed = parseJson(body)
  const list = parsed.ok && isObject(parsed.value) ? parsed.value['rejected'] : undefined
  if (!Array.isArray(list)) return new Set()
  return new Set(list.slice(0, MAX_REJECTED).filter((key): key is string => typeof key === 'string'))
}

const retryAfter = (header: string | undefined): number | undefined =>
  header !== undefined && /^\d{1,7}$/.test(header) ? Number(header) * 1_000 : undefined
