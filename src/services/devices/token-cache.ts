import type { Clock } from '../../platform/clock.js'
import type { Requester } from '../requester.js'

/** What is known of a valid access token. */
export interface KnownToken {
  /** One object for all requests of the token. */
  readonly requester: Requester & { readonly deviceId: string }
  /** Unix milliseconds; null: never. */
  readonly expiresTs: number | null
  readonly locked: boolean
  /** When the account expires; null: never. */
  readonly accountExpiresTs: number | null
}

/**
 * Access tokens that were looked up lately, by their hash. Every change to an account or device forgets its tokens here
 * after the change is on disk. Other processes on the same database learn of it when their entry's time is over.
 */
export interface TokenCache {
  get(hash: string): KnownToken | undefined
  /** Changes whenever something is forgotten. Taken before a look-up, it tells `put` whether the answer may be stale. */
  readonly epoch: number
  /** Does nothing when something was forgotten since `epoch`. */
  put(hash: string, token: KnownToken, epoch: number): void
  /** Forgets the tokens of the user; with `deviceIds` those of these devices only. */
  forget(userId: string, deviceIds?: readonly string[]): void
  readonly size: number
}

export interface TokenCacheOptions {
  /** Entries; the least recently used goes first. */
  readonly max?: number
  /** How long an entry is believed, in milliseconds. */
  readonly ttlMs?: number
  /** After tokens of a user were forgotten: requests that wait should ask again whether they may. */
  readonly onForget?: (userId: string) => void
}

interface Entry {
  readonly token: KnownToken
  readonly until: number
}

export function createTokenCache(
  clock: Pick<Clock, 'monotonic'>,
  options: TokenCacheOptions = {},
): TokenCache {
  const { max = 20_000, ttlMs = 30_000 } = options
  const entries = new Map<string, Entry>()
  const byUser = new Map<string, Set<string>>()
  let epoch = 0

  function drop(hash: string, userId: string): void {
    entries.delete(hash)
    const hashes = byUser.get(userId)
    hashes?.delete(hash)
    if (hashes?.size === 0) byUser.delete(userId)
  }

  return {
    get(hash) {
      const entry = entries.get(hash)
      if (entry === undefined) return undefined
      if (entry.until <= clock.monotonic()) {
        drop(hash, entry.token.requester.userId)
        return undefined
      }
      // A Map iterates in order of insertion: the first key is the one unused for longest.
      entries.delete(hash)
      entries.set(hash, entry)
      return entry.token
    },
    get epoch() {
      return epoch
    },
    put(hash, token, since) {
      if (since !== epoch) return
      const userId = token.requester.userId
      entries.delete(hash)
      entries.set(hash, { token, until: clock.monotonic() + ttlMs })
      const hashes = byUser.get(userId)
      if (hashes === undefined) byUser.set(userId, new Set([hash]))
      else hashes.add(hash)
      if (entries.size > max) {
        const [oldest, entry] = entries.entries().next().value!
        drop(oldest, entry.token.requester.userId)
      }
    },
    forget(userId, deviceIds) {
      epoch++
      for (const hash of [...(byUser.get(userId) ?? [])]) {
        const device = entries.get(hash)!.token.requester.deviceId
        if (deviceIds === undefined || deviceIds.includes(device)) drop(hash, userId)
      }
      options.onForget?.(userId)
    },
    get size() {
      return entries.size
    },
  }
}
