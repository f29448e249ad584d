import { createServer as createHttpServer, STATUS_CODES, type RequestListener, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Logger } from '../platform/logger.js'
import { guardConnections, type GuardOptions } from './connection-guard.js'
import { CORS } from './cors.js'

export interface ListenerOptions {
  /** PEM texts; absent: plain HTTP. */
  readonly tls?: { readonly certificate: Buffer | string; readonly key: Buffer | string }
  readonly logger: Logger
  /** How slow a client may be. */
  readonly guard?: GuardOptions
}

const LIMITS = {
  // Who does not come to the end of the header is cut off; bodies and answers are the guard's.
  headersTimeout: 20_000,
  requestTimeout: 10 * 60_000,
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 32 * 1024,
}
const HANDSHAKE_TIMEOUT_MS = 20_000

interface Refusal {
  readonly status: number
  readonly errcode: string
  readonly message: string
}

/** What Node's parser refuses before there is a request, by the code of its error. */
function refusalOf(code: string | undefined): Refusal {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { status: 431, errcode: 'M_TOO_LARGE', message: 'The header of the request is too large' }
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, errcode: 'M_UNKNOWN', message: 'The request took too long to arrive' }
    default:
      return { status: 400, errcode: 'M_UNKNOWN', message: 'The request is not HTTP as it should be' }
  }
}

/** A whole answer as bytes, after which the connection ends: for sockets that Node has given up on. */
function lastAnswer({ status, errcode, message }: Refusal): string {
  const body = JSON.stringify({ errcode, error: message })
  const headers = {
    ...CORS,
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', body].join('\r\n')
}

/** How long the other side may take to read a last answer. */
const LINGER_MS = 1_000

/** The rest of what is sent is read and thrown away for a moment: a reset would destroy the answer on its way. */
function endWith(socket: Socket, refusal: Refusal): void {
  socket.end(lastAnswer(refusal))
  socket.resume()
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}

/**
 * A server that speaks Matrix even where there is no request to answer: what Node's parser refuses gets an errcode and CORS headers,
 * and clients that are too slow are cut off.
 */
export function createListener(handler: RequestListener, options: ListenerOptions): Server {
  const { tls, logger } = options
  const server =
    tls === undefined
      ? createHttpServer(LIMITS, handler)
      : createHttpsServer(
          {
            ...LIMITS,
            cert: tls.certificate,
            key: tls.key,
            minVersion: 'TLSv1.2',
            handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
          },
          handler,
        )
  /** Sockets on which an answer has begun: a second one would be taken for a part of it. */
  const answering = new WeakMap<object, () => boolean>()
  server.on('request', (req, res) => {
    answering.set(req.socket, () => res.headersSent && !res.writableFinished)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const refusal = refusalOf(error.code)
    logger.debug({ code: error.code, status: refusal.status }, 'a connection is refused')
    if (!socket.writable || error.code === 'ECONNRESET' || answering.get(socket)?.() === true)
      socket.destroy()
    else endWith(socket, refusal)
  })
  guardConnections(
    server,
    {
      logger,
      refuse: (req) =>
        endWith(req.socket, { status: 408, errcode: 'M_UNKNOWN', message: 'The request comes too slowly' }),
    },
    options.guard,
  )
  return server
}
