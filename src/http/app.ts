import type { IncomingMessage, ServerResponse } from 'node:http'
import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import Koa, { type Context, type Middleware } from 'koa'
import { MatrixError } from '../core/errors.js'
import type { Json } from '../core/json/value.js'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import type { Requester } from '../services/requester.js'
import type { Services } from '../services/services.js'
import { accessToken } from './auth/token.js'
import { decodeJson, jsonObject, plain, readBody } from './body.js'
import { clientAddress } from './client-address.js'
import { CORS } from './cors.js'
import { dispatcher } from './dispatch.js'
import { errorAnswer } from './error-body.js'
import { isLarge, largeJson } from './large-json.js'
import { PIECE, writeInPieces } from './long-answer.js'
import { errorBodyFor } from './media-proxy/scanner-error.js'
import type { RateLimiter } from './rate-limit.js'
import { isReply, SECRET_PARAMS, type Call, type Reply, type Route } from './route.js'
import { bodyValidator, queryValidator } from './validate.js'
import { createWaitingAnswers, type WaitingAnswers } from './waiting-answers.js'

const DEFAULT_MAX_BODY = 1024 * 1024
/** Some 20 ms of work to read; what clients send has some hundreds, a large upload of keys a few thousand. */
const DEFAULT_MAX_VALUES = 20_000

/** A federation request whose body has been read, to be checked against its `Authorization: X-Matrix` header. */
export interface SignedRequest {
  readonly method: string
  readonly uri: string
  readonly authorization: string | readonly string[] | undefined
  readonly content: Json | undefined
  /** The client's IP address. */
  readonly address: string
}

export interface HttpDeps {
  readonly routes: readonly Route[]
  readonly services: Services
  readonly logger: Logger
  readonly clock: Clock
  readonly rateLimiter: RateLimiter
  /** CIDR ranges of proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[]
  /** Aborted when the server stops: long polls answer at once. */
  readonly stopping: AbortSignal
  /**
   * Resolves an access token. Throws M_UNKNOWN_TOKEN, M_USER_LOCKED (unless `allowLocked`) and the like.
   * `masquerade` carries an application service's `user_id` and `device_id`.
   */
  authenticate(
    token: string,
    context: {
      readonly allowLocked: boolean
      readonly allowExpired: boolean
      readonly ip: string
      readonly userAgent: string | undefined
      /** Whose token it was when the request came; it is asked about again. */
      readonly before?: Requester
      readonly masquerade: { readonly userId: string | undefined; readonly deviceId: string | undefined }
    },
  ): Promise<Requester>
  /** Gives the name of the server that signed the request; throws M_UNAUTHORIZED or M_FORBIDDEN. */
  authenticateServer(request: SignedRequest): Promise<string>
  /** Called with the header alone, before a body is read: refuses origins that may not federate with us. */
  admitServer(authorization: string | readonly string[] | undefined): void
  /** For metrics: one call for each answered request. */
  onAnswer?(route: string, method: string, status: number, seconds: number): void
}

/** A percent-escape that is broken or not UTF-8, or a NUL, would reach handlers undecoded. */
function wellFormedPath(path: string): boolean {
  if (!path.includes('%')) return true
  try {
    return !decodeURIComponent(path).includes('\u0000')
  } catch {
    return false
  }
}

async function requesterFor(
  route: Route,
  deps: HttpDeps,
  req: IncomingMessage,
  query: URLSearchParams,
  ip: string,
  before?: Requester,
): Promise<Requester | undefined> {
  if (route.auth === 'none' || route.auth === 'server') return undefined
  const token = accessToken(req.headers, query)
  if (token === undefined) {
    if (route.auth === 'optional-user') return undefined
    throw new MatrixError('M_MISSING_TOKEN', 'Missing access token')
  }
  const requester = await deps.authenticate(token, {
    allowLocked: route.allowLocked ?? false,
    allowExpired: route.allowExpired ?? false,
    ip,
    userAgent: req.headers['user-agent'],
    ...(before === undefined ? {} : { before }),
    masquerade: {
      userId: query.get('user_id') ?? undefined,
      deviceId: query.get('device_id') ?? query.get('org.matrix.msc3202.device_id') ?? undefined,
    },
  })
  if (route.auth === 'user' && requester.isGuest) {
    throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guests may not do this')
  }
  if (route.auth === 'admin' && !requester.isAdmin) {
    throw new MatrixError('M_FORBIDDEN', 'Only a server administrator may do this')
  }
  if (route.auth === 'appservice' && requester.appserviceId === undefined) {
    throw new MatrixError('M_FORBIDDEN', 'Only an application service may do this')
  }
  return requester
}

/** Without a charset, which JSON has none of; Koa would add one. */
const JSON_TYPE = 'application/json'

