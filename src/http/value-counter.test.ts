import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { decodeJson } from './body.js'
import { createValueCounter } from './value-counter.js'

const count = (text: string): number => createValueCounter().add(Buffer.from(text))

/** What the counter promises, of a parsed value. */
function valuesOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const items = Object.values(value)
  const inside = items.map(valuesOf).reduce((sum, n) => sum + n, 0)
  return 1 + Math.max(0, items.length - 1) + inside
}

describe('the counter of values', () => {
  it('counts members, elements and what holds them, and nothing inside strings', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(4), (value, indent) => {
        expect(count(JSON.stringify(value, null, indent))).toBe(valuesOf(value))
      }),
    )
  })

  it('stops where the reader will: deeper nesting is not JSON to us, however much follows', () => {
    const text = `${'['.repeat(300)}${'1,'.repeat(50_000)}`
    expect(count(text)).toBe(201)
    expect(() => decodeJson(Buffer.from(text))).toThrow('nested deeper than 200')
  })

  it('gives the same wherever the bytes are cut', () => {
    const bytes = Buffer.from(String.raw`{"a\\\"[":[1,{"b":"é,\\"}],"c":{}}`)
    for (let cut = 0; cut <= bytes.length; cut++) {
      const counter = createValueCounter()
      counter.add(bytes.subarray(0, cut))
      expect(counter.add(bytes.subarray(cut))).toBe(6)
    }
  })
})
