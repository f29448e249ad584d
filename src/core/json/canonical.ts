import { sortByCodePoint } from './compare.js'
import { pythonFloat, pythonNumber } from './number.js'
import { RawNumber, type Json, type JsonObject } from './value.js'

/** `strict` from room version 6 and for all signed objects that are not events; `lenient` for room versions 1–5. */
export type CanonicalMode = 'strict' | 'lenient'

/** Why a value has no canonical form. */
export class NotCanonical extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'NotCanonical'
  }
}

/** Deeper than the reader accepts, so that what was read can be wrapped; shallow enough for recursion. */
const MAX_DEPTH = 256
const NEEDS_CARE = /["\\\u0000-\u001f\ud800-\udfff]/ // oxlint-disable-line no-control-regex
const LONE_SURROGATE = /\p{Surrogate}/u

/**
 * Writes canonical JSON: keys sorted by code point, no spaces, the shortest escapes, integers only.
 * Strict mode refuses floats, `-0`, integers outside ±(2^53−1) and every `RawNumber`; lenient mode writes those as the
 * reference implementation does (see `number.ts`). Both refuse lone surrogates, which have no UTF-8 form.
 *
 * Throws `NotCanonical`; `tryCanonicalJson` is the form for foreign values.
 * SPEC: https://spec.matrix.org/v1.19/appendices/#canonical-json
 */
export function canonicalJson(value: Json, mode: CanonicalMode = 'strict'): string {
  return write(value, mode === 'strict', 0)
}

export function tryCanonicalJson(
  value: Json,
  mode: CanonicalMode = 'strict',
): { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string } {
  try {
    return { ok: true, text: canonicalJson(value, mode) }
  } catch (error) {
    if (error instanceof NotCanonical) return { ok: false, reason: error.message }
    throw error
  }
}

/**
 * The members of an object as they stand in its canonical form, `"key":value`, by key and in canonical order, so that the forms
 * of an object with and without some of its members are written once. Throws as `canonicalJson`.
 */
export function canonicalMembers(
  object: JsonObject,
  mode: CanonicalMode = 'strict',
): ReadonlyMap<string, string> {
  const members = new Map<string, string>()
  for (const key of sortByCodePoint(Object.keys(object))) {
    members.set(key, quote(key) + ':' + write(object[key] as Json, mode === 'strict', 1))
  }
  return members
}

function write(value: Json, strict: boolean, depth: number): string {
  if (typeof value === 'string') return quote(value)
  if (typeof value === 'number') return number(value, strict)
  if (value === true) return 'true'
  if (value === false) return 'false'
  if (value === null) return 'null'
  if (typeof value !== 'object') throw new NotCanonical(`not a JSON value: ${typeof value}`)
  if (value instanceof RawNumber) return rawNumber(value, strict)
  if (depth >= MAX_DEPTH) throw new NotCanonical('nested too deeply')
  if (isArray(value)) {
    let out = '['
    for (let i = 0; i < value.length; i++) {
      if (i > 0) out += ','
      out += write(value[i] as Json, strict, depth + 1)
    }
    return out + ']'
  }
  const keys = sortByCodePoint(Object.keys(value))
  let out = '{'
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string
    out += (i > 0 ? ',' : '') + quote(key) + ':' + write(value[key] as Json, strict, depth + 1)
  }
  return out + '}'
}

const isArray = (value: object): value is readonly Json[] => Array.isArray(value)

function quote(text: string): string {
  if (!NEEDS_CARE.test(text)) return '"' + text + '"'
  if (LONE_SURROGATE.test(text)) throw new NotCanonical('lone surrogate')
  // For well-formed strings JSON.stringify escapes exactly what canonical JSON escapes, in the same way.
  return JSON.stringify(text)
}

function number(value: number, strict: boolean): string {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return String(value)
  if (strict) throw new NotCanonical(`not an integer within ±(2^53−1): ${value}`)
  const text = Number.isInteger(value) && !Object.is(value, -0) ? undefined : pythonFloat(value)
  if (text === undefined) throw new NotCanonical(`not a number that was read exactly: ${value}`)
  return text
}

function rawNumber(value: RawNumber, strict: boolean): string {
  if (strict) throw new NotCanonical(`not an integer within ±(2^53−1): ${value.text.slice(0, 40)}`)
  const text = pythonNumber(value.text)
  if (text === undefined) throw new NotCanonical(`number out of bounds: ${value.text.slice(0, 40)}`)
  return text
}
