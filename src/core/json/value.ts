/**
 * A JSON value as Matrix needs it. A number whose text a double cannot hold exactly, or that is not an integer
 * (both legal in events of room versions 1–5 only), is kept as `RawNumber`, so that its bytes survive hashing.
 */
export type Json = null | boolean | number | string | RawNumber | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

export class RawNumber {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }

  /** For `JSON.stringify`, which cannot write a number's text: the nearest double. Hashed bytes come from `canonicalJson`. */
  toJSON(): number {
    return Number(this.text)
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof RawNumber)
}

/** A property of the object itself: for keys that others choose, `__proto__` and `toString` among them. */
export function ownValue(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined
}
