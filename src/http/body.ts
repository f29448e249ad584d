import type { Readable } from 'node:stream'
import { MatrixError, badJson } from '../core/errors.js'
import { parseJson } from '../core/json/parse.js'
import { RawNumber, type Json } from '../core/json/value.js'
import { createValueCounter } from './value-counter.js'

const tooLarge = (limit: number): MatrixError =>
  new MatrixError('M_TOO_LARGE', `The request body is larger than ${limit} bytes`)

const tooManyValues = (limit: number): MatrixError =>
  new MatrixError('M_TOO_LARGE', `The request body holds more than ${limit} values`)

const brokenOff = (): MatrixError => new MatrixError('M_UNKNOWN', 'The request broke off', {}, 408)

/** Gives the count of values of what has come. A body of fewer bytes than values allowed is not looked at. */
function valuesIn(chunks: readonly Uint8Array[], maxValues: number): (size: number) => number {
  const counter = createValueCounter()
  let counted = 0
  let values = 0
  return (size) => {
    if (size > maxValues) while (counted < chunks.length) values = counter.add(chunks[counted++]!)
    return values
  }
}

/**
 * Reads a body up to `limit` bytes and, where it is to be JSON, `maxValues` members and elements, so that parsing it holds up
 * nobody. Refuses while reading, not after.
 */
export async function readBody(
  stream: Readable,
  declaredLength: string | undefined,
  limit: number,
  maxValues = Infinity,
): Promise<Uint8Array> {
  if (declaredLength !== undefined && Number(declaredLength) > limit) throw tooLarge(limit)
  if (stream.readableEnded) return new Uint8Array()
  if (stream.destroyed) throw brokenOff()
  const chunks: Uint8Array[] = []
  const count = valuesIn(chunks, maxValues)
  let size = 0
  // By its events: an iterator of the stream would cost more than what is read of most requests.
  await new Promise<void>((resolve, reject) => {
    const end = (error?: Error): void => {
      stream.off('data', add).off('end', end).off('error', end).off('close', close)
      if (error === undefined) return resolve()
      // The connection must outlive a refusal: the answer still goes over it.
      stream.pause()
      reject(error)
    }
    const close = (): void => end(brokenOff())
    const add = (chunk: Uint8Array): void => {
      size += chunk.byteLength
      if (size > limit) return end(tooLarge(limit))
      chunks.push(chunk)
      if (count(size) > maxValues) end(tooManyValues(maxValues))
    }
    stream.on('data', add).once('end', end).once('error', end).once('close', close)
  })
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)
}

/**
 * A number beyond all doubles has no way out again: JSON would have `null` for it. An integer that no double holds would come out as
 * another one, without a word.
 */
function double({ text }: RawNumber): number {
  const value = Number(text)
  if (!Number.isFinite(value)) throw badJson('The body holds a number that is too large')
  const isWhole = !/[.eE]/.test(text)
  if (isWhole && !Number.isSafeInteger(value))
    throw badJson('The body holds an integer beyond 2^53-1: send it as a string')
  return value
}

/**
 * Replaces exact numbers by doubles, for routes whose JSON is never hashed. In place: a copy of a body with many keys
 * would cost as much as reading it. Throws M_BAD_JSON for a number that no double stands for, an integer beyond ±(2^53−1) among
 * them; fractions become the nearest double, as everywhere.
 *
 * NOTSPEC: the range is the specification's for what is signed; elsewhere it says nothing. An integer beyond it could not be kept for
 * clients in JavaScript either.
 */
export function plain(value: Json): Json {
  if (value instanceof RawNumber) return double(value)
  if (typeof value !== 'object' || value === null) return value
  const container = value as Record<string, Json>
  for (const key of Object.keys(container)) {
    const item = container[key]!
    if (typeof item !== 'object' || item === null) continue
    // An own `__proto__`, too, is assigned as any other key: it is there already.
    if (item instanceof RawNumber) container[key] = double(item)
    else plain(item)
  }
  return value
}

/** An empty body counts as `{}`, as clients that start interactive authentication expect. */
export function decodeJson(bytes: Uint8Array): Json {
  if (bytes.byteLength === 0) return {}
  const parsed = parseJson(bytes)
  if (!parsed.ok) throw new MatrixError('M_NOT_JSON', `The body is not valid JSON: ${parsed.reason}`)
  return parsed.value
}

export function jsonObject(value: Json): Json & object {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badJson('The body must be a JSON object')
  return value
}
