import { fitsId, isLegalText } from '../ids/common.js'
import { isUserId } from '../ids/user-id.js'
import { isObject, ownValue, type Json, type JsonObject } from '../json/value.js'
import { compilePattern, type Pattern } from '../pattern/pattern.js'

/** A part of the ids of this server that an application service is interested in, or has for itself. */
export interface Namespace {
  readonly pattern: Pattern
  readonly exclusive: boolean
}

/** What an operator says of an application service. */
export interface AppserviceRegistration {
  readonly id: string
  /** Absolute, without a slash at its end; undefined where it wants to be told nothing. */
  readonly url: string | undefined
  readonly asToken: string
  readonly hsToken: string
  readonly senderUserId: string
  readonly users: readonly Namespace[]
  readonly aliases: readonly Namespace[]
  readonly rooms: readonly Namespace[]
  /** Whether requests of the users it acts as are rate-limited; those of its own user never are. */
  readonly rateLimited: boolean
  readonly protocols: readonly string[]
  /** Typing, receipts, presence, messages to devices. */
  readonly receivesEphemeral: boolean
  /** Device lists and counts of one-time keys: it keeps the keys of its users itself. */
  readonly encrypts: boolean
}

export interface RegistrationFault {
  /** `namespaces.users[0].regex`; empty for the whole. */
  readonly place: string
  /** Follows the place in a sentence. */
  readonly problem: string
}

export type ParsedRegistration =
  | { readonly ok: true; readonly registration: AppserviceRegistration }
  | { readonly ok: false; readonly faults: readonly RegistrationFault[] }

const MAX_NAMESPACES = 200
const MAX_PROTOCOLS = 100
const MAX_TOKEN = 1_024

/**
 * Reads a registration, and tells everything that is wrong with it. Keys that are not known are passed over: bridges write some of their own.
 * SPEC: https://spec.matrix.org/v1.19/application-service-api/#registration
 */
export function parseRegistration(value: Json, serverName: string): ParsedRegistration {
  if (!isObject(value)) return { ok: false, faults: [{ place: '', problem: 'is no registration' }] }
  const faults: RegistrationFault[] = []
  const fault = (place: string, problem: string): void => void faults.push({ place, problem })

  function text(key: string, max: number): string {
    const found = ownValue(value as JsonObject, key)
    if (found === undefined || found === null) fault(key, 'is missing')
    else if (typeof found !== 'string' || found === '') fault(key, 'must be a text that is not empty')
    else if (found.length > max || !isLegalText(found))
      fault(key, `must have at most ${max} characters, and no NUL`)
    else return found
    return ''
  }

  function flag(keys: readonly string[], otherwise: boolean): boolean {
    for (const key of keys) {
      const found = ownValue(value as JsonObject, key)
      if (found === undefined || found === null) continue
      if (typeof found === 'boolean') return found
      fault(key, 'must be true or false')
    }
    return otherwise
  }

  const localpart = text('sender_localpart', 255)
  const senderUserId = `@${localpart}:${serverName}`
  if (localpart !== '' && (!isUserId(senderUserId) || localpart.includes(':')))
    fault('sender_localpart', 'is no name of a user')
  const namespaces = ownValue(value, 'namespaces')
  if (namespaces === undefined || namespaces === null) fault('namespaces', 'is missing')
  else if (!isObject(namespaces)) fault('namespaces', 'must have users, aliases and rooms')
  const within = isObject(namespaces) ? namespaces : {}
  const registration: AppserviceRegistration = {
    id: text('id', 255),
    url: readUrl(ownValue(value, 'url'), fault),
    asToken: text('as_token', MAX_TOKEN),
    hsToken: text('hs_token', MAX_TOKEN),
    senderUserId,
    users: readNamespaces(ownValue(within, 'users'), 'namespaces.users', fault),
    aliases: readNamespaces(ownValue(within, 'aliases'), 'namespaces.aliases', fault),
    rooms: readNamespaces(ownValue(within, 'rooms'), 'namespaces.rooms', fault),
    rateLimited: flag(['rate_limited'], true),
    protocols: readProtocols(ownValue(value, 'protocols'), fault),
    receivesEphemeral: flag(
      ['receive_ephemeral', 'de.sorunome.msc2409.push_ephemeral', 'push_ephemeral'],
      false,
    ),
    encrypts: flag(['org.matrix.msc3202'], false),
  }
  // It divides the id from that of a network, in the name of a list of rooms.
  if (registration.id.includes('|')) fault('id', 'must not contain |')
  // Both stand in a header.
  for (const [key, token] of [
    ['as_token', registration.asToken],
    ['hs_token', registration.hsToken],
  ] as const)
    if (/[^\x21-\x7e]/.test(token)) fault(key, 'must consist of visible ASCII characters')
  return faults.length === 0 ? { ok: true, registration } : { ok: false, faults }
}

type Tell = (place: string, problem: string) => void

function readUrl(value: Json | undefined, fault: Tell): string | undefined {
  if (value === null || value === '') return undefined
  if (value === undefined) fault('url', 'is missing (null for an application service that is told nothing)')
  else if (typeof value !== 'string' || !/^https?:\/\/[^\s?#@]{1,2000}$/i.test(value))
    fault('url', 'must begin with http:// or https://, without user, query and fragment')
  else return value.replace(/\/{1,100}$/, '')
  return undefined
}

function readNamespaces(value: Json | undefined, place: string, fault: Tell): Namespace[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || value.length > MAX_NAMESPACES) {
    fault(place, `must be a list of at most ${MAX_NAMESPACES}`)
    return []
  }
  return (value as readonly Json[]).flatMap((item, index) => {
    const at = `${place}[${index}]`
    if (!isObject(item)) {
      fault(at, 'must have exclusive and regex')
      return []
    }
    const exclusive = ownValue(item, 'exclusive')
    const regex = ownValue(item, 'regex')
    if (typeof exclusive !== 'boolean') fault(`${at}.exclusive`, 'must be true or false')
    if (typeof regex !== 'string') {
      fault(`${at}.regex`, 'must be a text')
      return []
    }
    const compiled = compilePattern(regex)
    if (!compiled.ok) fault(`${at}.regex`, compiled.reason)
    return compiled.ok ? [{ pattern: compiled.pattern, exclusive: exclusive === true }] : []
  })
}

function readProtocols(value: Json | undefined, fault: Tell): string[] {
  if (value === undefined || value === null) return []
  const list: readonly Json[] = Array.isArray(value) ? (value as readonly Json[]) : []
  const names = list.filter((item): item is string => typeof item === 'string' && item !== '' && fitsId(item))
  if (Array.isArray(value) && names.length === list.length && list.length <= MAX_PROTOCOLS)
    return [...new Set(names)]
  fault('protocols', `must be a list of at most ${MAX_PROTOCOLS} names`)
  return []
}

/** What two registrations have in common and must not: the ids and tokens by which they are told apart. */
export function registrationClashes(
  registrations: readonly (AppserviceRegistration | undefined)[],
): readonly { readonly index: number; readonly problem: string }[] {
  const seen = new Map<string, number>()
  const out: { index: number; problem: string }[] = []
  for (const [index, registration] of registrations.entries()) {
    if (registration === undefined) continue
    const unique = {
      id: registration.id,
      as_token: registration.asToken,
      sender_localpart: registration.senderUserId,
    }
    for (const [key, value] of Object.entries(unique)) {
      const name = `${key} ${value}`
      const first = seen.get(name)
      if (first === undefined) seen.set(name, index)
      else out.push({ index, problem: `has the same ${key} as appservices[${first}]` })
    }
  }
  return out
}
