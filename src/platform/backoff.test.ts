import { describe, expect, it } from '@jest/globals'
import { backoffDelay } from './backoff.js'
import { systemRandom } from './random.js'

const least = { bytes: (length: number) => new Uint8Array(length) }
const most = { bytes: (length: number) => new Uint8Array(length).fill(255) }

describe('the back-off', () => {
  it('starts small, doubles, and stays at its cap', () => {
    const options = { initialMs: 100, maxMs: 1_000, jitter: 0 }
    const delays = [0, 1, 2, 3, 4, 5, 6, 10_000].map((failures) => backoffDelay(options, failures, least))
    expect(delays).toEqual([0, 100, 200, 400, 800, 1_000, 1_000, 1_000])
  })

  it('takes its jitter off the wait, never over the cap', () => {
    const options = { initialMs: 1_000, maxMs: 1_000, jitter: 0.5 }
    expect(backoffDelay(options, 3, least)).toBe(1_000)
    expect(backoffDelay(options, 3, most)).toBe(500)
  })

  it('spreads', () => {
    const options = { initialMs: 1_000_000, maxMs: 2_000_000 }
    const delays = new Set(Array.from({ length: 50 }, () => backoffDelay(options, 1, systemRandom)))
    expect(delays.size).toBeGreaterThan(40)
    for (const delay of delays) {
      expect(delay).toBeGreaterThanOrEqual(800_000)
      expect(delay).toBeLessThanOrEqual(1_000_000)
    }
  })
})
