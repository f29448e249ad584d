import type { AddressInfo } from 'node:net'
import { MatrixError } from '../core/errors.js'
import { systemClock } from '../platform/clock.js'
import { silentLogger } from '../platform/logger.js'
import type { Services } from '../services/services.js'
import { createApp, type HttpDeps } from './app.js'
import type { GuardOptions } from './connection-guard.js'
import { createListener } from './listener.js'
import { createRateLimiter } from './rate-limit.js'
import type { Route } from './route.js'

export interface TestRequest {
  /** An access token for the `Authorization` header. */
  readonly token?: string
  /** Sent as JSON; a string or bytes are sent as they are. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface TestResponse {
  readonly status: number
  readonly headers: Headers
  /** The parsed JSON; undefined when the answer is something else. */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
  readonly text: string
}

export interface TestServer {
  readonly url: string
  request(method: string, path: string, options?: TestRequest): Promise<TestResponse>
  /** How many connections are open. */
  connections(): Promise<number>
  close(): Promise<void>
}

/** Sees every answer, and throws where it is not as the specification says; jest's set-up puts it there. */
export type AnswerWatcher = (answer: {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly contentType: string | null
  readonly body: unknown
}) => Promise<void>
const WATCHER = Symbol.for('chancery.answer-watcher')
const watcher = (): AnswerWatcher | undefined =>
  (globalThis as { [WATCHER]?: AnswerWatcher | undefined })[WATCHER]

/**
 * The real pipeline behind a real socket on a free port of loopback. Rate limits are off; whatever of `HttpDeps` is not
 * given refuses or does nothing.
 */
export async function startTestServer(
  routes: readonly Route[],
  services: Partial<Services>,
  deps: Partial<HttpDeps> = {},
  guard?: GuardOptions,
): Promise<TestServer> {
  const stopping = new AbortController()
  const app = createApp({
    routes,
    services: services as Services,
    logger: silentLogger,
    clock: systemClock,
    rateLimiter: createRateLimiter({}, systemClock),
    trustedProxies: [],
    stopping: stopping.signal,
    authenticate: () => Promise.reject(new MatrixError('M_UNKNOWN_TOKEN', 'Unrecognised access token')),
    authenticateServer: () => Promise.reject(new MatrixError('M_UNAUTHORIZED', 'Not signed')),
    admitServer: () => undefined,
    ...deps,
  })
  const handle = app.callback()
  const server = createListener((req, res) => void handle(req, res), {
    logger: silentLogger,
    ...(guard === undefined ? {} : { guard }),
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    url,
    async request(method, path, { token, body, headers } = {}) {
      const raw = typeof body === 'string' || body instanceof Uint8Array
      // oxlint-disable-next-line no-restricted-globals -- a test client on loopback
      const response = await fetch(url + path, {
        method,
        headers: {
          ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: raw ? (body as string) : JSON.stringify(body) }),
      })
      const text = await response.text()
      const contentType = response.headers.get('content-type')
      const isJson = contentType?.includes('json') ?? false
      const parsed: unknown = isJson && text !== '' ? JSON.parse(text) : undefined
      await watcher()?.({
        method,
        path: new URL(url + path).pathname,
        status: response.status,
        contentType,
        body: isJson ? parsed : text,
      })
      return { status: response.status, headers: response.headers, body: parsed, text }
    },
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
      ),
    async close() {
      stopping.abort()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
