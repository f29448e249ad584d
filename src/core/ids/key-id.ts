import { fitsId, isLegalText } from './common.js'

export interface KeyId {
  readonly algorithm: string
  /** The version of a server's key, or a device id, or the public key of a cross-signing key. */
  readonly name: string
}

const ALGORITHM = /^[a-z][a-z0-9_.-]{0,62}$/
const SERVER_KEY_VERSION = /^[a-zA-Z0-9_]{1,200}$/

/** Parses `algorithm:name`, split at the first colon. The name is opaque, but not empty. */
export function parseKeyId(text: string): KeyId | undefined {
  const colon = text.indexOf(':')
  if (colon < 0 || !fitsId(text)) return undefined
  const algorithm = text.slice(0, colon)
  const name = text.slice(colon + 1)
  return ALGORITHM.test(algorithm) && name !== '' && isLegalText(name) ? { algorithm, name } : undefined
}
export const isKeyId = (text: string): boolean => parseKeyId(text) !== undefined

/**
 * Parses the id of a server's signing key, whose version is letters, digits and `_`.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#retrieving-server-keys
 */
export function parseServerKeyId(text: string): KeyId | undefined {
  const id = parseKeyId(text)
  return id !== undefined && SERVER_KEY_VERSION.test(id.name) ? id : undefined
}
