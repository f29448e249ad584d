import type { Clock } from './clock.js'

/** A map that forgets: when full the least recently used entry, or one of those used nearly as long ago; any entry once its time is over. */
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
  /** The number of moves to the end before the last one of this entry. */
  moved: number
}

export function createLru<K, V>(options: LruOptions): Lru<K, V> {
  const { max, ttlMs, clock } = options
  if (!(max >= 1)) throw new RangeError('an LRU needs room for at least one entry')
  if (ttlMs !== undefined && clock === undefined) throw new TypeError('an LRU with a lifetime needs a clock')
  // A Map iterates in order of insertion: moving an entry to the end on use keeps the oldest use first.
  const entries = new Map<K, Entry<V>>()
  // A move costs ten times a look. Who is among the latest quarter stays where it is: so many others go before it.
  const nearEnd = Math.floor(max / 4)
  let moves = 0

  return {
    get(key) {
      const entry = entries.get(key)
      if (entry === undefined) return undefined
      if (clock !== undefined && entry.until <= clock.monotonic()) {
        entries.delete(key)
        return undefined
      }
      if (moves - entry.moved > nearEnd) {
        entries.delete(key)
        entries.set(key, entry)
        entry.moved = ++moves
      }
      return entry.value
    },
    set(key, value, ownTtlMs = ttlMs) {
      if (ownTtlMs !== undefined && clock === undefined)
        throw new TypeError('an entry with a lifetime needs a clock')
      const until = ownTtlMs === undefined || clock === undefined ? Infinity : clock.monotonic() + ownTtlMs
      entries.delete(key)
      entries.set(key, { value, until, moved: ++moves })
      if (entries.size > max) entries.delete(entries.keys().next().value as K)
    },
    delete: (key) => entries.delete(key),
    clear: () => entries.clear(),
    get size() {
      return entries.size
    },
  }
}
