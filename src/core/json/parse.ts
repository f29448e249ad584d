import { readJson, type JsonResult } from './read.js'
import { countMembers, scanJson } from './scan.js'
import type { Json } from './value.js'

export type { JsonResult } from './read.js'

export interface ParseLimits {
  /** How deep arrays and objects may nest; a number or string alone has depth 0. */
  readonly maxDepth?: number
}

const MAX_DEPTH = 200
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads JSON so that nothing is lost or changed on the way: numbers that are not safe integers are kept as
 * `RawNumber`, `__proto__` is an own key. Refuses invalid UTF-8, a byte order mark, lone surrogates, duplicate keys,
 * and nesting deeper than 200.
 *
 * Time is linear in the input. `JSON.parse` does the work where a scan of the text proves that its answer is the same.
 */
export function parseJson(input: Uint8Array | string, limits: ParseLimits = {}): JsonResult {
  const maxDepth = limits.maxDepth ?? MAX_DEPTH
  let text: string
  if (typeof input === 'string') {
    text = input
  } else {
    try {
      text = DECODER.decode(input)
    } catch {
      return { ok: false, reason: 'invalid UTF-8' }
    }
  }
  if (text.charCodeAt(0) === 0xfeff) return { ok: false, reason: 'byte order mark' }

  const scan = scanJson(text, maxDepth)
  if (scan.safe) {
    try {
      const value = JSON.parse(text) as Json
      if (countMembers(value) === scan.members) return { ok: true, value }
    } catch {
      // Not JSON: the careful reader says where.
    }
  }
  return readJson(text, maxDepth)
}
