import { parseHeaderParameters } from './header-parameters.js'

/** What a peer sent is not the two parts that the specification wants. */
export class MultipartError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'MultipartError'
  }
}

export interface MediaPart {
  /** Lower-case names; the first of a repeated header is an error. */
  readonly headers: ReadonlyMap<string, string>
  /**
   * The bytes of the second part. It ends normally only when the closing delimiter came right after: a cut-off
   * answer or a third part throws `MultipartError` from the iteration.
   */
  readonly content: AsyncGenerator<Uint8Array, void, undefined>
}

const MAX_PREAMBLE = 4096
const MAX_PART_HEADERS = 16 * 1024
const MAX_HEADERS = 32
const MAX_METADATA = 64 * 1024
/** RFC 2046, section 5.1.1: 1 to 70 of these, not ending in a space. */
const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/

/** The boundary of a `multipart/mixed` content type. Throws `MultipartError` for any other type. */
export function boundaryOf(contentType: string | undefined): string {
  const parsed = contentType === undefined ? undefined : parseHeaderParameters(contentType)
  if (parsed?.value.toLowerCase() !== 'multipart/mixed') throw new MultipartError('not multipart/mixed')
  const boundary = parsed.parameters.get('boundary')
  if (boundary === undefined || !BOUNDARY.test(boundary)) throw new MultipartError('no usable boundary')
  return boundary
}

/**
 * Reads the two parts of a federation media answer while they arrive: metadata (a JSON object, bounded), then the
 * medium. At most one chunk and the length of a delimiter are held in memory.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1mediadownloadmediaid
 */
export async function readMediaParts(
  contentType: string | undefined,
  body: AsyncIterable<Uint8Array>,
): Promise<MediaPart> {
  const delimiter = Buffer.from(`\r\n--${boundaryOf(contentType)}`, 'latin1')
  const input = createInput(body)
  // The first delimiter may stand at the very start; a line break put before it makes it like the others.
  input.unshift(Buffer.from('\r\n'))
  await collect(untilDelimiter(input, delimiter), MAX_PREAMBLE, 'preamble')
  if (await delimiterCloses(input)) throw new MultipartError('no parts')

  const metadataHeaders = await readHeaders(input)
  if (typeOf(metadataHeaders) !== 'application/json') throw new MultipartError('the first part is not JSON')
  const metadata = await collect(untilDelimiter(input, delimiter), MAX_METADATA, 'metadata')
  checkMetadata(metadata)
  if (await delimiterCloses(input)) throw new MultipartError('no medium')

  const headers = await readHeaders(input)
  return { headers, content: lastPart(input, delimiter) }
}

async function* lastPart(input: Input, delimiter: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
  yield* untilDelimiter(input, delimiter)
  if (!(await delimiterCloses(input))) throw new MultipartError('more than two parts')
}

function typeOf(headers: ReadonlyMap<string, string>): string | undefined {
  const header = headers.get('content-type')
  return header === undefined ? undefined : parseHeaderParameters(header)?.value.toLowerCase()
}

/** Nothing is read from the metadata today; but a peer that sends something else there speaks another protocol. */
function checkMetadata(bytes: Buffer): void {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw new MultipartError('the metadata is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MultipartError('the metadata is not an object')
  }
}

interface Input {
  /** The bytes at hand; undefined at the end. Never an empty array. */
  next(): Promise<Buffer | undefined>
  unshift(bytes: Buffer): void
}

function createInput(body: AsyncIterable<Uint8Array>): Input {
  const iterator = body[Symbol.asyncIterator]()
  let held: Buffer | undefined
  return {
    async next() {
      if (held !== undefined) {
        const bytes = held
        held = undefined
        return bytes
      }
      for (;;) {
        const { done, value } = await iterator.next()
        if (done) return undefined
        if (value.byteLength > 0) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      }
    },
    unshift(bytes) {
      if (bytes.length === 0) return
      held = held === undefined ? bytes : Buffer.concat([bytes, held])
    },
  }
}

/** Yields what comes before the next delimiter and leaves the input right behind it. */
async function* untilDelimiter(input: Input, delimiter: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
  let tail: Buffer = Buffer.alloc(0)
  for (;;) {
    const chunk = await input.next()
    if (chunk === undefined) throw new MultipartError('cut off')
    const window = tail.length === 0 ? chunk : Buffer.concat([tail, chunk])
    const found = window.indexOf(delimiter)
    if (found !== -1) {
      input.unshift(window.subarray(found + delimiter.length))
      if (found > 0) yield window.subarray(0, found)
      return
    }
    // The last bytes may be the beginning of a delimiter that the next chunk completes.
    const keep = Math.min(window.length, delimiter.length - 1)
    if (window.length > keep) yield window.subarray(0, window.length - keep)
    tail = window.subarray(window.length - keep)
  }
}

async function collect(parts: AsyncIterable<Uint8Array>, limit: number, what: string): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const part of parts) {
    size += part.byteLength
    if (size > limit) throw new MultipartError(`${what} too large`)
    chunks.push(part)
  }
  return Buffer.concat(chunks, size)
}

/** After a delimiter: `--` closes; optional blanks and a line break open another part; all else is a fault. */
async function delimiterCloses(input: Input): Promise<boolean> {
  let line = Buffer.alloc(0)
  for (;;) {
    if (line.length >= 2 && line[0] === 0x2d && line[1] === 0x2d) return true
    const end = line.indexOf('\r\n')
    if (end !== -1) {
      for (const byte of line.subarray(0, end)) {
        if (byte !== 0x20 && byte !== 0x09) throw new MultipartError('broken delimiter')
      }
      input.unshift(line.subarray(end + 2))
      return false
    }
    if (line.length > 128) throw new MultipartError('broken delimiter')
    const chunk = await input.next()
    if (chunk === undefined) throw new MultipartError('cut off')
    line = Buffer.concat([line, chunk])
    if (line.length > 128 && line.indexOf('\r\n') === -1) throw new MultipartError('broken delimiter')
  }
}

async function readHeaders(input: Input): Promise<ReadonlyMap<string, string>> {
  let block = Buffer.alloc(0)
  for (;;) {
    // No headers at all: the part begins with the empty line.
    if (block.length >= 2 && block[0] === 0x0d && block[1] === 0x0a) {
      input.unshift(block.subarray(2))
      return new Map()
    }
    const end = block.indexOf('\r\n\r\n')
    if (end > MAX_PART_HEADERS || (end === -1 && block.length > MAX_PART_HEADERS)) {
      throw new MultipartError('part headers too large')
    }
    if (end !== -1) {
      input.unshift(block.subarray(end + 4))
      return parseHeaders(block.subarray(0, end).toString('utf8'))
    }
    const chunk = await input.next()
    if (chunk === undefined) throw new MultipartError('cut off')
    block = Buffer.concat([block, chunk])
  }
}

function parseHeaders(text: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  const lines = text.split('\r\n')
  if (lines.length > MAX_HEADERS) throw new MultipartError('too many part headers')
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(0, colon)).toLowerCase()
    if (colon < 1 || !/^[a-z0-9-]+$/.test(name) || headers.has(name)) {
      throw new MultipartError('broken part header')
    }
    headers.set(name, line.slice(colon + 1).trim())
  }
  return headers
}
