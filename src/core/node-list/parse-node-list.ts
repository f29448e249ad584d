import { parseJson } from '../json/parse.js'
import { tryCanonicalJson } from '../json/canonical.js'
import { isObject, ownValue, type JsonObject } from '../json/value.js'
import { lookAlikes } from './look-alikes.js'
import { MAX_TIME, parseMember, readKeyId, readPublicKey, type ListChecks } from './parse-member.js'
import { createFieldReader, type FieldReader, type ListFault, type Located } from './read-fields.js'
import { isListedServerName } from './strict-names.js'
import type { Authority, ListSigner, Member, NodeList } from './types.js'

/** What the member `type` of a node list says. */
export const NODE_LIST_TYPE = 'org.chancery.node_list.v1'

export const MAX_NODE_LIST_BYTES = 2 * 1024 * 1024
const MAX_MEMBERS = 2_000
const MAX_AUTHORITIES = 20
const MAX_SIGNERS = 16
/** Whoever signs for longer has no list that runs out. */
const MAX_LIFE = 3 * 366 * 24 * 3_600_000

export type ParsedNodeList =
  | { readonly ok: true; readonly list: NodeList; readonly warnings: readonly ListFault[] }
  | { readonly ok: false; readonly faults: readonly ListFault[] }

/**
 * Reads a node list and says everything that is wrong with its form. Signatures, dates and sequence are not judged here
 * (`judgeNodeList`). Linear in the input, of which at most 2 MiB are looked at.
 */
export function parseNodeList(input: Uint8Array | string, checks: ListChecks): ParsedNodeList {
  const broken = (problem: string): ParsedNodeList => ({
    ok: false,
    faults: [{ path: 'the document', problem }],
  })
  if (input.length > MAX_NODE_LIST_BYTES) return broken(`is larger than ${MAX_NODE_LIST_BYTES} bytes`)
  const parsed = parseJson(input, { maxDepth: 10 })
  if (!parsed.ok) return broken(`is not JSON: ${parsed.reason}`)
  if (!isObject(parsed.value)) return broken('is not a JSON object')
  const json = parsed.value
  if (ownValue(json, 'type') !== NODE_LIST_TYPE)
    return broken(`is no node list: its type is not ${NODE_LIST_TYPE}`)
  const canonical = tryCanonicalJson(json)
  if (!canonical.ok) return broken(`has no canonical form: ${canonical.reason}`)

  const reader = createFieldReader()
  const circle = reader.text(json, '', 'circle', {
    max: 255,
    isGood: isListedServerName,
    what: 'a name such as administration.example',
  })
  const sequence = reader.integer(json, '', 'sequence', { min: 1, max: MAX_TIME })
  const issuedAt = reader.integer(json, '', 'issued_at', { min: 0, max: MAX_TIME })
  const expiresAt = reader.integer(json, '', 'expires_at', { min: 0, max: MAX_TIME })
  if (issuedAt !== undefined && expiresAt !== undefined) {
    if (expiresAt <= issuedAt) reader.fault('expires_at', 'is not later than issued_at')
    else if (expiresAt - issuedAt > MAX_LIFE)
      reader.fault('expires_at', 'is more than three years after issued_at')
  }
  const authorities = authoritiesOf(json, reader, checks)
  const members = membersOf(json, reader, checks)
  reader.known(json, '', [
    'type',
    'circle',
    'sequence',
    'issued_at',
    'expires_at',
    'authorities',
    'members',
    'signatures',
    'unsigned',
  ])
  const [first, ...others] = authorities
  if (
    reader.faults.length > 0 ||
    circle === undefined ||
    sequence === undefined ||
    issuedAt === undefined ||
    expiresAt === undefined ||
    first === undefined
  ) {
    return { ok: false, faults: reader.faults }
  }
  const list = {
    circle,
    sequence,
    issuedAt,
    expiresAt,
    authorities: [first, ...others] as const,
    members,
    json,
  }
  return { ok: true, list, warnings: reader.warnings }
}

