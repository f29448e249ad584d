import { describe, expect, it } from '@jest/globals'
import { manualClock } from './clock.js'
import { createLru } from './lru.js'

describe('an LRU', () => {
  it('forgets the least recently used entry first', () => {
    const lru = createLru<string, number>({ max: 2 })
    lru.set('a', 1)
    lru.set('b', 2)
    expect(lru.get('a')).toBe(1)
    lru.set('c', 3)
    expect(lru.get('b')).toBeUndefined()
    expect(lru.get('a')).toBe(1)
    expect(lru.get('c')).toBe(3)
    expect(lru.size).toBe(2)
  })

  it('keeps what is used again and again, however many others pass by, and however large it is', () => {
    const lru = createLru<number, number>({ max: 100 })
    for (let other = 1; other <= 1_000; other++) {
      lru.set(-1 - (other % 20), other)
      lru.set(other, other)
      for (let used = 1; used <= 20; used++) lru.get(-used)
    }
    for (let used = 1; used <= 20; used++) expect(lru.get(-used)).toBeDefined()
    expect(lru.size).toBe(100)
  })

  it('keeps an entry for three quarters of its size after it was used', () => {
    const lru = createLru<string, number>({ max: 100 })
    lru.set('used', 0)
    for (let other = 0; other < 20; other++) lru.set(`before ${other}`, other)
    lru.get('used')
    for (let other = 0; other < 75; other++) lru.set(`after ${other}`, other)
    expect(lru.get('used')).toBe(0)
  })

  it('replaces a value without growing', () => {
    const lru = createLru<string, number>({ max: 2 })
    lru.set('a', 1)
    lru.set('b', 2)
    lru.set('a', 3)
    lru.set('c', 4)
    expect([lru.get('a'), lru.get('b'), lru.get('c')]).toEqual([3, undefined, 4])
  })

  it('forgets entries whose time is over, each by its own', () => {
    const clock = manualClock()
    const lru = createLru<string, number>({ max: 9, ttlMs: 100, clock })
    lru.set('usual', 1)
    lru.set('short', 2, 10)
    clock.advance(10)
    expect([lru.get('usual'), lru.get('short')]).toEqual([1, undefined])
    clock.advance(89)
    expect(lru.get('usual')).toBe(1)
    clock.advance(1)
    expect(lru.get('usual')).toBeUndefined()
    expect(lru.size).toBe(0)
  })

  it('does not mind a step of the wall clock', () => {
    const clock = manualClock()
    const lru = createLru<string, number>({ max: 9, ttlMs: 100, clock })
    lru.set('a', 1)
    clock.set(0)
    expect(lru.get('a')).toBe(1)
  })

  it('keeps undefined-like values and hostile keys as plain data', () => {
    const lru = createLru<string, string>({ max: 9 })
    lru.set('__proto__', '')
    expect(lru.get('__proto__')).toBe('')
    expect(lru.get('constructor')).toBeUndefined()
    expect(lru.delete('__proto__')).toBe(true)
    lru.clear()
    expect(lru.size).toBe(0)
  })

  it('refuses to be built in a way that cannot work', () => {
    expect(() => createLru({ max: 0 })).toThrow(RangeError)
    expect(() => createLru({ max: 1, ttlMs: 5 })).toThrow(TypeError)
    expect(() => createLru<string, number>({ max: 1 }).set('a', 1, 5)).toThrow(TypeError)
  })
})