/** `keep` counts what is large until it is taken, and throws where that is too much. */
async function send(ctx: Context, answer: object | Reply, keep: (bytes: number) => void): Promise<void> {
  const full = isReply(answer) ? answer : { body: answer }
  ctx.status = full.status ?? 200
  for (const [name, value] of Object.entries(full.headers ?? {})) ctx.set(name, value)
  const body = full.body
  if (body === undefined) {
    ctx.body = null
    ctx.status = full.status ?? 200
  } else if (typeof body === 'string' || body instanceof Readable) {
    ctx.body = body
  } else {
    ctx.set('Content-Type', JSON_TYPE)
    const text = isLarge(body) ? await largeJson(body) : JSON.stringify(body)
    if (text.length <= PIECE) {
      ctx.body = text
    } else {
      const bytes = typeof text === 'string' ? Buffer.from(text) : text
      keep(bytes.byteLength)
      ctx.length = bytes.byteLength
      ctx.state['longBody'] = bytes
    }
  }
}

/** Turns a route into middleware: authentication, rate limit, query and body checks, handler. */
function pipeline(route: Route, deps: HttpDeps, waiting: WaitingAnswers): Middleware {
  const query = route.query === undefined ? undefined : queryValidator(route.query)
  const body = typeof route.body === 'object' ? bodyValidator(route.body) : undefined
  const readsJson = route.body !== undefined && route.body !== 'stream'
  const isSecret = [...SECRET_PARAMS].some((name) => route.paths[0]!.includes(`{${name}}`))

  return async (ctx) => {
    ctx.state['route'] = route.id
    if (isSecret) ctx.state['shownPath'] = route.paths[0]
    const params = new URLSearchParams(ctx.querystring)
    const ip = clientAddress(ctx.req, deps.trustedProxies)
    const authorization = route.auth === 'server' ? ctx.req.headersDistinct['authorization'] : undefined
    if (route.auth === 'server') deps.admitServer(authorization)
    let requester: Requester | undefined
    if (route.auth !== 'server') {
      requester = await requesterFor(route, deps, ctx.req, params, ip)
      if (requester !== undefined) ctx.state['user'] = requester.userId
    }
    if (route.rateLimit !== undefined && requester?.isUnlimited !== true && route.auth !== 'server') {
      const own = route.rateLimit === 'message' ? requester?.messageBudget : undefined
      deps.rateLimiter.take(route.rateLimit, requester?.userId ?? ip, own)
    }
    const checkedQuery = query === undefined ? {} : query(params)

    let content: Json | undefined
    if (readsJson) {
      const bytes = await readBody(
        ctx.req,
        ctx.req.headers['content-length'],
        route.maxBody ?? DEFAULT_MAX_BODY,
        route.maxValues ?? DEFAULT_MAX_VALUES,
      )
      const signed = route.auth === 'server'
      content = signed && bytes.byteLength === 0 ? undefined : decodeJson(bytes)
    }
    let origin = ''
    if (route.auth === 'server') {
      origin = await deps.authenticateServer({
        method: ctx.method,
        uri: ctx.url,
        authorization,
        content,
        address: ip,
      })
      ctx.state['origin'] = origin
      if (route.rateLimit !== undefined) deps.rateLimiter.take(route.rateLimit, origin)
      if (readsJson) content ??= {}
    }
    // A signature covers the exact numbers; only now may they become ordinary ones.
    if (readsJson && route.numbers !== 'exact') content = plain(content!)
    if (readsJson && route.body !== 'json') jsonObject(content!)
    if (body !== undefined) body(content)

    const call: Call<never, unknown, unknown> = {
      requester: requester as never,
      origin,
      params: (ctx['params'] ?? {}) as Record<string, string>,
      query: checkedQuery,
      body: content,
      request: {
        id: ctx.state['requestId'] as string,
        ip,
        userAgent: ctx.req.headers['user-agent'],
        headers: ctx.req.headers,
        uri: ctx.url,
        // Made for those who ask for it: most answer at once.
        get signal() {
          return (ctx.state['ending'] as Ending).signal
        },
        giveWay: () => (ctx.state['ending'] as Ending).abort(),
        async stillAllowed() {
          await requesterFor(route, deps, ctx.req, params, ip, requester)
        },
        stream: ctx.req,
      },
    }
    const owner = requester?.userId ?? (origin === '' ? ip : origin)
    await send(ctx, await route.handler(call as never, deps.services), (bytes) =>
      waiting.add(owner, bytes, ctx.res),
    )
  }
}

/** The end of a request, before its answer is complete. */
interface Ending {
  /** Made for those who ask for it: most answer at once. */
  readonly signal: AbortSignal
  abort(): void
}

/**
 * Gives a request its ending: when the client hangs up before the answer is complete, or the server stops. One listener on
 * `stopping` serves all requests: thousands of long polls would make each further one slow to come and go.
 */
