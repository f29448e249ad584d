import { signaturesOf, signingInput } from '../../core/event/sign.js'
import { parseServerKeyId } from '../../core/ids/key-id.js'
import { NotCanonical } from '../../core/json/canonical.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import { publicKey, verifySignature, type PublicKey, type Signer } from '../../platform/ed25519.js'

/** What a server says about its keys, after its own signature was verified. */
export interface KeyDocument {
  readonly serverName: string
  readonly current: ReadonlyMap<string, PublicKey>
  readonly old: ReadonlyMap<string, { readonly key: PublicKey; readonly expiredTs: number }>
  /** As published; see `MAX_VALIDITY`. */
  readonly validUntilTs: number
  /** The document with the signatures of the server's current keys only. */
  readonly document: JsonObject
}

/** A key that this server signed with in the past. */
export interface RetiredKey {
  readonly keyId: string
  /** Unpadded base64. */
  readonly publicKey: string
  readonly expiredTs: number
}

/** However long a server vouches for its keys, it is asked again after a week. */
export const MAX_VALIDITY = 7 * 24 * 3_600_000
/** More keys than this in one document are no rotation. */
const MAX_KEYS = 64

/**
 * Reads and verifies a server's key document. Undefined where it is not of that server, malformed, or not signed by one of
 * the current keys that it lists. Single keys that cannot be used (other algorithms, unsafe points, banned ones) are passed over.
 * `banned`: public keys as unpadded base64.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#publishing-keys
 */
export function parseKeyDocument(
  serverName: string,
  value: Json | undefined,
  banned: ReadonlySet<string> = NONE,
): KeyDocument | undefined {
  if (!isObject(value) || ownValue(value, 'server_name') !== serverName) return undefined
  const validUntilTs = ownValue(value, 'valid_until_ts')
  const verifyKeys = ownValue(value, 'verify_keys')
  const oldKeys = ownValue(value, 'old_verify_keys') ?? {}
  if (!isTimestamp(validUntilTs) || !isObject(verifyKeys) || !isObject(oldKeys)) return undefined
  if (Object.keys(verifyKeys).length > MAX_KEYS || Object.keys(oldKeys).length > MAX_KEYS) return undefined

  const current = new Map<string, PublicKey>()
  for (const [keyId, entry] of Object.entries(verifyKeys)) {
    const key = keyOf(keyId, entry, banned)
    if (key !== undefined) current.set(keyId, key)
  }
  const old = new Map<string, { key: PublicKey; expiredTs: number }>()
  for (const [keyId, entry] of Object.entries(oldKeys)) {
    const key = keyOf(keyId, entry, banned)
    const expiredTs = isObject(entry) ? ownValue(entry, 'expired_ts') : undefined
    // A key in both lists is in use.
    if (key !== undefined && isTimestamp(expiredTs) && !current.has(keyId)) old.set(keyId, { key, expiredTs })
  }
  if (!isSignedByCurrentKey(serverName, value, current)) return undefined

  const { signatures: _signatures, unsigned: _unsigned, ...rest } = value
  const own = [...signaturesOf(value, serverName)].filter(([keyId]) => current.has(keyId))
  const document = { ...rest, signatures: { [serverName]: Object.fromEntries(own) } }
  return { serverName, current, old, validUntilTs, document }
}

function isSignedByCurrentKey(
  serverName: string,
  document: JsonObject,
  current: ReadonlyMap<string, PublicKey>,
): boolean {
  const bytes = signingInputOf(document)
  if (bytes === undefined) return false
  const signatures = signaturesOf(document, serverName)
  // Bounded by the keys that the document lists, however many signatures it carries.
  for (const [keyId, key] of current) {
    const signature = signatures.get(keyId)
    if (signature !== undefined && verifySignature(key, bytes, signature)) return true
  }
  return false
}

/** The bytes that a signature of the object covers; undefined where it has no canonical form. */
export function signingInputOf(object: JsonObject): Uint8Array | undefined {
  try {
    return signingInput(object)
  } catch (error) {
    if (error instanceof NotCanonical) return undefined
    throw error
  }
}

/** Our own document, without signatures. */
export function ownKeyDocument(
  serverName: string,
  signer: Signer,
  retired: readonly RetiredKey[],
  validUntilTs: number,
): JsonObject {
  return {
    server_name: serverName,
    verify_keys: { [signer.keyId]: { key: signer.publicKey } },
    old_verify_keys: Object.fromEntries(
      retired.map(({ keyId, publicKey: key, expiredTs }) => [keyId, { key, expired_ts: expiredTs }]),
    ),
    valid_until_ts: validUntilTs,
  }
}

const NONE: ReadonlySet<string> = new Set()

function keyOf(keyId: string, entry: Json, banned: ReadonlySet<string>): PublicKey | undefined {
  if (parseServerKeyId(keyId)?.algorithm !== 'ed25519' || !isObject(entry)) return undefined
  const text = ownValue(entry, 'key')
  const key = typeof text === 'string' ? publicKey(text) : undefined
  // By the one canonical spelling of the key.
  return key === undefined || banned.has(key.base64) ? undefined : key
}

const isTimestamp = (value: Json | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
