import { RawNumber, type Json } from '../../../src/core/json/value.js'

/** Writes JSON as a peer might have sent it: raw numbers as they were written, keys in the order they stand in. */
export function encodeJson(value: Json): string {
  if (value instanceof RawNumber) return value.text
  if (Array.isArray(value)) return `[${value.map((item: Json) => encodeJson(item)).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([key, member]) => `${JSON.stringify(key)}:${encodeJson(member)}`,
    )
    return `{${members.join(',')}}`
  }
  return JSON.stringify(value)
}
