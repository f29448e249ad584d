import { describe, expect, it } from '@jest/globals'
import { createLoadingCache, type LoadingCache } from './loading-cache.js'

interface Read {
  readonly key: string
  end(value: number | undefined): void
  fail(error: Error): void
}

function setUp(max = 10): { cache: LoadingCache<string, number>; reads: Read[] } {
  const reads: Read[] = []
  const cache = createLoadingCache<string, number>({
    max,
    load: (key) =>
      new Promise((resolve, reject) => {
        reads.push({ key, end: resolve, fail: reject })
      }),
  })
  return { cache, reads }
}

describe('a loading cache', () => {
  it('reads once and keeps what it read', async () => {
    const { cache, reads } = setUp()
    const first = cache.get('a')
    reads[0]!.end(1)
    expect(await first).toBe(1)
    expect(await cache.get('a')).toBe(1)
    expect(reads).toHaveLength(1)
  })

  it('makes one read of those that overlap', async () => {
    const { cache, reads } = setUp()
    const both = [cache.get('a'), cache.get('a')]
    expect(reads).toHaveLength(1)
    reads[0]!.end(1)
    expect(await Promise.all(both)).toEqual([1, 1])
  })

  it('keeps what was set while an older value was being read', async () => {
    const { cache, reads } = setUp()
    const reading = cache.get('a')
    cache.set('a', 2)
    reads[0]!.end(1)
    expect(await reading).toBe(2)
    expect(await cache.get('a')).toBe(2)
  })

  it('keeps nothing of a read that began before the key was forgotten', async () => {
    const { cache, reads } = setUp()
    const reading = cache.get('a')
    cache.forget('a')
    const after = cache.get('a')
    expect(reads).toHaveLength(2)
    reads[1]!.end(2)
    expect(await after).toBe(2)
    reads[0]!.end(1)
    await reading
    expect(await cache.get('a')).toBe(2)
  })

  it('does not give an older read to those who ask after the key was forgotten, whichever ends first', async () => {
    const { cache, reads } = setUp()
    const before = cache.get('a')
    cache.forget('a')
    const after = cache.get('a')
    reads[0]!.end(1)
    expect(await before).toBe(1)
    reads[1]!.end(2)
    expect(await after).toBe(2)
    expect(await cache.get('a')).toBe(2)
  })

  it('keeps neither failures nor what is not there', async () => {
    const { cache, reads } = setUp()
    const failing = cache.get('a')
    reads[0]!.fail(new Error('no'))
    await expect(failing).rejects.toThrow('no')
    const absent = cache.get('a')
    reads[1]!.end(undefined)
    expect(await absent).toBeUndefined()
    const there = cache.get('a')
    reads[2]!.end(3)
    expect(await there).toBe(3)
  })

  it('forgets the least recently used', async () => {
    const { cache, reads } = setUp(2)
    for (const key of ['a', 'b', 'c']) cache.set(key, 1)
    void cache.get('c')
    void cache.get('a')
    expect(reads.map((read) => read.key)).toEqual(['a'])
  })
})
