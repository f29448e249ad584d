import { Readable } from 'node:stream'
import type { Pool } from 'undici'
import { startDeadline, type Deadline } from '../../platform/deadline.js'
import { FederationError, transportError } from './federation-error.js'

/** One HTTP request, everything about it decided. */
export interface Exchange {
  readonly pool: Pool
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Path and query as they go over the wire. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | undefined
  readonly limits: Limits
}

export interface Limits {
  /** For the whole exchange: connecting, sending, waiting, and the last byte of the body. */
  readonly timeoutMs: number
  /** Of the answer's body. */
  readonly maxBytes: number
  readonly signal?: AbortSignal | undefined
}

export interface StreamedAnswer {
  readonly status: number
  /** Names in lower case; a header that came several times is joined by commas. */
  readonly headers: ReadonlyMap<string, string>
  /** Ends with a `FederationError` over the limits. Must be read to its end or destroyed. */
  readonly body: Readable
}

export interface Answer extends Omit<StreamedAnswer, 'body'> {
  readonly body: Uint8Array
}

/** An answer whose headers are there. One of `streamed` and `whole` takes its body, or a connection stays occupied. */
export interface Opened extends Omit<StreamedAnswer, 'body'> {
  readonly incoming: Readable
  readonly deadline: Deadline
  readonly limits: Limits
}

/** Sends the request and gives the answer as soon as its headers are there. Throws `FederationError`, or the reason of the caller's abort. */
export async function openExchange(exchange: Exchange): Promise<Opened> {
  const { pool, limits } = exchange
  const deadline = startDeadline(limits.timeoutMs, limits.signal)
  try {
    const answer = await pool.request({
      method: exchange.method,
      path: exchange.path,
      headers: exchange.headers,
      body: exchange.body ?? null,
      signal: deadline.signal,
    })
    const headers = headerMap(answer.headers)
    refuseEarly(headers, limits.maxBytes, answer.body)
    // Whoever reads hears of it too; before that nobody does, and an error event that nobody hears ends the process.
    answer.body.on('error', () => undefined)
    return { status: answer.statusCode, headers, incoming: answer.body, deadline, limits }
  } catch (error) {
    deadline.end()
    throw transportError(error, deadline.timedOut, limits.signal)
  }
}

export function streamed(opened: Opened): StreamedAnswer {
  const { status, headers, incoming, deadline } = opened
  const body = Readable.from(bounded(opened, opened.limits.maxBytes), {
    objectMode: false,
    highWaterMark: 65_536,
  })
  // A body that nobody starts to read never runs the generator, whose end stops the clock and frees the connection.
  body.once('close', () => {
    deadline.end()
    incoming.destroy()
  })
  return { status, headers, body }
}

/** The whole body. Throws as `openExchange`, for more than `maxBytes` too. */
export async function whole(opened: Opened, maxBytes = opened.limits.maxBytes): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bounded(opened, maxBytes)) chunks.push(chunk)
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
}

export const exchangeStream = async (exchange: Exchange): Promise<StreamedAnswer> =>
  streamed(await openExchange(exchange))

/** As `exchangeStream`, with the body read whole. */
export async function exchangeWhole(exchange: Exchange): Promise<Answer> {
  const opened = await openExchange(exchange)
  return { status: opened.status, headers: opened.headers, body: await whole(opened) }
}

async function* bounded(
  { incoming, limits, deadline }: Opened,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  try {
    for await (const chunk of incoming) {
      bytes += (chunk as Uint8Array).byteLength
      if (bytes > maxBytes) throw tooLarge(maxBytes)
      yield chunk as Uint8Array
    }
  } catch (error) {
    throw transportError(error, deadline.timedOut, limits.signal)
  } finally {
    deadline.end()
  }
}

const tooLarge = (maxBytes: number): FederationError =>
  new FederationError('too-large', `the answer has more than ${maxBytes} bytes`)

function refuseEarly(headers: ReadonlyMap<string, string>, maxBytes: number, body: Readable): void {
  let refusal: FederationError | undefined
  if (Number(headers.get('content-length') ?? 0) > maxBytes) refusal = tooLarge(maxBytes)
  // Nothing was offered in Accept-Encoding, so a compressed answer is a mistake or a bomb.
  else if ((headers.get('content-encoding') ?? 'identity').toLowerCase() !== 'identity') {
    refusal = new FederationError('bad-response', 'the answer is compressed, which was not asked for')
  }
  if (refusal === undefined) return
  body.on('error', () => undefined)
  body.destroy()
  throw refusal
}

function headerMap(headers: Record<string, string | string[] | undefined>): Map<string, string> {
  const map = new Map<string, string>()
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) map.set(name.toLowerCase(), Array.isArray(value) ? value.join(', ') : value)
  }
  return map
}
