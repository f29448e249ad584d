import { parseJson } from '../../core/json/parse.js'
import { tryCanonicalJson } from '../../core/json/canonical.js'
import { isObject, ownValue, type JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import { startDeadline } from '../../platform/deadline.js'
import type { Signer } from '../../platform/ed25519.js'
import type { Connections } from './connections.js'
import type { Candidate, Discovery } from './discovery.js'
import { openExchange, streamed, whole, type Exchange, type Opened, type StreamedAnswer } from './exchange.js'
import { FederationError } from './federation-error.js'
import { authorizationOfText } from './x-matrix.js'

export { FederationError, isRetryable, type FederationFailure } from './federation-error.js'

export interface FederationRequest {
  /** Server name, as in identifiers. */
  readonly destination: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** From `/_matrix/` on, every segment percent-encoded (`encodePath`). */
  readonly path: string
  /** Undefined values are left out; an array repeats the name. */
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>
  /** A JSON object; POST and PUT send `{}` where there is none. */
  readonly body?: JsonObject
  /** In place of `body`: the canonical form of a JSON object, for who has it at hand. */
  readonly text?: string
  /** For everything, discovery included. Default 30 seconds. */
  readonly timeoutMs?: number
  /** Of the answer. Default 10 MiB. */
  readonly maxBytes?: number
  readonly signal?: AbortSignal | undefined
  /** False for the few endpoints that need no signature (keys, version). Default true. */
  readonly signed?: boolean
}

/** Requests to other servers. All methods throw `FederationError`, or the reason of the caller's abort. */
export interface FederationClient {
  /** The JSON object of a 2xx answer; numbers that a double cannot hold are `RawNumber`s. */
  request(request: FederationRequest): Promise<JsonObject>
  /** The raw bytes of a 2xx answer, as they arrive. 3xx answers are given too where `acceptRedirect` is set. */
  requestStream(request: FederationRequest & { readonly acceptRedirect?: boolean }): Promise<StreamedAnswer>
}

export interface FederationClientDeps {
  readonly serverName: string
  readonly signer: Signer
  readonly discovery: Discovery
  readonly connections: Connections
  readonly clock: Clock
  /** `name/version`, for the peer's logs. */
  readonly userAgent: string
  /** The longest that a question may take, a GET whose answer is small, whatever its caller would wait. Default 30 seconds. */
  readonly questionTimeoutMs?: number
  /** Whether this server federates with that one at all. Default: with every server. */
  readonly federates?: (serverName: string) => boolean
}

const DEFAULT_TIMEOUT = 30_000
const DEFAULT_MAX_BYTES = 10 * 1024 * 1024
const MAX_ERROR_BYTES = 64 * 1024
/** Places tried before a request is given up. */
const MAX_CANDIDATES = 3

export function createFederationClient(deps: FederationClientDeps): FederationClient {
  const { serverName, signer, discovery, connections, clock, userAgent, federates = () => true } = deps
  const { questionTimeoutMs = DEFAULT_TIMEOUT } = deps

  async function send(request: FederationRequest): Promise<Opened> {
    const { destination, timeoutMs = DEFAULT_TIMEOUT, maxBytes = DEFAULT_MAX_BYTES } = request
    const end = clock.monotonic() + timeoutMs
    if (destination === serverName) throw new FederationError('unreachable', 'that is this server')
    if (!federates(destination))
      throw new FederationError('unreachable', 'this server does not federate with that one', {
        errcode: 'M_FORBIDDEN',
      })
    const prepared = prepare(request)
    const found = await within(discovery.resolve(destination), timeoutMs, request.signal)
    const candidates = found.slice(0, MAX_CANDIDATES)
    let failure: unknown = new FederationError('unreachable', 'the server name leads nowhere')
    for (const candidate of candidates) {
      const left = end - clock.monotonic()
      if (left <= 0)
        throw new FederationError('timeout', 'the server did not answer in time', { cause: failure })
      try {
        return await attempt(
          {
            pool: connections.pool(endpointOf(candidate), destination),
            method: request.method,
            path: prepared.uri,
            headers: { ...prepared.headers, host: candidate.hostHeader },
            body: prepared.body,
            limits: { timeoutMs: left, maxBytes, signal: request.signal },
          },
          () => end - clock.monotonic(),
        )
      } catch (error) {
        if (!wasNeverSent(error, request.method)) throw error
        failure = error
      }
    }
    throw failure
  }

  function prepare(request: FederationRequest): {
    uri: string
    headers: Record<string, string>
    body: string | undefined
  } {
    const { destination, method, signed = true } = request
    const uri = request.path + queryString(request.query)
    if (!SAFE_URI.test(uri) || DOT_SEGMENT.test(request.path))
      throw new TypeError('the path of a federation request must be encoded')
    const headers: Record<string, string> = { 'user-agent': userAgent, accept: 'application/json' }
    const body = bodyText(request)
    if (signed) {
      const line = { method, uri, origin: serverName, destination }
      const authorization = authorizationOfText(line, body, signer)
      if (authorization === undefined) throw unsendable()
      headers['authorization'] = authorization
    }
    if (body !== undefined) headers['content-type'] = 'application/json'
    return { uri, headers, body }
  }

  return {
    async request(request) {
      const { method, timeoutMs = DEFAULT_TIMEOUT } = request
      const bounded = method === 'GET' ? Math.min(timeoutMs, questionTimeoutMs) : timeoutMs
      const answer = await send({ ...request, timeoutMs: bounded })
      if (answer.status < 200 || answer.status > 299) throw await statusError(answer)
      const parsed = parseJson(await whole(answer))
      if (!parsed.ok) throw new FederationError('bad-response', `the answer is not JSON: ${parsed.reason}`)
      if (!isObject(parsed.value))
        throw new FederationError('bad-response', 'the answer is not a JSON object')
      return parsed.value
    },
    async requestStream(request) {
      const answer = await send(request)
      const redirected = request.acceptRedirect === true && answer.status >= 300 && answer.status < 400
      if (!redirected && (answer.status < 200 || answer.status > 299)) throw await statusError(answer)
      return streamed(answer)
    },
  }
}

/** Path segments, each percent-encoded, behind a prefix: `encodePath('/_matrix/federation/v1', 'event', id)`. */
export function encodePath(prefix: string, ...segments: readonly string[]): string {
  return [prefix, ...segments.map(encodeURIComponent)].join('/')
}

/** The visible characters that a request target may have; no fragment, and nothing that leaves the API. */
const SAFE_URI = /^\/_matrix\/[A-Za-z0-9\-._~%!$&'()*+,;=:@/?]+$/

/** A proxy on the way may resolve these. */
const DOT_SEGMENT = /\/\.{1,2}(\/|$)/

function queryString(query: FederationRequest['query']): string {
  const pairs: string[] = []
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue
    const values = typeof value === 'object' ? value : [String(value)]
    for (const item of values) pairs.push(`${encodeURIComponent(name)}=${encodeURIComponent(item)}`)
  }
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}

const unsendable = (): TypeError => new TypeError('the body of a federation request has no canonical form')

/** What travels as the body, which is also what is signed: written once. Throws a TypeError for what has no canonical form. */
export function bodyText({ method, body, text }: FederationRequest): string | undefined {
  if (text !== undefined) return text
  const content = body ?? (method === 'POST' || method === 'PUT' ? {} : undefined)
  if (content === undefined) return undefined
  const written = tryCanonicalJson(content, 'lenient')
  if (!written.ok) throw unsendable()
  return written.text
}

const endpointOf = ({ host, port, tlsServerName }: Candidate) => ({ host, port, tlsServerName })

/** Whether another place may be tried without the risk that the request is carried out twice. */
function wasNeverSent(error: unknown, method: string): boolean {
  if (!(error instanceof FederationError)) return false
  if (error.kind === 'timeout') return causeCode(error) === 'UND_ERR_CONNECT_TIMEOUT'
  return error.kind === 'unreachable' && (method !== 'POST' || !STALE.has(causeCode(error)))
}

/**
 * One more try where a kept connection turned out to be closed by the peer, which is no sign of trouble.
 * GET and PUT only: the federation API's PUTs are idempotent by design.
 */
async function attempt(exchange: Exchange, leftMs: () => number): Promise<Opened> {
  try {
    return await openExchange(exchange)
  } catch (error) {
    const idempotent = exchange.method === 'GET' || exchange.method === 'PUT'
    if (!idempotent || !(error instanceof FederationError) || !STALE.has(causeCode(error))) throw error
    const timeoutMs = leftMs()
    if (timeoutMs <= 0) throw error
    return openExchange({ ...exchange, limits: { ...exchange.limits, timeoutMs } })
  }
}

/** What a connection says that was closed under a request. */
const STALE = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])

