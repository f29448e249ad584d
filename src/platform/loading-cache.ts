import { createLru } from './lru.js'

/**
 * A cache of what is read elsewhere, with one promise: a read that began before a `set` or `forget` never brings the
 * older value back, however late it ends. Reads of one key that overlap are one.
 */
export interface LoadingCache<K, V> {
  /** The value that is known, else what `load` gives; undefined, which is not kept, where there is none. */
  get(key: K): Promise<V | undefined>
  set(key: K, value: V): void
  forget(key: K): void
}

export interface LoadingCacheOptions<K, V> {
  /** The most entries kept. */
  readonly max: number
  load(key: K): Promise<V | undefined>
}

interface Loading<V> {
  /** Undefined only until the read has begun. */
  result: Promise<V | undefined> | undefined
}

export function createLoadingCache<K, V>(options: LoadingCacheOptions<K, V>): LoadingCache<K, V> {
  const values = createLru<K, V>({ max: options.max })
  /** Reads under way whose result may be kept. */
  const loading = new Map<K, Loading<V>>()

  async function load(key: K, own: Loading<V>): Promise<V | undefined> {
    try {
      const value = await options.load(key)
      if (loading.get(key) !== own) return values.get(key) ?? value
      if (value !== undefined) values.set(key, value)
      return value
    } finally {
      if (loading.get(key) === own) loading.delete(key)
    }
  }

  return {
    get(key) {
      const known = values.get(key)
      if (known !== undefined) return Promise.resolve(known)
      const running = loading.get(key)?.result
      if (running !== undefined) return running
      const own: Loading<V> = { result: undefined }
      loading.set(key, own)
      own.result = load(key, own)
      return own.result
    },
    set(key, value) {
      loading.delete(key)
      values.set(key, value)
    },
    forget(key) {
      loading.delete(key)
      values.delete(key)
    },
  }
}