function authoritiesOf(json: JsonObject, reader: FieldReader, checks: ListChecks): Authority[] {
  const found: Authority[] = []
  for (const located of reader.objects(json, '', 'authorities', MAX_AUTHORITIES)) {
    const authority = authorityOf(located, reader, checks)
    if (authority === undefined) continue
    const before = found.at(-1)
    if (before !== undefined && authority.generation !== before.generation + 1)
      reader.fault(`${located.path}.generation`, 'is not one more than that of the one before')
    found.push(authority)
  }
  if (found.length === 0 && reader.faults.length === 0) reader.fault('authorities', 'names nobody who signs')
  return found
}

function authorityOf(
  { value, path }: Located<JsonObject>,
  reader: FieldReader,
  checks: ListChecks,
): Authority | undefined {
  const generation = reader.integer(value, path, 'generation', { min: 1, max: MAX_TIME })
  const signers = signersOf(value, path, reader, checks)
  const threshold = reader.integer(value, path, 'threshold', { min: 1, max: MAX_SIGNERS })
  if (threshold !== undefined && threshold > signers.length)
    reader.fault(`${path}.threshold`, 'is more than there are signers')
  reader.known(value, path, ['generation', 'threshold', 'signers', 'signatures'])
  if (generation === undefined || threshold === undefined) return undefined
  return { generation, threshold, signers, json: value }
}

const SIGNER_NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/

/** The name of a signer: lower-case letters, digits, dots, hyphens. */
export const isSignerName = (text: string): boolean => SIGNER_NAME.test(text)

function signersOf(json: JsonObject, path: string, reader: FieldReader, checks: ListChecks): ListSigner[] {
  // Each counts once: nobody signs twice, under two names or with two keys.
  const names = new Set<string>()
  const keys = new Set<string>()
  return reader.objects(json, path, 'signers', MAX_SIGNERS).flatMap(({ value, path: where }) => {
    const name = reader.text(value, where, 'name', {
      max: 64,
      isGood: isSignerName,
      what: 'a name of lower-case letters, digits, dots and hyphens',
    })
    const keyId = readKeyId(value, where, reader)
    const publicKey = readPublicKey(value, where, reader, checks)
    reader.known(value, where, ['name', 'key_id', 'public_key'])
    if (name === undefined || keyId === undefined || publicKey === undefined) return []
    if (names.has(name)) reader.fault(`${where}.name`, 'stands here a second time')
    if (keys.has(publicKey)) reader.fault(`${where}.public_key`, 'stands here a second time')
    names.add(name)
    keys.add(publicKey)
    return [{ name, keyId, publicKey }]
  })
}

/** What must belong to one member alone, and where it stands. */
function membersOf(json: JsonObject, reader: FieldReader, checks: ListChecks): Member[] {
  if (ownValue(json, 'members') === undefined) reader.fault('members', 'is missing')
  const owners = new Map<string, string>()
  const claim = (what: string, value: string, path: string): void => {
    const key = `${what} ${value}`
    const owner = owners.get(key)
    if (owner === undefined) owners.set(key, path)
    else reader.fault(path, `has the ${what} ${value}, which ${owner} has too`)
  }
  const members: Member[] = []
  for (const located of reader.objects(json, '', 'members', MAX_MEMBERS)) {
    const member = parseMember(located, reader, checks)
    if (member === undefined) continue
    const { path } = located
    claim('server name', member.serverName, path)
    // With a key in common, one could speak in the name of the other.
    for (const publicKey of new Set(member.keys.map((key) => key.publicKey))) claim('key', publicKey, path)
    if (member.leftAt === undefined) {
      for (const domain of member.email.domains) claim('e-mail domain', domain, path)
      for (const pattern of member.email.patterns) claim('e-mail pattern', pattern, path)
      if (member.email.fallback) claim('e-mail', 'fallback', path)
    }
    members.push(member)
  }
  for (const [one, other] of lookAlikes(members.map(({ serverName }) => serverName)))
    reader.warn('members', `${other} looks like ${one}`)
  for (const [one, other] of lookAlikes(members.flatMap(({ email }) => email.domains)))
    reader.warn('members', `the e-mail domain ${other} looks like ${one}`)
  return members
}
