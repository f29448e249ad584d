import { RawNumber, type Json } from './value.js'

/**
 * The careful reader: RFC 8259 to the letter, iterative, lossless. It is the authority on what is accepted and gives
 * the reason of each refusal; `parse.ts` uses it for whatever the quick way cannot be trusted with.
 */
export type JsonResult =
  { readonly ok: true; readonly value: Json } | { readonly ok: false; readonly reason: string }

const LONE_SURROGATE = /\p{Surrogate}/u

type Frame =
  | { readonly kind: 'array'; readonly value: Json[] }
  | { readonly kind: 'object'; readonly value: Record<string, Json>; readonly keys: Set<string>; key: string }

class Unreadable extends Error {}

export function readJson(text: string, maxDepth: number): JsonResult {
  try {
    return { ok: true, value: read(text, maxDepth) }
  } catch (error) {
    if (error instanceof Unreadable) return { ok: false, reason: error.message }
    throw error
  }
}

function read(text: string, maxDepth: number): Json {
  const stack: Frame[] = []
  let at = 0

  const skip = (): number => {
    let c = text.charCodeAt(at)
    while (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) c = text.charCodeAt(++at)
    return c
  }
  const fail = (what: string): never => {
    throw new Unreadable(`${what} at offset ${at}`)
  }
  const word = (literal: string, value: Json): Json => {
    if (!text.startsWith(literal, at)) fail('not JSON')
    at += literal.length
    return value
  }
  const string = (): string => {
    const end = endOfString(text, at)
    const value = end < 0 ? undefined : unquote(text.slice(at, end))
    if (value === undefined) return fail('unreadable string')
    if (LONE_SURROGATE.test(value)) fail('lone surrogate')
    at = end
    return value
  }
  const key = (frame: Frame & { kind: 'object' }): void => {
    if (skip() !== 0x22) fail('a key was expected')
    frame.key = string()
    if (frame.keys.has(frame.key)) fail('duplicate key')
    frame.keys.add(frame.key)
    if (skip() !== 0x3a) fail('a colon was expected')
    at++
  }
  const push = (frame: Frame): void => {
    if (stack.length >= maxDepth) fail(`nested deeper than ${maxDepth}`)
    stack.push(frame)
  }

  for (;;) {
    let value: Json
    const c = skip()
    if (c === 0x7b) {
      const frame: Frame & { kind: 'object' } = { kind: 'object', value: {}, keys: new Set(), key: '' }
      push(frame)
      at++
      if (skip() !== 0x7d) {
        key(frame)
        continue
      }
      at++
      stack.pop()
      value = frame.value
    } else if (c === 0x5b) {
      const frame: Frame = { kind: 'array', value: [] }
      push(frame)
      at++
      if (skip() !== 0x5d) continue
      at++
      stack.pop()
      value = frame.value
    } else if (c === 0x22) {
      value = string()
    } else if (c === 0x74) {
      value = word('true', true)
    } else if (c === 0x66) {
      value = word('false', false)
    } else if (c === 0x6e) {
      value = word('null', null)
    } else {
      const end = endOfNumber(text, at)
      if (end < 0) return fail('not JSON')
      value = numberOf(text.slice(at, end))
      at = end
    }

    // The value is complete: put it where it belongs, and close what it closes.
    for (;;) {
      const frame = stack.at(-1)
      if (frame === undefined) {
        skip()
        if (at !== text.length) fail('more text after the value')
        return value
      }
      if (frame.kind === 'array') frame.value.push(value)
      else setOwn(frame.value, frame.key, value)
      const next = skip()
      if (next === 0x2c) {
        at++
        if (frame.kind === 'object') key(frame)
        break
      }
      if (next !== (frame.kind === 'array' ? 0x5d : 0x7d)) fail('a comma or the end was expected')
      at++
      stack.pop()
      value = frame.value
    }
  }
}

/** Plain assignment, but `__proto__` becomes a key like any other instead of changing the prototype. */
function setOwn(object: Record<string, Json>, key: string, value: Json): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
  } else {
    object[key] = value
  }
}

function numberOf(text: string): Json {
  // A safe integer has at most 16 digits and a sign; a fraction or an exponent keeps its text, whatever its value.
  if (text !== '-0' && text.length <= 17 && !/[.eE]/.test(text)) {
    const value = Number(text)
    if (Number.isSafeInteger(value)) return value
  }
  return new RawNumber(text)
}

/** The index after the number that starts at `start`, or −1. By hand, like all here: an input may be one long token. */
function endOfNumber(text: string, start: number): number {
  let at = text.charCodeAt(start) === 0x2d ? start + 1 : start
  const whole = at
  at = skipDigits(text, at)
  if (at === whole || (text.charCodeAt(whole) === 0x30 && at > whole + 1)) return -1
  if (text.charCodeAt(at) === 0x2e) {
    const fraction = at + 1
    at = skipDigits(text, fraction)
    if (at === fraction) return -1
  }
  const e = text.charCodeAt(at)
  if (e === 0x65 || e === 0x45) {
    at++
    const sign = text.charCodeAt(at)
    if (sign === 0x2b || sign === 0x2d) at++
    const digits = at
    at = skipDigits(text, digits)
    if (at === digits) return -1
  }
  return at
}

function skipDigits(text: string, start: number): number {
  let at = start
  let c = text.charCodeAt(at)
  while (c >= 0x30 && c <= 0x39) c = text.charCodeAt(++at)
  return at
}

/** The index after the closing quote of the string that starts at `start`, or −1. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const c = text.charCodeAt(at)
    if (c === 0x22) return at + 1
    if (c === 0x5c) at++
  }
  return -1
}

/** `JSON.parse` is exact on a single string, and knows which escapes and control characters are wrong. */
function unquote(literal: string): string | undefined {
  try {
    return JSON.parse(literal) as string
  } catch {
    return undefined
  }
}
