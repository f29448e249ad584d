import { describe, expect, it } from '@jest/globals'
import { compareIntegers, isInteger64, toDouble } from './integer.js'
import { RawNumber } from './value.js'

describe('64-bit integers', () => {
  it.each([
    ['9223372036854775807', true],
    ['-9223372036854775807', true],
    ['9223372036854775808', false],
    ['10000000000000000000', false],
    ['999999999999999999', true],
    ['-0', true],
    ['1.0', false],
    ['1e3', false],
  ])('%s is one: %s', (text, expected) => {
    expect(isInteger64(new RawNumber(text))).toBe(expected)
  })
  it('are safe where they are plain numbers', () => {
    expect([1, 0.5, 2 ** 53, Number.NaN].map(isInteger64)).toEqual([true, false, false, false])
    expect([undefined, null, '1', [], {}].map((value) => isInteger64(value))).toEqual([
      false,
      false,
      false,
      false,
      false,
    ])
  })
  it('compare exactly where doubles are equal', () => {
    const a = new RawNumber('9007199254740993')
    const b = new RawNumber('9007199254740992')
    expect(toDouble(a)).toBe(toDouble(b))
    expect(compareIntegers(a, b)).toBe(1)
    expect(compareIntegers(b, a)).toBe(-1)
    expect(compareIntegers(a, new RawNumber('9007199254740993'))).toBe(0)
    expect(compareIntegers(a, 5)).toBe(1)
    expect(compareIntegers(2, 5)).toBe(-3)
    expect(Object.is(toDouble(new RawNumber('-0')), 0)).toBe(true)
  })
  it('are written by JSON.stringify as the nearest double', () => {
    expect(JSON.stringify({ a: new RawNumber('1.50'), b: new RawNumber('1e400') })).toBe('{"a":1.5,"b":null}')
  })
})
