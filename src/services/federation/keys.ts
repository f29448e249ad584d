import { eventSigningInput, requiredSigners, signaturesOf, signJson } from '../../core/event/sign.js'
import type { RoomEvent } from '../../core/event/types.js'
import { parseServerKeyId } from '../../core/ids/key-id.js'
import { NotCanonical } from '../../core/json/canonical.js'
import { canonicalJson } from '../../core/json/canonical.js'
import type { JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import { publicKey, verifySignatureAsync, type PublicKey, type Signer } from '../../platform/ed25519.js'
import { ownKeyDocument, signingInputOf, type RetiredKey } from './key-document.js'
import type { KeyFetcher } from './key-fetcher.js'
import type { KnownKey, KnownKeys } from './known-keys.js'

export type SignatureVerdict =
  | { readonly ok: true }
  | {
      readonly ok: false
      /**
       * `unsigned`: no signature that could count. `unknown-key`: no key that is valid at that time could be had; it may
       * be later, so this alone is worth another try. `expired-key`: its owner had stopped using the key by then. `bad-signature`: there are keys, and none made the signature.
       * `malformed`: the object cannot be signed or does not say by whom it must be.
       */
      readonly reason: 'unsigned' | 'unknown-key' | 'expired-key' | 'bad-signature' | 'malformed'
      readonly server: string
    }

export interface SignatureCheck {
  readonly serverName: string
  /** Key id to signature, as on the object. */
  readonly signatures: ReadonlyMap<string, string>
  readonly bytes: Uint8Array
  /** The moment of signing for which the key must be valid, in milliseconds. */
  readonly at: number
  /** False for events of room versions 1 to 4 alone: any key that the server ever had will do. */
  readonly enforceValidity: boolean
  /** Requests are signed with keys in use; events may carry keys that were in use at that time. */
  readonly use: 'request' | 'event'
}

export interface VerifyOptions {
  /** Decide by the keys already known; nothing is fetched. Default false. */
  readonly knownOnly?: boolean
}

export interface VerifyEventOptions extends VerifyOptions {
  /** For each event the text that its signatures cover (`CanonicalForms.signed`), where it has been written already. */
  readonly signedTexts?: readonly string[]
}

export interface Keys {
  /** Verifies many signatures on the thread pool; the keys of each server are fetched once for all of them. In order of the checks. Never rejects for bad input. */
  verify(checks: readonly SignatureCheck[], options?: VerifyOptions): Promise<SignatureVerdict[]>
  /** Whether the server has signed this JSON object. `minimumValidUntil` defaults to now. */
  verifyJson(
    serverName: string,
    object: JsonObject,
    options?: VerifyOptions & { readonly minimumValidUntil?: number; readonly enforceValidity?: boolean },
  ): Promise<SignatureVerdict>
  /** Whether all servers have signed that must have. In order of the events. */
  verifyEventSignatures(
    events: readonly RoomEvent[],
    options?: VerifyEventOptions,
  ): Promise<SignatureVerdict[]>
  /** The answer to `GET /_matrix/key/v2/server`. */
  ownDocument(): JsonObject
}

export interface KeysDeps {
  readonly serverName: string
  readonly signer: Signer
  /** Keys that this server signed with before; asked each time, as a rotation adds to them. */
  readonly retired?: () => readonly RetiredKey[]
  /** See `Peers.keysOf`. Servers with such keys are never asked for any. */
  readonly fixedKeysOf?: (serverName: string) => ReadonlyMap<string, KnownKey> | undefined
  readonly known: KnownKeys
  readonly fetcher: KeyFetcher
  readonly clock: Clock
  /** How long others may rely on our document. Default a day. */
  readonly validityMs?: number
  /** Whether a signature is the key's; default: on the thread pool. */
  verifySignature?(key: PublicKey, bytes: Uint8Array, signature: string): Promise<boolean>
}

/** Junk signatures are cheap to add and dear to check: of one server, so many are looked at. */
const MAX_SIGNATURES = 8
/** Verifications given to the thread pool at once. */
const BATCH = 64

export function createKeys(deps: KeysDeps): Keys {
  const {
    serverName: ourName,
    signer,
    retired = () => [],
    known,
    fetcher,
    clock,
    validityMs = 24 * 3_600_000,
    verifySignature = verifySignatureAsync,
    fixedKeysOf = () => undefined,
  } = deps
  const isFixed = (name: string): boolean => name === ourName || fixedKeysOf(name) !== undefined

  async function keysOf(name: string): Promise<ReadonlyMap<string, KnownKey>> {
    if (name === ourName) return ownKeys(ourName, signer, retired())
    return fixedKeysOf(name) ?? (await known.of(name)).keys
  }

  /** By the keys known now. `missing`: another key might still decide otherwise. */
  async function judge(check: SignatureCheck): Promise<Judgement> {
    const keys = await keysOf(check.serverName)
    const candidates = usableSignatures(check, keys)
    if (candidates.length === 0) return 'unsigned'
    let missing = false
    let expired = false
    for (const [keyId, signature] of candidates) {
      const key = keys.get(keyId)
      if (key === undefined) missing = true
      else if (!isValidFor(key, check)) {
        if (key.expiredTs === undefined) missing = true
        else expired = true
      } else if (await verifySignature(key.key, check.bytes, signature)) return 'ok'
    }
    return missing ? 'missing' : expired ? 'expired' : 'bad'
  }

  async function verify(
    checks: readonly SignatureCheck[],
    options: VerifyOptions = {},
  ): Promise<SignatureVerdict[]> {
    const judgements = await inBatches(checks, judge)
    const unsure = checks.filter((_, index) => isUnsure(judgements[index]!))
    const askable = new Set(unsure.map(({ serverName }) => serverName).filter((name) => !isFixed(name)))
    if (options.knownOnly !== true && askable.size > 0) {
      await Promise.all([...askable].map((name) => fetcher.refresh(name)))
      const again = checks.flatMap((check, index) =>
        isUnsure(judgements[index]!) && askable.has(check.serverName) ? [index] : [],
      )
      const second = await inBatches(again, (index) => judge(checks[index]!))
      for (const [place, index] of again.entries()) judgements[index] = second[place]!
    }
    return checks.map(({ serverName }, index) => verdictOf(judgements[index]!, serverName))
  }

  return {
    verify,

    async verifyJson(serverName, object, options = {}) {
      const bytes = signingInputOf(object)
      if (bytes === undefined) return { ok: false, reason: 'malformed', server: serverName }
      const { minimumValidUntil: at = clock.now(), enforceValidity = true } = options
      const signatures = signaturesOf(object, serverName)
      const [verdict] = await verify(
        [{ serverName, signatures, bytes, at, enforceValidity, use: 'event' }],
        options,
      )
      return verdict!
    },

    async verifyEventSignatures(events, options) {
      const verdicts: SignatureVerdict[] = events.map(() => ({ ok: true }))
      for (let start = 0; start < events.length; start += BATCH) {
        const checks: SignatureCheck[] = []
        const owners: number[] = []
        for (const [offset, event] of events.slice(start, start + BATCH).entries()) {
          const prepared = checksOf(event, options?.signedTexts?.[start + offset])
          if ('reason' in prepared) {
            verdicts[start + offset] = prepared
            continue
          }
          for (const check of prepared.checks) {
            checks.push(check)
            owners.push(start + offset)
          }
        }
        for (const [index, verdict] of (await verify(checks, options)).entries()) {
          const owner = owners[index]!
          verdicts[owner] = worse(verdicts[owner]!, verdict)
        }
      }
      return verdicts
    },

    ownDocument() {
      const document = ownKeyDocument(ourName, signer, retired(), clock.now() + validityMs)
      const signed = signJson(document, { serverName: ourName, ...signer })
      // Members in canonical order: some programs verify the bytes as they come.
      return JSON.parse(canonicalJson(signed)) as JsonObject
    },
  }
}

function checksOf(
  event: RoomEvent,
  signed: string | undefined,
): { readonly checks: SignatureCheck[] } | (SignatureVerdict & { ok: false }) {
  const malformed = { ok: false, reason: 'malformed', server: '' } as const
  const required = requiredSigners(event)
  if (!required.ok) return malformed
  let bytes: Uint8Array
  try {
    bytes = signed === undefined ? eventSigningInput(event.pdu, event.rules) : Buffer.from(signed)
  } catch (error) {
    if (error instanceof NotCanonical) return malformed
    throw error
  }
  const checks = required.servers.map((serverName) => ({
    serverName,
    signatures: signaturesOf(event.pdu, serverName),
    bytes,
    at: event.originServerTs,
    enforceValidity: event.rules.enforceKeyValidity,
    use: 'event' as const,
  }))
  return { checks }
}

type Judgement = 'ok' | 'bad' | 'missing' | 'expired' | 'unsigned'

const REASONS = {
  bad: 'bad-signature',
  missing: 'unknown-key',
  expired: 'expired-key',
  unsigned: 'unsigned',
} as const

/** A newer document could decide otherwise: it can also bring a retired key back. */
const isUnsure = (judgement: Judgement): boolean => judgement === 'missing' || judgement === 'expired'

/** A final refusal outweighs one that may change. */
function worse(one: SignatureVerdict, other: SignatureVerdict): SignatureVerdict {
  if (one.ok) return other
  if (other.ok || one.reason !== 'unknown-key') return one
  return other
}

function verdictOf(judgement: Judgement, server: string): SignatureVerdict {
  if (judgement === 'ok') return { ok: true }
  return { ok: false, reason: REASONS[judgement], server }
}

/** The Ed25519 signatures worth looking at, those by known keys first: junk cannot push the real one out. */
function usableSignatures(
  check: SignatureCheck,
  keys: ReadonlyMap<string, KnownKey>,
): (readonly [string, string])[] {
  const byKnown: (readonly [string, string])[] = []
  for (const keyId of keys.keys()) {
    const signature = check.signatures.get(keyId)
    if (signature !== undefined) byKnown.push([keyId, signature])
  }
  const others: (readonly [string, string])[] = []
  for (const [keyId, signature] of check.signatures) {
    if (byKnown.length + others.length >= MAX_SIGNATURES) break
    if (!keys.has(keyId) && parseServerKeyId(keyId)?.algorithm === 'ed25519') others.push([keyId, signature])
  }
  return [...byKnown, ...others].slice(0, MAX_SIGNATURES)
}

/**
 * Whether a signature made at that time with this key counts.
 * SPEC: https://spec.matrix.org/v1.19/rooms/v5/#signing-key-validity-period
 */
function isValidFor(
  { validFromTs = -Infinity, validUntilTs, expiredTs = Infinity }: KnownKey,
  { at, enforceValidity, use }: SignatureCheck,
): boolean {
  if (use === 'request') return at >= validFromTs && at <= expiredTs && at <= validUntilTs
  if (!enforceValidity) return true
  if (at < validFromTs) return false
  return expiredTs === Infinity ? at <= validUntilTs : at <= expiredTs
}

function ownKeys(
  serverName: string,
  signer: Signer,
  retired: readonly RetiredKey[],
): ReadonlyMap<string, KnownKey> {
  const own = new Map<string, KnownKey>()
  for (const { keyId, publicKey: text, expiredTs } of retired) {
    own.set(keyId, { key: safeKey(serverName, keyId, text), validUntilTs: 0, expiredTs })
  }
  return own.set(signer.keyId, lasting(safeKey(serverName, signer.keyId, signer.publicKey)))
}

const lasting = (key: PublicKey): KnownKey => ({ key, validUntilTs: Infinity, expiredTs: undefined })

function safeKey(server: string, keyId: string, text: string): PublicKey {
  const key = publicKey(text)
  if (key === undefined)
    throw new Error(`the configured key ${keyId} of ${server} is not an Ed25519 public key`)
  return key
}

async function inBatches<T, R>(items: readonly T[], task: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (let start = 0; start < items.length; start += BATCH) {
    results.push(...(await Promise.all(items.slice(start, start + BATCH).map(task))))
  }
  return results
}
