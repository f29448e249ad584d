import type { Clock } from './clock.js'

/** A map that forgets: the least recently used entry when full, any entry once its time is over. */
export interface Lru<K, V> {
  /** Counts as a use. Undefined for absent and for outlived entries. */
  get(key: K): V | undefined
  /** `ttlMs` overrides the cache's own for this entry. */
  set(key: K, value: V, ttlMs?: number): void
  delete(key: K): boolean
  clear(): void
  readonly size: number
}

export interface LruOptions {
  /** The most entries kept, at least 1. */
  max: number
  /** How long an entry lives, in milliseconds of the monotonic clock; without it, and without `ttlMs` at `set`, for ever. */
  ttlMs?: number
  /** Needed by every cache whose entries have a lifetime. */
  clock?: Pick<Clock, 'monotonic'>
}

interface Entry<V> {
  readonly value: V
  readonly until: number
}

export function createLru<K, V>(options: LruOptions): Lru<K, V> {
  const { max, ttlMs, clock } = options
  if (!(max >= 1)) throw new RangeError('an LRU needs room for at least one entry')
  if (ttlMs !== undefined && clock === undefined) throw new TypeError('an LRU with a lifetime needs a clock')
  // A Map iterates in order of insertion: moving an entry to the end on use keeps the oldest use first.
  const entries = new Map<K, Entry<V>>()

  return {
    get(key) {
      const entry = entries.get(key)
      if (entry === undefined) return undefined
      entries.delete(key)
      if (clock !== undefined && entry.until <= clock.monotonic()) return undefined
      entries.set(key, entry)
      return entry.value
    },
    set(key, value, ownTtlMs = ttlMs) {
      if (ownTtlMs !== undefined && clock === undefined)
        throw new TypeError('an entry with a lifetime needs a clock')
      const until = ownTtlMs === undefined || clock === undefined ? Infinity : clock.monotonic() + ownTtlMs
      entries.delete(key)
      entries.set(key, { value, until })
      if (entries.size > max) entries.delete(entries.keys().next().value as K)
    },
    delete: (key) => entries.delete(key),
    clear: () => entries.clear(),
    get size() {
      return entries.size
    },
  }
}
