import { tryCanonicalJson } from '../../core/json/canonical.js'
import type { JsonObject } from '../../core/json/value.js'

const ENCODER = new TextEncoder()

/**
 * The bytes that a signature of this object covers: its canonical JSON without `signatures` and `unsigned`.
 * Undefined where the object has no canonical form.
 * SPEC: https://spec.matrix.org/v1.19/appendices/#signing-details
 */
export function signedBytes(object: JsonObject): Uint8Array | undefined {
  const { signatures: _signatures, unsigned: _unsigned, ...rest } = object
  const text = tryCanonicalJson(rest)
  return text.ok ? ENCODER.encode(text.text) : undefined
}
