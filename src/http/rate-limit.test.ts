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
})
