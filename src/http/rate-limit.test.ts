import { describe, expect, it } from '@jest/globals'
import { MatrixError } from '../core/errors.js'
import { manualClock } from '../platform/clock.js'
import { createRateLimiter } from './rate-limit.js'

function waitOf(take: () => void): unknown {
  try {
    take()
    return undefined
  } catch (error) {
    return error instanceof MatrixError ? error.extra['retry_after_ms'] : error
  }
}

describe('a rate limit', () => {
  it('lets a burst pass, then as many as it says a second', () => {
    const clock = manualClock()
    const limiter = createRateLimiter({ write: { per_second: 2, burst: 3 } }, clock)
    const take = (key: string): unknown => waitOf(() => limiter.take('write', key))
    expect([take('a'), take('a'), take('a'), take('a')]).toEqual([undefined, undefined, undefined, 500])
    expect(take('b')).toBeUndefined()
    clock.advance(250)
    expect(take('a')).toBe(250)
    clock.advance(250)
    expect([take('a'), take('a')]).toEqual([undefined, 500])
  })

  it('never gives more than its burst, however long nobody came', () => {
    const clock = manualClock()
    const limiter = createRateLimiter({ write: { per_second: 100, burst: 2 } }, clock)
    clock.advance(3_600_000)
    const waits = [1, 2, 3].map(() => waitOf(() => limiter.take('write', 'a')))
    expect(waits).toEqual([undefined, undefined, 10])
  })

  it('that is absent refuses nobody', () => {
    const limiter = createRateLimiter({}, manualClock())
    for (let i = 0; i < 10_000; i++) limiter.take('write', 'a')
  })

  it('goes by the budget that a key has of its own, which may be none', () => {
    const limiter = createRateLimiter({ message: { per_second: 1, burst: 1 } }, manualClock())
    const take = (own?: { per_second: number; burst: number }): unknown =>
      waitOf(() => limiter.take('message', 'a', own))
    const five = [1, 2, 3, 4, 5]
    expect(five.map(() => take({ per_second: 0, burst: 0 }))).toEqual(five.map(() => undefined))
    expect([1, 2, 3].map(() => take({ per_second: 4, burst: 2 }))).toEqual([undefined, undefined, 250])
    expect(take()).toBe(1_000)
  })
})
