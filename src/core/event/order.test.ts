import { describe, expect, it } from '@jest/globals'
import { RawNumber, type JsonObject } from '../json/value.js'
import { rulesOf, testEvent } from '../testing.js'
import { compareByTime, compareDepths, compareTimestamps } from './order.js'

const event = (id: string, ts: number, depth = 1, pdu: JsonObject = {}) =>
  testEvent(rulesOf(2), { id, ts, depth, pdu })

describe('the order of events', () => {
  it('is by timestamp, then by id in code points', () => {
    expect(compareByTime(event('$b', 1), event('$a', 2))).toBeLessThan(0)
    expect(compareByTime(event('$b', 2), event('$a', 1))).toBeGreaterThan(0)
    expect(compareByTime(event('$b', 1), event('$a', 1))).toBeGreaterThan(0)
    expect(compareByTime(event('$a', 1), event('$a', 1))).toBe(0)
    expect(compareByTime(event('$～', 1), event('$😀', 1))).toBeLessThan(0)
  })
  it('tells integers apart that doubles do not', () => {
    const [low, high] = ['9007199254740992', '9007199254740993']
    const at = (digits: string, key: string) =>
      event('$a', Number(digits), Number(digits), { [key]: new RawNumber(digits) })
    expect(compareTimestamps(at(low, 'origin_server_ts'), at(high, 'origin_server_ts'))).toBeLessThan(0)
    expect(compareTimestamps(at(high, 'origin_server_ts'), at(low, 'origin_server_ts'))).toBeGreaterThan(0)
    expect(compareDepths(at(low, 'depth'), at(high, 'depth'))).toBeLessThan(0)
    expect(compareDepths(at(high, 'depth'), at(high, 'depth'))).toBe(0)
    expect(compareDepths(event('$a', 1, 3), event('$a', 1, 2))).toBe(1)
  })
})
