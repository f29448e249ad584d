import { describe, expect, it } from '@jest/globals'
import canonicalStringify from 'canonical-json'
import fc from 'fast-check'
import { canonicalJson, NotCanonical, tryCanonicalJson } from './canonical.js'
import { compareCodePoints } from './compare.js'
import { parseJson } from './parse.js'
import { RawNumber, type Json } from './value.js'

const parse = (text: string): Json => {
  const result = parseJson(text)
  if (!result.ok) throw new Error(result.reason)
  return result.value
}

describe('canonicalJson', () => {
  // The examples that the specification publishes.
  it.each([
    ['{}', '{}'],
    ['{"one": 1, "two": "Two"}', '{"one":1,"two":"Two"}'],
    ['{"b": "2", "a": "1"}', '{"a":"1","b":"2"}'],
    [
      '{"auth":{"success":true,"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"medium":"email","address":"john.doe@example.org"},{"medium":"msisdn","address":"123456789"}]}}}',
      '{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}',
    ],
    ['{"a": "日本語"}', '{"a":"日本語"}'],
    ['{"本": 2, "日": 1}', '{"日":1,"本":2}'],
    ['{"a": "\\u65E5"}', '{"a":"日"}'],
    ['{"a": null}', '{"a":null}'],
  ])('writes %s as the specification shows', (text, expected) => {
    expect(canonicalJson(parse(text))).toBe(expected)
    expect(canonicalJson(parse(text), 'lenient')).toBe(expected)
  })

  it('sorts keys by code point, not by UTF-16 unit', () => {
    expect(canonicalJson({ '😀': 1, '～': 2, a: 3 })).toBe('{"a":3,"～":2,"😀":1}')
    expect(canonicalJson({ 'x😀': 1, x: 2, 'x～': 3 })).toBe('{"x":2,"x～":3,"x😀":1}')
  })

  it('uses the short escapes where there are some, lower-case hex elsewhere, and no other escape', () => {
    expect(canonicalJson('\b\t\n\f\r"\\/\u0000\u001f\u007f\u2028é')).toBe(
      '"\\b\\t\\n\\f\\r\\"\\\\/\\u0000\\u001f\u007f\u2028é"',
    )
  })

  it('writes __proto__ like any other key', () => {
    expect(canonicalJson(parse('{"b":1,"__proto__":{"z":1,"a":2}}'))).toBe(
      '{"__proto__":{"a":2,"z":1},"b":1}',
    )
  })

  it.each<[string, Json]>([
    ['a fraction', 0.5],
    ['negative zero', -0],
    ['2^53', 2 ** 53],
    ['-2^53', -(2 ** 53)],
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['a raw 1.0', new RawNumber('1.0')],
    ['a raw 2^53', new RawNumber('9007199254740992')],
    ['a lone surrogate', '\ud800'],
    ['a lone surrogate in a key', { '\udc00': 1 }],
    ['undefined', undefined as unknown as Json],
    ['an undefined member', { a: undefined as unknown as Json }],
    ['a bigint', 1n as unknown as Json],
  ])('refuses %s in strict mode, also deep inside', (_name, value) => {
    expect(() => canonicalJson(value, 'strict')).toThrow(NotCanonical)
    expect(tryCanonicalJson({ a: [value] }, 'strict')).toEqual({ ok: false, reason: expect.any(String) })
  })

  it('accepts the ends of the integer range', () => {
    expect(canonicalJson([Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0])).toBe(
      '[9007199254740991,-9007199254740991,0]',
    )
  })

  // What Python 3.11's json.dumps(json.loads(text)) answers.
  it.each([
    ['1.0', '1.0'],
    ['1e3', '1000.0'],
    ['1E3', '1000.0'],
    ['-0', '0'],
    ['-0.0', '-0.0'],
    ['0.0', '0.0'],
    ['-0e5', '-0.0'],
    ['1e15', '1000000000000000.0'],
    ['1e16', '1e+16'],
    ['12345678901234567.0', '1.2345678901234568e+16'],
    ['1e22', '1e+22'],
    ['1.5e300', '1.5e+300'],
    ['0.0001', '0.0001'],
    ['0.00001', '1e-05'],
    ['0.000123', '0.000123'],
    ['1.25e-7', '1.25e-07'],
    ['5e-324', '5e-324'],
    ['1e-400', '0.0'],
    ['0.1', '0.1'],
    ['123.456', '123.456'],
    ['100.5', '100.5'],
    ['-2.5', '-2.5'],
    ['9007199254740993.0', '9007199254740992.0'],
    ['9007199254740993', '9007199254740993'],
    ['-123456789012345678901234567890', '-123456789012345678901234567890'],
  ])('writes %s leniently as Python would: %s', (text, expected) => {
    // prettier-ignore
    expect(canonicalJson(parse(`{"a":${text}}`), 'lenient')).toBe(`{"a":${expected}}`)
  })

  it('writes doubles leniently like numbers that were read', () => {
    expect(canonicalJson([0.5, -0, 7], 'lenient')).toBe('[0.5,-0.0,7]')
  })

  it.each<[string, Json]>([
    ['an overflowing double', new RawNumber('1e400')],
    ['4,301 digits', new RawNumber('1'.repeat(4301))],
    ['an infinity', Number.NEGATIVE_INFINITY],
    ['a double that stands for an unsafe integer', 2 ** 53],
    ['a lone surrogate', '\ud800'],
  ])('refuses %s in lenient mode', (_name, value) => {
    expect(tryCanonicalJson(value, 'lenient').ok).toBe(false)
  })

  it('accepts 4,300 digits in lenient mode, with and without a sign', () => {
    const digits = '9'.repeat(4300)
    expect(canonicalJson(new RawNumber(digits), 'lenient')).toBe(digits)
    expect(canonicalJson(new RawNumber(`-${digits}`), 'lenient')).toBe(`-${digits}`)
    expect(tryCanonicalJson(new RawNumber(`-9${digits}`), 'lenient').ok).toBe(false)
  })

  it('refuses a value that nests without end instead of overflowing the stack', () => {
    let value: Json = 1
    for (let i = 0; i < 100_000; i++) value = [value]
    expect(tryCanonicalJson(value)).toEqual({ ok: false, reason: 'nested too deeply' })
  })

  it('does not swallow errors that are none of its own', () => {
    const trap = Object.defineProperty({}, 'a', {
      enumerable: true,
      get() {
        throw new TypeError('trap')
      },
    }) as Json
    expect(() => tryCanonicalJson(trap)).toThrow(TypeError)
  })

  const safe = fc.letrec<{ value: Json; object: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.constant(null),
      fc.boolean(),
      fc.maxSafeInteger().map((n) => n + 0 || 0),
      fc.string({ unit: 'binary' }),
      fc.array(tie('value'), { maxLength: 4 }),
      tie('object'),
    ),
    object: fc
      .dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 6, noNullPrototype: true })
      .map((object) => object as Json),
  }))

  it('agrees with the canonical-json package on the subset where that is right', () => {
    const withoutProto = safe.value.filter((value) => !JSON.stringify(value).includes('__proto__'))
    fc.assert(
      fc.property(withoutProto, (value) => {
        expect(canonicalJson(value)).toBe(canonicalStringify(value, undefined, undefined, compareCodePoints))
      }),
    )
  })

  it('survives the way through the reader, and is its own canonical form', () => {
    fc.assert(
      fc.property(safe.value, (value) => {
        const text = canonicalJson(value)
        expect(canonicalJson(parse(text))).toBe(text)
        expect(parse(text)).toEqual(value)
      }),
    )
  })

  it('orders any two strings as their code points order', () => {
    const points = (text: string): number[] => Array.from(text, (char) => char.codePointAt(0) as number)
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        const [x, y] = [points(a), points(b)]
        let i = 0
        while (i < x.length && i < y.length && x[i] === y[i]) i++
        const expected = Math.sign((x[i] ?? -1) - (y[i] ?? -1))
        expect(Math.sign(compareCodePoints(a, b))).toBe(expected)
      }),
    )
  })
})
