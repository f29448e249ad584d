import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Logger } from '../platform/logger.js'

export interface GuardOptions {
  /** How long a client may take for `minBytes`, in milliseconds. */
  readonly windowMs: number
  /** What must come of a body, or go of an answer, within that time, while we wait for nothing else. */
  readonly minBytes: number
}

/** A telephone in a tunnel is silent for seconds, and a bad line still carries 100 bytes a second. */
const DEFAULTS: GuardOptions = { windowMs: 20_000, minBytes: 2_048 }

interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** What had come and gone at the last look; undefined where we did not wait for the client. */
  received: number | undefined
  sent: number | undefined
}

/** What has come, if all of it was taken and more is to come: then it is the client that we wait for. */
function awaited({ req }: Exchange): number | undefined {
  if (req.complete || req.destroyed || req.readableLength > 0) return undefined
  return req.socket.bytesRead
}

/** What the client has taken of an answer, if more lies ready for it. */
function taken({ res }: Exchange): number | undefined {
  const socket = res.socket
  if (socket === null || socket.writableLength === 0) return undefined
  return socket.bytesWritten - socket.writableLength
}

/**
 * Cuts off clients that send a body or take an answer so slowly that the connection is held for its own sake. Those who wait for
 * us, such as long polls, are not looked at. `refuse` answers a client that has not got an answer yet.
 */
export function guardConnections(
  server: Server,
  deps: { readonly logger: Logger; refuse(req: IncomingMessage, res: ServerResponse): void },
  options: GuardOptions = DEFAULTS,
): void {
  const exchanges = new Set<Exchange>()

  function look(exchange: Exchange): void {
    const { req, res } = exchange
    const received = awaited(exchange)
    const sent = taken(exchange)
    const starves =
      received !== undefined &&
      exchange.received !== undefined &&
      received - exchange.received < options.minBytes
    const clogs = sent !== undefined && exchange.sent !== undefined && sent - exchange.sent < options.minBytes
    exchange.received = received
    exchange.sent = sent
    if (!starves && !clogs) return
    deps.logger.info(
      { path: req.url?.split('?')[0], slow: starves ? 'body' : 'answer' },
      'a client that is too slow is cut off',
    )
    if (starves && !res.headersSent) deps.refuse(req, res)
    else req.socket.destroy()
  }

  const timer = setInterval(() => {
    for (const exchange of exchanges) look(exchange)
  }, options.windowMs)
  timer.unref()
  server.on('close', () => clearInterval(timer))
  server.on('request', (req: IncomingMessage, res: ServerResponse) => {
    const exchange: Exchange = { req, res, received: undefined, sent: undefined }
    exchanges.add(exchange)
    res.once('close', () => exchanges.delete(exchange))
  })
}
