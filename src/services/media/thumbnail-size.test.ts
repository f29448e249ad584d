import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { SPECIFIED_SIZES, thumbnailBox } from './thumbnail-size.js'

const box = (width: number, height: number, method: 'crop' | 'scale', dynamic = false) =>
  thumbnailBox({ width, height, method }, SPECIFIED_SIZES, dynamic)

describe('the size of a thumbnail', () => {
  it.each([
    [32, 32, 'crop', { width: 32, height: 32, method: 'crop' }],
    [33, 20, 'crop', { width: 96, height: 96, method: 'crop' }],
    [97, 97, 'crop', { width: 320, height: 240, method: 'scale' }],
    [1, 1, 'scale', { width: 320, height: 240, method: 'scale' }],
    [320, 241, 'scale', { width: 640, height: 480, method: 'scale' }],
    [800, 600, 'scale', { width: 800, height: 600, method: 'scale' }],
    [801, 600, 'scale', { width: 8192, height: 8192, method: 'scale' }],
  ] as const)('%d × %d %s falls onto the nearest prepared one', (width, height, method, expected) => {
    expect(box(width, height, method)).toEqual(expected)
  })

  it('is rounded up when sizes are free', () => {
    expect(box(100, 120, 'crop', true)).toEqual({ width: 128, height: 128, method: 'crop' })
    expect(box(90, 40, 'crop', true)).toEqual({ width: 96, height: 48, method: 'crop' })
    expect(box(50, 50, 'crop', true)).toEqual({ width: 96, height: 96, method: 'crop' })
    expect(box(1000, 10, 'scale', true)).toEqual({ width: 1024, height: 32, method: 'scale' })
  })

  it.each([0, -1, 1e9, NaN, 1.5, Infinity, 8193])('%d is refused', (side) => {
    for (const dynamic of [true, false]) {
      expect(() => box(side, 32, 'scale', dynamic)).toThrow(
        expect.objectContaining({ errcode: 'M_INVALID_PARAM' }),
      )
      expect(() => box(32, side, 'crop', dynamic)).toThrow(
        expect.objectContaining({ errcode: 'M_INVALID_PARAM' }),
      )
    }
  })

  it('is never smaller than what was asked for, and one of few', () => {
    const side = fc.integer({ min: 1, max: 8192 })
    const seen = { true: new Set<string>(), false: new Set<string>() }
    fc.assert(
      fc.property(
        side,
        side,
        fc.constantFrom('crop', 'scale'),
        fc.boolean(),
        (width, height, method, dynamic) => {
          const given = box(width, height, method, dynamic)
          seen[`${dynamic}`].add(JSON.stringify(given))
          expect(given.width).toBeGreaterThanOrEqual(width)
          expect(given.height).toBeGreaterThanOrEqual(height)
        },
      ),
      { numRuns: 10_000 },
    )
    expect(seen.false.size).toBeLessThanOrEqual(6)
    expect(seen.true.size).toBeLessThanOrEqual(2 * 16 * 16 + 5)
  })
})