function requestEndings(stopping: AbortSignal): (res: ServerResponse) => Ending {
  const open = new Set<Ending>()
  stopping.addEventListener(
    'abort',
    () => {
      for (const request of open) request.abort()
    },
    { once: true },
  )
  return (res) => {
    let controller: AbortController | undefined
    let over = stopping.aborted
    const request: Ending = {
      get signal() {
        if (controller === undefined) {
          controller = new AbortController()
          if (over) controller.abort()
        }
        return controller.signal
      },
      abort() {
        over = true
        controller?.abort()
      },
    }
    open.add(request)
    res.once('close', () => {
      open.delete(request)
      if (!res.writableFinished) request.abort()
    })
    return request
  }
}

/** How long a client whose request was refused may go on sending it. */
const LINGER_MS = 5_000

/**
 * Reads what is left of a refused body and throws it away: a client that is still sending would otherwise see its
 * connection break and never the answer. Who does not come to an end is cut off.
 */
function discardRest(req: IncomingMessage): void {
  req.resume()
  const timer = setTimeout(() => req.socket.destroy(), LINGER_MS)
  timer.unref()
  req.once('close', () => clearTimeout(timer))
}

/** A disk that is full fails hundreds of requests a second, each for the same reason. */
const FAULT_LOG_INTERVAL_MS = 60_000

function faultLog(clock: Clock): (fault: string | undefined) => boolean {
  const last = new Map<string, number>()
  return (fault) => {
    if (fault === undefined) return true
    const now = clock.monotonic()
    const before = last.get(fault)
    if (before !== undefined && now - before < FAULT_LOG_INTERVAL_MS) return false
    last.set(fault, now)
    return true
  }
}

/** As the log has it. */
const shownPath = (ctx: Koa.Context): string => (ctx.state['shownPath'] as string | undefined) ?? ctx.path

export function createApp(deps: HttpDeps): Koa {
  const mayLog = faultLog(deps.clock)
  const endingOf = requestEndings(deps.stopping)
  const app = new Koa()
  app.silent = true
  app.on('error', (error: Error) => deps.logger.debug({ err: error }, 'connection error'))

  app.use(async (ctx, next) => {
    const started = deps.clock.monotonic()
    ctx.state['requestId'] = randomUUID()
    ctx.state['ending'] = endingOf(ctx.res)
    ctx.set('X-Request-Id', ctx.state['requestId'] as string)
    ctx.set(CORS)
    try {
      if (ctx.method === 'OPTIONS') {
        ctx.status = 204
      } else {
        if (!wellFormedPath(ctx.path))
          throw new MatrixError('M_INVALID_PARAM', 'The path is not well encoded')
        await next()
      }
    } catch (caught) {
      let error: unknown = caught
      // The client hung up, or was cut off, while it was still sending.
      if (ctx.req.destroyed && !ctx.req.complete) error = new MatrixError('M_UNKNOWN', 'hung up', {}, 408)
      const answer = errorAnswer(error)
      if (!ctx.req.complete) discardRest(ctx.req)
      ctx.status = answer.status
      ctx.set(answer.headers)
      ctx.set('Content-Type', JSON_TYPE)
      ctx.body = JSON.stringify(errorBodyFor(ctx.path, answer))
      const about = {
        requestId: ctx.state['requestId'] as string,
        path: shownPath(ctx),
        status: answer.status,
      }
      if (answer.unexpected && mayLog(answer.fault))
        deps.logger.error({ err: error, ...about }, 'request failed')
      else if (answer.fault === 'value' && mayLog(answer.fault))
        deps.logger.warn({ ...about, reason: (error as Error).message }, 'a value that cannot be stored')
      else if (answer.status === 502 || answer.status === 504)
        deps.logger.warn({ ...about, reason: (error as Error).message }, 'another server failed')
    }
    // A server that stops waits for its connections: none should wait for a next request.
    if (deps.stopping.aborted) ctx.set('Connection', 'close')
    const seconds = (deps.clock.monotonic() - started) / 1000
    const route = (ctx.state['route'] as string | undefined) ?? 'unrecognized'
    deps.onAnswer?.(route, ctx.method, ctx.status, seconds)
    deps.logger.info(
      {
        requestId: ctx.state['requestId'],
        method: ctx.method,
        path: shownPath(ctx),
        route,
        status: ctx.status,
        ms: Math.round(seconds * 1000),
        user: ctx.state['user'],
        origin: ctx.state['origin'],
      },
      'request',
    )
    const longBody = ctx.state['longBody'] as Buffer | undefined
    if (longBody === undefined) return
    ctx.respond = false
    if (ctx.method === 'HEAD') ctx.res.end()
    else writeInPieces(ctx.res, longBody)
  })
  const waiting = createWaitingAnswers()
  app.use(dispatcher(deps.routes, (route) => pipeline(route, deps, waiting)))
  return app
}
