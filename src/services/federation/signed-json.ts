import { canonicalJson, tryCanonicalJson, type CanonicalMode } from '../../core/json/canonical.js'
import { isObject, type Json, type JsonObject } from '../../core/json/value.js'
import type { Signer } from '../../platform/ed25519.js'

const ENCODER = new TextEncoder()

/**
 * The bytes that a signature of this object covers: its canonical JSON without `signatures` and `unsigned`.
 * Undefined where the object has no canonical form (floats in strict mode, lone surrogates).
 * SPEC: https://spec.matrix.org/v1.19/appendices/#signing-details
 */
export function signedBytes(object: JsonObject, mode: CanonicalMode = 'strict'): Uint8Array | undefined {
  const { signatures: _signatures, unsigned: _unsigned, ...rest } = object
  const text = tryCanonicalJson(rest, mode)
  return text.ok ? ENCODER.encode(text.text) : undefined
}

/** The object with one signature added to those that it has. Throws `NotCanonical` where it cannot be signed. */
export function signJson(object: JsonObject, serverName: string, signer: Signer): JsonObject {
  const { signatures, unsigned: _unsigned, ...rest } = object
  const signature = signer.sign(ENCODER.encode(canonicalJson(rest)))
  const all = isObject(signatures) ? signatures : {}
  const own = isObject(all[serverName]) ? all[serverName] : {}
  return { ...object, signatures: { ...all, [serverName]: { ...own, [signer.keyId]: signature } } }
}

/** One Ed25519 signature of a server. */
export interface ServerSignature {
  readonly keyId: string
  readonly signature: string
}

/** Junk is cheap to add and dear to check; no honest object has more signatures of one server than this. */
const MAX_SIGNATURES = 8

/** The first few Ed25519 signatures that a server made over an object; other algorithms are passed over. */
export function signaturesOf(object: JsonObject, serverName: string): ServerSignature[] {
  const all = own(object, 'signatures')
  const mine = isObject(all) ? own(all, serverName) : undefined
  if (!isObject(mine)) return []
  const found: ServerSignature[] = []
  for (const keyId of Object.keys(mine)) {
    const signature = mine[keyId]
    if (typeof signature !== 'string' || !keyId.startsWith('ed25519:') || keyId.length > 255) continue
    found.push({ keyId, signature })
    if (found.length === MAX_SIGNATURES) break
  }
  return found
}

/** A member of the object itself: `constructor` is a key like any other. */
export function own(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined
}