function causeCode(error: FederationError): string {
  const { cause } = error
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
}

async function within<T>(promise: Promise<T>, ms: number, signal: AbortSignal | undefined): Promise<T> {
  const deadline = startDeadline(ms, signal)
  const over = new Promise<never>((_, reject) => {
    const stop = (): void => {
      const late = new FederationError('timeout', 'the server was not found in time')
      reject(deadline.timedOut ? late : (deadline.signal.reason as Error))
    }
    if (deadline.signal.aborted) stop()
    else deadline.signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([promise, over])
  } finally {
    deadline.end()
  }
}

async function statusError(answer: Opened): Promise<FederationError> {
  const { status, headers } = answer
  const content = await errorBody(answer)
  const errcode = content === undefined ? undefined : ownValue(content, 'errcode')
  const message = content === undefined ? undefined : ownValue(content, 'error')
  return new FederationError(
    'status',
    `the server answered ${status}${typeof message === 'string' ? `: ${message.slice(0, 200)}` : ''}`,
    {
      status,
      errcode: typeof errcode === 'string' ? errcode.slice(0, 100) : undefined,
      retryAfterMs: retryAfter(headers.get('retry-after'), content),
    },
  )
}

/** An error's body, if it is a JSON object of no more than a few bytes. */
async function errorBody(answer: Opened): Promise<JsonObject | undefined> {
  let body: Uint8Array
  try {
    body = await whole(answer, Math.min(answer.limits.maxBytes, MAX_ERROR_BYTES))
  } catch {
    return undefined
  }
  const parsed = parseJson(body)
  return parsed.ok && isObject(parsed.value) ? parsed.value : undefined
}

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#rate-limiting */
function retryAfter(header: string | undefined, content: JsonObject | undefined): number | undefined {
  if (header !== undefined && /^[0-9]{1,12}$/.test(header)) return Number(header) * 1_000
  const ms = content === undefined ? undefined : ownValue(content, 'retry_after_ms')
  return typeof ms === 'number' && ms >= 0 ? ms : undefined
}
