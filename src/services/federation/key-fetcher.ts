import { signaturesOf } from '../../core/event/sign.js'
import { isObject, ownValue, type JsonObject } from '../../core/json/value.js'
import { backoffDelay } from '../../platform/backoff.js'
import type { Clock } from '../../platform/clock.js'
import { verifySignature, type PublicKey } from '../../platform/ed25519.js'
import type { Logger } from '../../platform/logger.js'
import { createLru } from '../../platform/lru.js'
import type { Random } from '../../platform/random.js'
import { createSemaphore } from '../../platform/semaphore.js'
import type { FederationClient } from './client.js'
import { parseKeyDocument, signingInputOf } from './key-document.js'
import type { KnownKeys } from './known-keys.js'

/** Asks servers for their keys, within bounds. */
export interface KeyFetcher {
  /**
   * Tries to learn the server's present keys, from itself, else from the notaries. Does nothing where the server was asked
   * shortly before: after an answer for a minute, after failures for 10 seconds to 10 minutes. Never rejects.
   */
  refresh(serverName: string): Promise<void>
}

/** A server whose word on other servers' keys is taken. */
export interface Notary {
  readonly serverName: string
  /** The keys that its answers are signed with; where absent, those that it publishes itself. */
  readonly keys?: ReadonlyMap<string, PublicKey>
}

export interface KeyFetcherDeps {
  readonly client: Pick<FederationClient, 'request'>
  readonly known: KnownKeys
  readonly notaries: readonly Notary[]
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly timeoutMs?: number
  /** Public keys that never count, as unpadded base64. */
  readonly banned?: ReadonlySet<string>
  /** Nobody is asked for the keys of a server with which this one does not federate. */
  readonly federates?: (serverName: string) => boolean
}

const MAX_BYTES = 128 * 1024
const AFTER_SUCCESS = 60_000
const FAILURES = { initialMs: 10_000, maxMs: 600_000 }

interface History {
  readonly nextAt: number
  readonly failures: number
}

export function createKeyFetcher(deps: KeyFetcherDeps): KeyFetcher {
  const { client, known, notaries, clock, random, logger, timeoutMs = 10_000, banned } = deps
  const { federates = () => true } = deps
  const history = createLru<string, History>({ max: 20_000 })
  const running = new Map<string, Promise<void>>()
  const slots = createSemaphore({ permits: 64, maxWaiting: 2_000 })

  async function direct(serverName: string): Promise<boolean> {
    const answer = await client.request({
      destination: serverName,
      method: 'GET',
      path: '/_matrix/key/v2/server',
      timeoutMs,
      maxBytes: MAX_BYTES,
      signed: false,
    })
    const document = parseKeyDocument(serverName, answer, banned)
    if (document === undefined) {
      logger.warn({ server: serverName }, 'the key document of a server is not valid')
      return false
    }
    await known.learn(document, 'direct')
    return true
  }

  /** The keys in use of a notary, asked of itself alone: notaries that vouch for each other would prove nothing. */
  async function publishedKeys(serverName: string): Promise<ReadonlyMap<string, PublicKey>> {
    const inUse = async (): Promise<Map<string, PublicKey>> => {
      const found = new Map<string, PublicKey>()
      for (const [keyId, { key, expiredTs, validUntilTs }] of (await known.of(serverName)).keys) {
        if (expiredTs === undefined && validUntilTs >= clock.now()) found.set(keyId, key)
      }
      return found
    }
    const before = await inUse()
    if (before.size > 0) return before
    await direct(serverName)
    return inUse()
  }

  async function throughNotary(notary: Notary, serverName: string): Promise<boolean> {
    if (notary.serverName === serverName) return false
    const trusted = notary.keys ?? (await publishedKeys(notary.serverName))
    if (trusted.size === 0) return false
    const answer = await client.request({
      destination: notary.serverName,
      method: 'POST',
      path: '/_matrix/key/v2/query',
      // Without key ids a notary answers with all it knows.
      body: { server_keys: { [serverName]: {} } },
      timeoutMs,
      maxBytes: MAX_BYTES * 4,
      signed: false,
    })
    const list = ownValue(answer, 'server_keys')
    let learned = false
    for (const item of Array.isArray(list) ? list.slice(0, 8) : []) {
      if (!isObject(item) || !isSignedBy(item, notary.serverName, trusted)) continue
      const document = parseKeyDocument(serverName, item, banned)
      if (document === undefined) continue
      await known.learn(document, 'notary')
      learned = true
    }
    return learned
  }

  async function attempt(serverName: string): Promise<boolean> {
    const sources = [
      () => direct(serverName),
      ...notaries.map((notary) => () => throughNotary(notary, serverName)),
    ]
    for (const source of sources) {
      try {
        if (await source()) return true
      } catch (error) {
        logger.debug({ server: serverName, err: error }, 'asking for the keys of a server failed')
      }
    }
    return false
  }

  async function refresh(serverName: string): Promise<void> {
    const before = history.get(serverName)
    if (before !== undefined && before.nextAt > clock.monotonic()) return
    const learned = await slots.run(() => attempt(serverName)).catch(() => undefined)
    // No room to wait in says nothing about the server.
    if (learned === undefined) return
    const failures = learned ? 0 : (before?.failures ?? 0) + 1
    const wait = learned ? AFTER_SUCCESS : backoffDelay(FAILURES, failures, random)
    history.set(serverName, { nextAt: clock.monotonic() + wait, failures })
  }

  return {
    refresh(serverName) {
      // A notary would vouch for it all the same.
      if (!federates(serverName)) return Promise.resolve()
      let current = running.get(serverName)
      if (current === undefined) {
        current = refresh(serverName).finally(() => running.delete(serverName))
        running.set(serverName, current)
      }
      return current
    },
  }
}

function isSignedBy(document: JsonObject, serverName: string, keys: ReadonlyMap<string, PublicKey>): boolean {
  const bytes = signingInputOf(document)
  if (bytes === undefined) return false
  const signatures = signaturesOf(document, serverName)
  for (const [keyId, key] of keys) {
    const signature = signatures.get(keyId)
    if (signature !== undefined && verifySignature(key, bytes, signature)) return true
  }
  return false
}
