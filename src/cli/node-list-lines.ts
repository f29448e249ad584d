import { diffNodeLists } from '../core/node-list/diff-node-lists.js'
import { signedBy, authoritySigningInput, listSigningInput } from '../core/node-list/sign-node-list.js'
import { lastAuthority, type ListSigner, type Member, type NodeList } from '../core/node-list/types.js'
import { verifySignatureBy } from '../platform/ed25519.js'
import { printable } from './reports.js'

const day = (ms: number): string => new Date(ms).toISOString()
const plain = (text: string): string => printable(text).slice(1, -1)

function memberLines(member: Member): string[] {
  const { serverName, label, role, places, keys, tls, email, leftAt } = member
  const hosts = places.map(({ host, port }) => `${host} port ${port}`)
  const addresses = [...email.domains, ...email.patterns, ...(email.fallback ? ['all others'] : [])]
  const trust = [
    ...(tls === undefined || tls.ca.length === 0 ? [] : [`${tls.ca.length} authorities of its own`]),
    ...(tls === undefined || tls.pins.length === 0 ? [] : [`${tls.pins.length} pins`]),
  ]
  return [
    `${serverName}  ${role}  ${plain(label)}${leftAt === undefined ? '' : `  left ${day(leftAt)}`}`,
    ...(hosts.length === 0 ? [] : [`    at ${hosts.join(', ')}`]),
    `    keys: ${keys.length === 0 ? 'those that it publishes' : keys.map(({ keyId }) => keyId).join(', ')}`,
    ...(trust.length === 0 ? [] : [`    TLS: ${trust.join(', ')}`]),
    ...(addresses.length === 0 ? [] : [`    e-mail: ${addresses.join(', ')}`]),
  ]
}

/** Who has signed, and how many are needed; of a rotation the old signers too. */
export function signatureLines(list: NodeList): string[] {
  const last = lastAuthority(list)
  const before = list.authorities.at(-2)
  const names = (signers: readonly ListSigner[], of: 'list' | 'authority'): string[] =>
    of === 'list'
      ? signedBy(list.json, listSigningInput(list.json), signers, verifySignatureBy)
      : signedBy(last.json, authoritySigningInput(list.circle, last.json), signers, verifySignatureBy)
  const line = (what: string, found: readonly string[], needed: number): string =>
    `${what}: signed by ${found.length === 0 ? 'nobody' : found.join(', ')}; ${needed} needed`
  return [
    line('list', names(last.signers, 'list'), last.threshold),
    line('its signers', names(last.signers, 'authority'), last.threshold),
    ...(before === undefined
      ? []
      : [line('its signers, by those before', names(before.signers, 'authority'), before.threshold)]),
  ]
}

export function listLines(list: NodeList): string[] {
  const last = lastAuthority(list)
  return [
    `node list ${list.sequence} of ${list.circle}, issued ${day(list.issuedAt)}, good until ${day(list.expiresAt)}`,
    `signers (generation ${last.generation}, ${last.threshold} of ${last.signers.length}):`,
    ...last.signers.map(({ name, keyId, publicKey }) => `    ${name}  ${keyId}  ${publicKey}`),
    ...signatureLines(list),
    `${list.members.length} members:`,
    ...list.members.flatMap(memberLines).map((line) => `    ${line}`),
  ]
}

/** Empty where the two say the same of members and signers. */
export function diffLines(before: NodeList, after: NodeList): string[] {
  const { added, removed, changed, signersAdded, signersRemoved, threshold } = diffNodeLists(before, after)
  return [
    ...added.map(({ serverName, role, label }) => `+ ${serverName}  ${role}  ${plain(label)}`),
    ...removed.map(
      ({ serverName, leftAt }) =>
        `- ${serverName}${leftAt === undefined ? '  what it has signed counts no more; with `left_at` it would' : ''}`,
    ),
    ...changed.flatMap(({ before: old, after: now, fields }) => [
      `~ ${now.serverName}  ${fields.join(', ')}`,
      ...(old.role === now.role ? [] : [`    was ${old.role}, is ${now.role}`]),
      ...(old.leftAt === now.leftAt || now.leftAt === undefined ? [] : [`    leaves ${day(now.leftAt)}`]),
    ]),
    ...signersAdded.map(({ name, keyId }) => `+ signer ${name} ${keyId}`),
    ...signersRemoved.map(({ name, keyId }) => `- signer ${name} ${keyId}`),
    ...(threshold === undefined ? [] : [`~ ${threshold[0]} had to sign, ${threshold[1]} have to now`]),
  ]
}
