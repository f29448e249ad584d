import type { Json } from '../../core/json/value.js'
import { isObject } from '../../core/json/value.js'
import { signedBytes } from './signed-json.js'

/** Whether two keys, as canonical JSON, are the same but for their signatures. */
export function sameKey(a: string, b: string): boolean {
  return a === b || signedText(a) === signedText(b)
}

function signedText(json: string): string {
  const value = JSON.parse(json) as Json
  const bytes = isObject(value) ? signedBytes(value) : undefined
  return bytes === undefined ? json : Buffer.from(bytes).toString('utf8')
}
