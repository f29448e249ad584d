import { parseJson } from '../../../core/json/parse.js'
import type { Json } from '../../../core/json/value.js'
import { badAnswer } from './peer-failure.js'

export interface ListLimits {
  /** Of one element; longer ones are left out. */
  readonly maxElementBytes?: number
  /** Of all that is not in a list. */
  readonly maxEnvelopeBytes?: number
  /** In all lists together. */
  readonly maxElements?: number
  /**
   * Takes each element as it comes, in the place of the list of its name, which stays empty. A promise that it gives is awaited
   * before more of the answer is read.
   */
  readonly onElement?: (list: string, element: Json) => Promise<void> | undefined
}

export interface ListAnswer {
  /** The answer with the lists emptied. */
  readonly envelope: Json
  /** By name; a list that the answer lacks is empty. Elements that are no JSON or too long are left out. */
  readonly lists: ReadonlyMap<string, readonly Json[]>
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const COMMA = 0x2c
const COLON = 0x3a

/** A cut-off copy of bytes that come in pieces. */
interface Gathered {
  chunks: Uint8Array[]
  bytes: number
}
const nothing = (): Gathered => ({ chunks: [], bytes: 0 })

/**
 * Reads an answer whose bulk is a few long lists, element by element as it arrives, so that its text is never in
 * memory as a whole and other work runs in between. The answer is an object, or in the first version of some endpoints
 * a list of a status and an object. Throws `FederationError` (`bad-response`).
 */
export async function readListAnswer(
  body: AsyncIterable<Uint8Array>,
  names: readonly string[],
  limits: ListLimits = {},
): Promise<ListAnswer> {
  const { maxElementBytes = 256 * 1024, maxEnvelopeBytes = 4 * 1024 * 1024, maxElements = 250_000 } = limits
  const lists = new Map<string, Json[]>(names.map((name) => [name, []]))
  const envelope = nothing()
  let element = nothing()
  let elements = 0

  let depth = 0
  /** The depth of the object that holds the lists. */
  let home = 1
  let started = false
  let inString = false
  let escaped = false
  /** The text of the last string in the object that holds the lists, as far as it is gathered. */
  let key: number[] | undefined
  let lastKey = ''
  let afterColon = false
  let list: Json[] | undefined
  let listName = ''

  function gather(into: Gathered, bytes: Uint8Array, max: number): void {
    into.bytes += bytes.byteLength
    if (into.bytes <= max) into.chunks.push(bytes)
  }
  const join = (from: Gathered): Uint8Array =>
    from.chunks.length === 1 ? from.chunks[0]! : Buffer.concat(from.chunks)

  function endElement(): Promise<void> | undefined {
    const done = element
    element = nothing()
    if (done.bytes > maxElementBytes) return undefined
    const bytes = join(done)
    if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1').trim() === '')
      return undefined
    if (++elements > maxElements) throw badAnswer('the answer has too many events')
    const parsed = parseJson(bytes)
    if (!parsed.ok) return undefined
    if (limits.onElement !== undefined) return limits.onElement(listName, parsed.value)
    list!.push(parsed.value)
    return undefined
  }

  for await (const chunk of body) {
    const bytes = chunk
    // From here on nothing of this chunk has been gathered yet.
    let from = 0
    const flush = (to: number): void => {
      if (to > from) {
        const piece = bytes.slice(from, to)
        if (list === undefined) gather(envelope, piece, maxEnvelopeBytes)
        else gather(element, piece, maxElementBytes)
      }
      from = to
    }
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i]!
      if (inString) {
        if (escaped) escaped = false
        else if (byte === BACKSLASH) escaped = true
        else if (byte === QUOTE) {
          inString = false
          if (key !== undefined) lastKey = String.fromCharCode(...key)
          key = undefined
          continue
        }
        if (key !== undefined && key.length < 32) key.push(byte)
        continue
      }
      switch (byte) {
        case QUOTE:
          inString = true
          if (list === undefined && depth === home && !afterColon) key = []
          break
        case COLON:
          if (list === undefined && depth === home) afterColon = true
          break
        case COMMA:
          if (list !== undefined && depth === home + 1) {
            flush(i)
            const taken = endElement()
            if (taken !== undefined) await taken
            from = i + 1
          } else if (depth === home) afterColon = false
          break
        case OPEN_OBJECT:
        case OPEN_LIST:
          if (!started) {
            started = true
            home = byte === OPEN_LIST ? 2 : 1
          }
          depth++
          if (byte === OPEN_LIST && list === undefined && depth === home + 1 && afterColon) {
            const wanted = lists.get(lastKey)
            if (wanted !== undefined) {
              flush(i + 1)
              list = wanted
              listName = lastKey
            }
          }
          break
        case CLOSE_OBJECT:
        case CLOSE_LIST:
          if (list !== undefined && depth === home + 1) {
            flush(i)
            const taken = endElement()
            if (taken !== undefined) await taken
            list = undefined
          }
          depth--
          break
      }
    }
    flush(bytes.length)
    if (envelope.bytes > maxEnvelopeBytes) throw badAnswer('the answer is too large outside of its lists')
  }
  const parsed = parseJson(join(envelope))
  if (!parsed.ok) throw badAnswer(`the answer is not JSON: ${parsed.reason}`)
  return { envelope: parsed.value, lists }
}

/** A small answer of any JSON type, for endpoints whose first version answers with a list. Throws `FederationError`. */
export async function readSmallAnswer(body: AsyncIterable<Uint8Array>): Promise<Json> {
  const { envelope } = await readListAnswer(body, [])
  return envelope
}
