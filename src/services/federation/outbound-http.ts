import type { Connections } from './connections.js'
import {
  exchangeStream,
  exchangeWhole,
  type Answer,
  type Exchange,
  type Limits,
  type StreamedAnswer,
} from './exchange.js'
import { FederationError } from './federation-error.js'

/**
 * Ordinary HTTP to addresses that others name: well-known documents, media redirects, previews, push gateways.
 * The connections' address policy holds for every hop.
 */
export interface OutboundHttp {
  request(request: OutboundRequest): Promise<Answer & { readonly url: string }>
  /** The body as it arrives. */
  stream(request: OutboundRequest): Promise<StreamedAnswer & { readonly url: string }>
}

export interface OutboundRequest extends Limits {
  /** Absolute; its fragment is dropped, and credentials in it are refused. */
  readonly url: string
  readonly method?: 'GET' | 'POST' | 'PUT'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** How many redirects are followed (GET only). Default none: a 3xx is then the answer. */
  readonly maxRedirects?: number
  /** The server that is expected at this address, though not at those that it redirects to: see `Connections`. */
  readonly peer?: string
  /** Plain HTTP too. A redirect from https to http is refused in any case. Default false. */
  readonly allowHttp?: boolean
}

const MAX_URL = 8_192
const REDIRECTS = new Set([301, 302, 303, 307, 308])

export function createOutboundHttp(deps: {
  connections: Connections
  userAgent: string
  now: () => number
}): OutboundHttp {
  const { connections, userAgent, now } = deps

  async function follow<A extends { status: number; headers: ReadonlyMap<string, string> }>(
    request: OutboundRequest,
    send: (exchange: Exchange) => Promise<A>,
    discard: (answer: A) => void,
  ): Promise<A & { url: string }> {
    const { method = 'GET', maxRedirects = 0, allowHttp = false } = request
    const end = now() + request.timeoutMs
    let url = checkedUrl(request.url, allowHttp)
    const seen = new Set<string>()
    for (;;) {
      seen.add(url.href)
      const timeoutMs = end - now()
      if (timeoutMs <= 0) throw new FederationError('timeout', 'the server did not answer in time')
      const answer = await send({
        pool: connections.pool(endpointOf(url), seen.size === 1 ? request.peer : undefined),
        method,
        path: url.pathname + url.search,
        headers: { 'user-agent': userAgent, ...request.headers, host: url.host },
        body: request.body,
        limits: { timeoutMs, maxBytes: request.maxBytes, signal: request.signal },
      })
      const location = answer.headers.get('location')
      if (maxRedirects === 0 || method !== 'GET' || location === undefined || !REDIRECTS.has(answer.status)) {
        return { ...answer, url: url.href }
      }
      discard(answer)
      url = nextUrl(location, url, allowHttp)
      if (seen.size > maxRedirects || seen.has(url.href)) {
        throw new FederationError('bad-response', 'the server redirects in circles, or too often')
      }
    }
  }

  return {
    request: (request) => follow(request, exchangeWhole, () => undefined),
    stream: (request) => follow(request, exchangeStream, (answer) => answer.body.destroy()),
  }
}

function nextUrl(location: string, base: URL, allowHttp: boolean): URL {
  const next = URL.canParse(location, base.href) ? new URL(location, base).href : ''
  return checkedUrl(next, allowHttp && base.protocol === 'http:')
}

function checkedUrl(text: string, allowHttp: boolean): URL {
  const refused = new FederationError('bad-response', 'not an address that may be asked')
  if (text.length > MAX_URL || !URL.canParse(text)) throw refused
  const url = new URL(text)
  const scheme = url.protocol === 'https:' || (allowHttp && url.protocol === 'http:')
  if (!scheme || url.username !== '' || url.password !== '' || url.port === '0') throw refused
  url.hash = ''
  return url
}

function endpointOf(url: URL): { host: string; port: number; tlsServerName: string | undefined } {
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname
  const secure = url.protocol === 'https:'
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
  return { host, port, tlsServerName: secure ? host : undefined }
}
