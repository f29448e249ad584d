import { isLegalText } from '../ids/common.js'
import { parseServerKeyId } from '../ids/key-id.js'
import { isObject, ownValue, type JsonObject } from '../json/value.js'
import type { FieldReader, Located } from './read-fields.js'
import { isEmailDomain, isEmailPattern, isListedServerName } from './strict-names.js'
import {
  MEMBER_ROLES,
  type Member,
  type MemberEmail,
  type MemberKey,
  type MemberRole,
  type MemberTls,
  type Place,
} from './types.js'

/** Checks that need more than core has. */
export interface ListChecks {
  /** Whether a text is an Ed25519 public key that is safe to verify with. */
  readonly isPublicKey: (text: string) => boolean
  /** Whether a text is one X.509 certificate as PEM. */
  readonly isCertificate: (pem: string) => boolean
}

export const MAX_TIME = Number.MAX_SAFE_INTEGER
const TIME = { min: 0, max: MAX_TIME, optional: true } as const

const MAX_LABEL = 200
const MAX_PLACES = 5
const MAX_KEYS = 20
const MAX_CA = 5
const MAX_PEM = 16_384
const MAX_PINS = 10
const MAX_EMAIL = 500
const MAX_PATTERN = 320

const HOST = /^(?:[0-9a-z](?:[0-9a-z.-]{0,252})|[0-9a-f:.]{2,45})$/
const PIN = /^[A-Za-z0-9+/]{43}$/

const KNOWN = ['server_name', 'label', 'role', 'addresses', 'keys', 'tls', 'email', 'left_at']

/** One member; undefined where something in it is at fault. */
export function parseMember(
  { value: json, path }: Located<JsonObject>,
  reader: FieldReader,
  checks: ListChecks,
): Member | undefined {
  const before = reader.faults.length
  const serverName = reader.text(json, path, 'server_name', {
    max: 255,
    isGood: isListedServerName,
    what: 'a server name in lower case, of letters, digits and hyphens',
  })
  const label = reader.text(json, path, 'label', {
    max: MAX_LABEL,
    isGood: (text) => text.trim() !== '' && isLegalText(text),
    what: 'a name for people',
  })
  const role = reader.text(json, path, 'role', {
    max: 20,
    isGood: isRole,
    what: `one of ${MEMBER_ROLES.join(', ')}`,
  })
  const leftAt = reader.integer(json, path, 'left_at', TIME)
  const places = placesOf(json, path, reader)
  const keys = keysOf(json, path, reader, checks)
  const tls = tlsOf(json, path, reader, checks)
  const email = emailOf(json, path, reader)
  reader.known(json, path, KNOWN)
  if (keys.length === 0 && leftAt === undefined)
    reader.warn(path, 'has no keys: they are taken from the server itself')
  if (serverName === undefined || label === undefined || role === undefined || !isRole(role)) return undefined
  return reader.faults.length > before
    ? undefined
    : { serverName, label, role, places, keys, tls, email, leftAt }
}

const isRole = (text: string): text is MemberRole => (MEMBER_ROLES as readonly string[]).includes(text)

function placesOf(json: JsonObject, path: string, reader: FieldReader): Place[] {
  return reader.objects(json, path, 'addresses', MAX_PLACES).flatMap(({ value, path: where }) => {
    const host = reader.text(value, where, 'host', {
      max: 253,
      isGood: (text) => HOST.test(text),
      what: 'a DNS name or IP address in lower case, without a port',
    })
    const port = reader.integer(value, where, 'port', { min: 1, max: 65_535, optional: true }) ?? 8448
    reader.known(value, where, ['host', 'port'])
    return host === undefined ? [] : [{ host, port }]
  })
}

function keysOf(json: JsonObject, path: string, reader: FieldReader, checks: ListChecks): MemberKey[] {
  const ids = new Set<string>()
  return reader.objects(json, path, 'keys', MAX_KEYS).flatMap(({ value, path: where }) => {
    const keyId = readKeyId(value, where, reader)
    const publicKey = readPublicKey(value, where, reader, checks)
    const validFrom = reader.integer(value, where, 'valid_from', TIME)
    const validUntil = reader.integer(value, where, 'valid_until', TIME)
    reader.known(value, where, ['key_id', 'public_key', 'valid_from', 'valid_until'])
    if (validFrom !== undefined && validUntil !== undefined && validFrom >= validUntil)
      reader.fault(where, 'is valid at no time')
    if (keyId === undefined || publicKey === undefined) return []
    // A key id stands for one key for ever.
    if (ids.has(keyId)) reader.fault(`${where}.key_id`, 'stands here a second time')
    ids.add(keyId)
    return [{ keyId, publicKey, validFrom, validUntil }]
  })
}

export const readKeyId = (json: JsonObject, path: string, reader: FieldReader): string | undefined =>
  reader.text(json, path, 'key_id', {
    max: 210,
    isGood: (text) => text.startsWith('ed25519:') && parseServerKeyId(text) !== undefined,
    what: 'the id of a key, such as ed25519:a_1',
  })

export const readPublicKey = (
  json: JsonObject,
  path: string,
  reader: FieldReader,
  checks: ListChecks,
): string | undefined =>
  reader.text(json, path, 'public_key', {
    // One spelling alone: two of one key would pass for two keys.
    max: 43,
    isGood: (text) => text.length === 43 && checks.isPublicKey(text),
    what: 'an Ed25519 public key as unpadded base64',
  })

function tlsOf(
  json: JsonObject,
  path: string,
  reader: FieldReader,
  checks: ListChecks,
): MemberTls | undefined {
  const value = ownValue(json, 'tls')
  if (value === undefined) return undefined
  const where = `${path}.tls`
  if (!isObject(value)) {
    reader.fault(where, 'is not an object')
    return undefined
  }
  const ca = reader.texts(value, where, 'ca', {
    maxItems: MAX_CA,
    max: MAX_PEM,
    isGood: checks.isCertificate,
    what: 'a certificate as PEM',
  })
  const pins = reader.texts(value, where, 'pins', {
    maxItems: MAX_PINS,
    max: 43,
    isGood: (text) => PIN.test(text),
    what: 'a SHA-256 as unpadded base64',
  })
  reader.known(value, where, ['ca', 'pins'])
  if (ca.length === 0 && pins.length === 0) reader.fault(where, 'names neither `ca` nor `pins`')
  return { ca, pins }
}

const NO_EMAIL: MemberEmail = { domains: [], patterns: [], fallback: false }

function emailOf(json: JsonObject, path: string, reader: FieldReader): MemberEmail {
  const value = ownValue(json, 'email')
  if (value === undefined) return NO_EMAIL
  const where = `${path}.email`
  if (!isObject(value)) {
    reader.fault(where, 'is not an object')
    return NO_EMAIL
  }
  const domains = reader.texts(value, where, 'domains', {
    maxItems: MAX_EMAIL,
    max: 253,
    isGood: isEmailDomain,
    what: 'a domain in lower case, of letters, digits and hyphens',
  })
  const patterns = reader.texts(value, where, 'patterns', {
    maxItems: MAX_EMAIL,
    max: MAX_PATTERN,
    isGood: isEmailPattern,
    what: 'a pattern such as *@*.ministry.example',
  })
  const fallback = ownValue(value, 'fallback') ?? false
  if (typeof fallback !== 'boolean') reader.fault(`${where}.fallback`, 'is neither true nor false')
  reader.known(value, where, ['domains', 'patterns', 'fallback'])
  return { domains, patterns, fallback: fallback === true }
}
