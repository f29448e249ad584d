import { parseJson } from '../../core/json/parse.js'
import { isObject, type Json } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import { createLru } from '../../platform/lru.js'
import type { Answer } from '../federation/exchange.js'
import { FederationError } from '../federation/federation-error.js'
import type { OutboundHttp } from '../federation/outbound-http.js'
import type { Appservice } from './registry.js'

/** HTTP to application services, whose addresses the operator names: they may be on this machine. */
export interface AppserviceClient {
  /** Gives the answer, whatever its status. Throws FederationError without one, and the reason of `signal` where that was aborted. */
  ask(appservice: Appservice, request: AppserviceRequest): Promise<Answer>
  /** The JSON of a 200; undefined for a 404. Throws FederationError for all else. */
  askJson(appservice: Appservice, request: AppserviceRequest): Promise<Json | undefined>
}

export interface AppserviceRequest {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** Default `/_matrix/app/v1`. */
  readonly base?: string
  /** Below that, encoded; with its query. */
  readonly path: string
  /** What the path was before it had a version: tried where that one is not known. */
  readonly legacyPath?: string
  readonly body?: string
  /** Milliseconds. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

const MAX_ANSWER_BYTES = 1024 * 1024
/** An application service may be replaced by a later one: the newer path is tried again after this. Milliseconds. */
const LEGACY_KEPT = 3_600_000

export function createAppserviceClient(deps: {
  readonly http: Pick<OutboundHttp, 'request'>
  readonly clock: Pick<Clock, 'monotonic'>
}): AppserviceClient {
  /** Application services that know the older paths alone. */
  const legacy = createLru<string, true>({ max: 1_000, ttlMs: LEGACY_KEPT, clock: deps.clock })

  async function send(appservice: Appservice, url: string, request: AppserviceRequest): Promise<Answer> {
    return await deps.http.request({
      url,
      method: request.method,
      headers: {
        authorization: `Bearer ${appservice.registration.hsToken}`,
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(request.body === undefined ? {} : { body: request.body }),
      timeoutMs: request.timeoutMs,
      maxBytes: MAX_ANSWER_BYTES,
      allowHttp: true,
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    })
  }

  /** Those that know no versions know no header for their token either. */
  function legacyUrl(base: string, path: string, token: string): string {
    return `${base}${path}${path.includes('?') ? '&' : '?'}access_token=${encodeURIComponent(token)}`
  }

  async function ask(appservice: Appservice, request: AppserviceRequest): Promise<Answer> {
    const { url, hsToken } = appservice.registration
    if (url === undefined) throw new FederationError('unreachable', 'the application service has no address')
    const { legacyPath } = request
    const key = `${appservice.id} ${request.method}`
    if (legacyPath !== undefined && legacy.get(key) === true)
      return await send(appservice, legacyUrl(url, legacyPath, hsToken), request)
    const answer = await send(
      appservice,
      `${url}${request.base ?? '/_matrix/app/v1'}${request.path}`,
      request,
    )
    if (legacyPath === undefined || (answer.status !== 404 && answer.status !== 405)) return answer
    // A 404 with an errcode of its own is the answer to the question, not to the path.
    if (answer.status === 404 && isOwnAnswer(answer)) return answer
    const second = await send(appservice, legacyUrl(url, legacyPath, hsToken), request)
    if (second.status < 200 || second.status > 299) return answer
    legacy.set(key, true)
    return second
  }

  return {
    ask,
    async askJson(appservice, request) {
      const answer = await ask(appservice, request)
      if (answer.status === 404) return undefined
      if (answer.status !== 200)
        throw new FederationError('status', `the application service answered ${answer.status}`, {
          status: answer.status,
        })
      const parsed = parseJson(answer.body)
      if (!parsed.ok) throw new FederationError('bad-response', 'the application service gave no JSON')
      return parsed.value
    },
  }
}

function isOwnAnswer(answer: Answer): boolean {
  const parsed = parseJson(answer.body)
  const errcode = parsed.ok && isObject(parsed.value) ? parsed.value['errcode'] : undefined
  return typeof errcode === 'string' && errcode !== 'M_UNRECOGNIZED'
}
