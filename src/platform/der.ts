/** The few forms of ASN.1 DER that X.509 certificates need. Each function gives one complete element. */

export function element(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(contents)
  return Buffer.concat([Buffer.of(tag), length(body.length), body])
}

function length(bytes: number): Uint8Array {
  if (bytes < 0x80) return Buffer.of(bytes)
  const digits: number[] = []
  for (let rest = bytes; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256)
  return Buffer.of(0x80 | digits.length, ...digits)
}

export const sequence = (...items: readonly Uint8Array[]): Uint8Array => element(0x30, ...items)
export const set = (...items: readonly Uint8Array[]): Uint8Array => element(0x31, ...items)
export const boolean = (value: boolean): Uint8Array => element(0x01, Buffer.of(value ? 0xff : 0))
export const nothing: Uint8Array = element(0x05)
export const octets = (bytes: Uint8Array): Uint8Array => element(0x04, bytes)
/** `unused`: how many of the last byte's low bits do not count. */
export const bits = (bytes: Uint8Array, unused = 0): Uint8Array => element(0x03, Buffer.of(unused), bytes)
export const utf8 = (text: string): Uint8Array => element(0x0c, Buffer.from(text, 'utf8'))
/** Explicit context tag around whole elements. */
export const explicit = (tag: number, ...items: readonly Uint8Array[]): Uint8Array =>
  element(0xa0 | tag, ...items)
/** Implicit context tag in place of a primitive element's own. */
export const implicit = (tag: number, bytes: Uint8Array): Uint8Array => element(0x80 | tag, bytes)

/** A non-negative integer from big-endian bytes. */
export function integer(bytes: Uint8Array): Uint8Array {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const shortest = bytes.subarray(start)
  // A leading one bit would make it negative.
  const sign = shortest.length === 0 || shortest[0]! >= 0x80 ? Buffer.of(0) : Buffer.of()
  return element(0x02, sign, shortest)
}

/** An object identifier in dotted form. */
export function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const body = [first * 40 + second, ...rest].flatMap((part) => {
    const digits = [part % 128]
    for (let left = Math.floor(part / 128); left > 0; left = Math.floor(left / 128))
      digits.unshift(0x80 | (left % 128))
    return digits
  })
  return element(0x06, Buffer.from(body))
}

/** UTC, whole seconds: two-digit years up to 2049, four-digit ones after. RFC 5280, section 4.1.2.5. */
export function time(milliseconds: number): Uint8Array {
  const iso = new Date(milliseconds).toISOString()
  const digits = iso.slice(0, 19).replaceAll(/[-:T]/g, '')
  return Number(digits.slice(0, 4)) < 2050
    ? element(0x17, Buffer.from(`${digits.slice(2)}Z`))
    : element(0x18, Buffer.from(`${digits}Z`))
}
