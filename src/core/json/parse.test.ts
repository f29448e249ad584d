import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { parseJson } from './parse.js'
import { readJson } from './read.js'
import { RawNumber, type Json } from './value.js'

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values)
const value = (input: string | Uint8Array): Json => {
  const result = parseJson(input)
  if (!result.ok) throw new Error(result.reason)
  return result.value
}

describe('parseJson', () => {
  it.each([
    ['an object', '{"a":[1,true,false,null,"x"]}', { a: [1, true, false, null, 'x'] }],
    ['nothing but a string', '"x"', 'x'],
    ['white space around', ' \t\r\n{ "a" : [ ] , "b" : { } }\n', { a: [], b: {} }],
    ['escapes', '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\ud83d\\ude00"', '"\\/\b\f\n\r\tA😀'],
    ['the largest integer', '9007199254740991', Number.MAX_SAFE_INTEGER],
    ['the smallest integer', '-9007199254740991', Number.MIN_SAFE_INTEGER],
    ['an empty key', '{"":0}', { '': 0 }],
  ])('reads %s', (_name, text, expected) => {
    expect(value(text)).toEqual(expected)
    expect(value(new TextEncoder().encode(text))).toEqual(expected)
  })

  it.each([
    '1.0',
    '1e3',
    '1E+2',
    '-0',
    '-0.0',
    '0.5',
    '9007199254740992',
    '-9007199254740992',
    '1e400',
    '123456789012345678901234567890',
  ])('keeps the text of the number %s', (text) => {
    expect(value(text)).toEqual(new RawNumber(text))
    expect(value(`{"a":[${text}]}`)).toEqual({ a: [new RawNumber(text)] })
  })

  it.each([
    ['nothing', ''],
    ['white space only', '  '],
    ['a trailing comma in an array', '[1,]'],
    ['a trailing comma in an object', '{"a":1,}'],
    ['a missing value', '{"a":}'],
    ['a missing colon', '{"a" 1}'],
    ['a key that is not a string', '{1:1}'],
    ['single quotes', "{'a':1}"],
    ['two values', '1 2'],
    ['an open array', '[1'],
    ['an open object', '{"a":1'],
    ['an open string', '"a'],
    ['the wrong bracket', '[1}'],
    ['the other wrong bracket', '{"a":1]'],
    ['leading zeros', '01'],
    ['negative leading zeros', '-01'],
    ['a plus sign', '+1'],
    ['a lone minus', '-'],
    ['a point without digits', '1.'],
    ['a fraction without whole', '.5'],
    ['an exponent without digits', '1e'],
    ['a signed exponent without digits', '1e+'],
    ['NaN', 'NaN'],
    ['a misspelt literal', 'trux'],
    ['a shortened literal', 'nul'],
    ['a comment', '/**/1'],
    ['a control character in a string', '"a\nb"'],
    ['an unknown escape', '"\\x"'],
    ['a cut unicode escape', '"\\u12"'],
    ['another white space', '\u00a01'],
    ['a lone high surrogate escape', '"\\ud800"'],
    ['a lone low surrogate escape', '"\\udc00"'],
    ['surrogate escapes in the wrong order', '"\\ude00\\ud83d"'],
    ['two high surrogates', '"\\ud83d\\ud83d\\ude00"'],
    ['a raw lone surrogate', '"\ud800"'],
    ['a lone surrogate in a key', '{"\\ud800":1}'],
    ['duplicate keys', '{"a":1,"a":1}'],
    ['duplicate keys, differently escaped', '{"a":1,"\\u0061":2}'],
    ['duplicate keys far down', '{"x":[{"y":{"a":1,"b":2,"a":3}}]}'],
    ['duplicate __proto__', '{"__proto__":1,"__proto__":2}'],
    ['a byte order mark', '\ufeff{}'],
  ])('refuses %s', (_name, text) => {
    expect(parseJson(text)).toEqual({ ok: false, reason: expect.any(String) })
  })

  it.each([
    ['a stray continuation byte', bytes(0x22, 0x80, 0x22)],
    ['an overlong slash', bytes(0x22, 0xc0, 0xaf, 0x22)],
    ['an encoded surrogate', bytes(0x22, 0xed, 0xa0, 0x80, 0x22)],
    ['a cut sequence', bytes(0x22, 0xe2, 0x82, 0x22)],
    ['a code point above U+10FFFF', bytes(0x22, 0xf4, 0x90, 0x80, 0x80, 0x22)],
    ['a byte order mark', bytes(0xef, 0xbb, 0xbf, 0x7b, 0x7d)],
    ['UTF-16', bytes(0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00)],
  ])('refuses %s in bytes', (_name, input) => {
    expect(parseJson(input).ok).toBe(false)
  })

  it('makes __proto__ and constructor keys like any other, on both ways through the reader', () => {
    for (const text of [
      '{"__proto__":{"x":1},"constructor":2}',
      '{"__proto__":{"x":1},"constructor":2,"n":1.0}',
    ]) {
      const object = value(text) as Record<string, Json>
      expect(Object.getPrototypeOf(object)).toBe(Object.prototype)
      expect(Object.hasOwn(object, '__proto__')).toBe(true)
      expect(object['__proto__']).toEqual({ x: 1 })
      expect(object['x']).toBeUndefined()
      expect(object['constructor']).toBe(2)
    }
  })

  it('accepts 200 levels and refuses 201', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
    expect(parseJson(nested(200)).ok).toBe(true)
    expect(parseJson(nested(201))).toEqual({ ok: false, reason: expect.stringContaining('deeper than 200') })
    expect(parseJson('{"a":[1.5]}', { maxDepth: 1 }).ok).toBe(false)
    expect(parseJson('{"a":1.5}', { maxDepth: 1 }).ok).toBe(true)
  })

  it('answers a million open brackets, and a string and a number of many megabytes, without overflow', () => {
    expect(parseJson('['.repeat(1_000_000)).ok).toBe(false)
    expect(parseJson('{"a":'.repeat(1_000_000)).ok).toBe(false)
    expect(parseJson(`["${'\\n'.repeat(4_000_000)}",1.5]`).ok).toBe(true)
    expect(parseJson(`[1${'0'.repeat(8_000_000)}]`).ok).toBe(true)
  })

  it('reads back whatever JSON.stringify writes, on both ways through the reader', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false, maxDepth: 6 }), (written) => {
        const text = JSON.stringify(written)
        fc.pre(!/\p{Surrogate}/u.test(JSON.stringify(written)))
        const quick = parseJson(text)
        expect(quick).toEqual(readJson(text, 200))
        expect(quick.ok || /surrogate/.test(quick.reason)).toBe(true)
        if (quick.ok) expect(JSON.stringify(plain(quick.value))).toBe(JSON.stringify(JSON.parse(text)))
      }),
    )
  })

  it('agrees with JSON.parse on which mutilated texts are JSON', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"b"',
      '"',
      '\\',
      '1',
      '-',
      '0',
      '.5',
      'e2',
      'true',
      'null',
      ' ',
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = parts.join('')
        let known = true
        try {
          JSON.parse(text)
        } catch {
          known = false
        }
        const result = parseJson(text)
        expect(readJson(text, 200).ok).toBe(result.ok)
        if (result.ok) expect(known).toBe(true)
        else if (known) expect(result.reason).toMatch(/duplicate/)
      }),
      { numRuns: 3000 },
    )
  })
})

/** Raw numbers as doubles, to compare with JSON.parse. */
function plain(json: Json): unknown {
  if (json instanceof RawNumber) return Number(json.text)
  if (Array.isArray(json)) return json.map(plain)
  if (typeof json === 'object' && json !== null)
    return Object.fromEntries(Object.entries(json).map(([key, item]) => [key, plain(item as Json)]))
  return json
}
