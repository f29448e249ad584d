import { canonicalJson } from '../../core/json/canonical.js'
import { parseJson } from '../../core/json/parse.js'
import { isObject, type JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import { publicKey, type PublicKey } from '../../platform/ed25519.js'
import type { Logger } from '../../platform/logger.js'
import { createKeyedQueue } from '../../platform/keyed-queue.js'
import { createLru } from '../../platform/lru.js'
import {
  keyDocumentOfServer, keysOfServer, MAX_KEYS_PER_SERVER, upsertKeyDocument, upsertServerKeys, type ServerKeyRow,
} from '../../storage/tables/server-keys.js' // prettier-ignore
import type { Store } from '../../storage/tx.js'
import { MAX_VALIDITY, parseKeyDocument, type KeyDocument } from './key-document.js'

/** A key of another server as this server knows it. */
export interface KnownKey {
  readonly key: PublicKey
  /** Signatures made earlier do not count; undefined where nobody says since when it is used. */
  readonly validFromTs?: number
  /** Signatures made later than this need a newer document. Milliseconds. */
  readonly validUntilTs: number
  /** When its owner stopped using it. */
  readonly expiredTs: number | undefined
}

export interface KnownServer {
  readonly keys: ReadonlyMap<string, KnownKey>
  /** Ids of keys that do not count any more. No other key can have them. */
  readonly banned?: ReadonlySet<string>
  /** The last document; undefined where none was ever seen. */
  readonly document: { readonly json: JsonObject; readonly validUntilTs: number } | undefined
}

/** Keys in memory, in front of the table. */
export interface KnownKeys {
  of(serverName: string): Promise<KnownServer>
  /** Merges a verified document in. `direct`: it came from the server itself, over TLS. */
  learn(document: KeyDocument, source: 'direct' | 'notary'): Promise<KnownServer>
}

export function createKnownKeys(deps: {
  store: Store
  clock: Clock
  logger: Logger
  maxCached?: number
  /** Public keys that do not count although the table has them, as unpadded base64. */
  banned?: ReadonlySet<string>
}): KnownKeys {
  const { store, clock, logger, maxCached = 5_000, banned = new Set() } = deps
  const cache = createLru<string, Promise<KnownServer>>({ max: maxCached })

  const merging = createKeyedQueue({ maxPerKey: 100, maxTotal: 10_000 })

  async function load(serverName: string): Promise<KnownServer> {
    const { rows, stored } = await store.read('federation.knownKeys', function* () {
      return { rows: yield* keysOfServer(serverName), stored: yield* keyDocumentOfServer(serverName) }
    })
    const keys = new Map<string, KnownKey>()
    const bannedIds = new Set<string>()
    for (const row of rows) {
      const key = publicKey(row.public_key)
      const expiredTs = row.expired_ts ?? undefined
      if (key === undefined) continue
      if (banned.has(key.base64)) bannedIds.add(row.key_id)
      else keys.set(row.key_id, { key, validUntilTs: row.valid_until_ts, expiredTs })
    }
    const parsed = stored === undefined ? undefined : parseJson(stored.document)
    const json = parsed?.ok === true && isObject(parsed.value) ? parsed.value : undefined
    // One that only a banned key has signed proves nothing any more.
    const good = json !== undefined && parseKeyDocument(serverName, json, banned) !== undefined
    const document = good ? { json, validUntilTs: stored!.valid_until_ts } : undefined
    return { keys, banned: bannedIds, document }
  }

  function of(serverName: string): Promise<KnownServer> {
    let known = cache.get(serverName)
    if (known === undefined) {
      known = load(serverName)
      cache.set(serverName, known)
      // A failed read must not be remembered.
      known.catch(() => cache.delete(serverName))
    }
    return known
  }

  async function merge(document: KeyDocument, source: 'direct' | 'notary'): Promise<KnownServer> {
    const { serverName } = document
    const before = await of(serverName)
    const now = clock.now()
    const { keys, refused } = mergeKeys(before, document, source, now)
    if (refused.length > 0)
      logger.warn({ server: serverName, keyIds: refused }, 'refused a key id that was known with another key')
    const older = before.document !== undefined && before.document.validUntilTs > document.validUntilTs
    const keepDocument = source === 'notary' && older
    const after: KnownServer = {
      keys,
      ...(before.banned && { banned: before.banned }),
      document: keepDocument
        ? before.document
        : { json: document.document, validUntilTs: document.validUntilTs },
    }
    const rows: ServerKeyRow[] = []
    for (const [keyId, known] of keys) {
      if (known === before.keys.get(keyId)) continue
      rows.push({
        server_name: serverName,
        key_id: keyId,
        public_key: known.key.base64,
        valid_until_ts: known.validUntilTs,
        expired_ts: known.expiredTs ?? null,
      })
    }
    await store.write('federation.learnKeys', function* () {
      yield* upsertServerKeys(rows)
      if (keepDocument) return
      yield* upsertKeyDocument({
        server_name: serverName,
        document: canonicalJson(document.document),
        valid_until_ts: document.validUntilTs,
        fetched_ts: now,
      })
    })
    cache.set(serverName, Promise.resolve(after))
    return after
  }

  return {
    of,
    // One after the other: two merges of one server from the same state would lose a key.
    learn: (document, source) => merging.run(document.serverName, () => merge(document, source)),
  }
}

/**
 * The rules of a key's life. A key id stands for one key for ever: what comes later under the same id is refused. A
 * document from the server itself decides how long a key is valid and whether it is in use; one from a notary may be
 * old, so it can extend a validity but neither shorten it nor bring an expired key back.
 */
export function mergeKeys(
  known: Pick<KnownServer, 'keys' | 'banned'>,
  document: KeyDocument,
  source: 'direct' | 'notary',
  now: number,
): { keys: ReadonlyMap<string, KnownKey>; refused: readonly string[] } {
  const before = known.keys
  const keys = new Map(before)
  const refused: string[] = []
  const accept = (keyId: string, fresh: KnownKey): void => {
    const existing = before.get(keyId)
    const other = existing !== undefined && existing.key.base64 !== fresh.key.base64
    if (other || known.banned?.has(keyId) === true) refused.push(keyId)
    else if (existing !== undefined || keys.size < MAX_KEYS_PER_SERVER) keys.set(keyId, fresh)
  }
  const validUntilTs = Math.min(document.validUntilTs, now + MAX_VALIDITY)
  for (const [keyId, key] of document.current) {
    const existing = before.get(keyId)
    if (source === 'notary' && existing !== undefined) {
      accept(keyId, { ...existing, key, validUntilTs: Math.max(existing.validUntilTs, validUntilTs) })
    } else {
      accept(keyId, { key, validUntilTs, expiredTs: undefined })
    }
  }
  for (const [keyId, { key, expiredTs }] of document.old) {
    const existing = before.get(keyId)?.expiredTs ?? Infinity
    accept(keyId, { key, validUntilTs: 0, expiredTs: Math.min(existing, expiredTs) })
  }
  return { keys, refused }
}
