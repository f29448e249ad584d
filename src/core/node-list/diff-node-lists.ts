import { tryCanonicalJson } from '../json/canonical.js'
import type { Json } from '../json/value.js'
import { lastAuthority, type ListSigner, type Member, type NodeList } from './types.js'

/** What one list says otherwise than another. */
export interface NodeListDiff {
  readonly added: readonly Member[]
  /** Stood in the old list, and do not in the new one. */
  readonly removed: readonly Member[]
  readonly changed: readonly MemberChange[]
  readonly signersAdded: readonly ListSigner[]
  readonly signersRemoved: readonly ListSigner[]
  /** Old and new, where they differ. */
  readonly threshold: readonly [number, number] | undefined
}

export interface MemberChange {
  readonly before: Member
  readonly after: Member
  /** Which of its members differ, as `Member` calls them. */
  readonly fields: readonly (keyof Member)[]
}

const FIELDS = ['label', 'role', 'places', 'keys', 'tls', 'email', 'leftAt'] as const

export function diffNodeLists(before: NodeList, after: NodeList): NodeListDiff {
  const old = new Map(before.members.map((member) => [member.serverName, member]))
  const now = new Map(after.members.map((member) => [member.serverName, member]))
  const changed: MemberChange[] = []
  for (const member of after.members) {
    const was = old.get(member.serverName)
    const fields =
      was === undefined ? [] : FIELDS.filter((field) => written(was[field]) !== written(member[field]))
    if (was !== undefined && fields.length > 0) changed.push({ before: was, after: member, fields })
  }
  const [oldLast, newLast] = [lastAuthority(before), lastAuthority(after)]
  const lacking = (signers: readonly ListSigner[], others: readonly ListSigner[]): ListSigner[] => {
    const known = new Set(others.map(written))
    return signers.filter((signer) => !known.has(written(signer)))
  }
  return {
    added: after.members.filter(({ serverName }) => !old.has(serverName)),
    removed: before.members.filter(({ serverName }) => !now.has(serverName)),
    changed,
    signersAdded: lacking(newLast.signers, oldLast.signers),
    signersRemoved: lacking(oldLast.signers, newLast.signers),
    threshold: oldLast.threshold === newLast.threshold ? undefined : [oldLast.threshold, newLast.threshold],
  }
}

/** Members that are undefined are left out. */
function written(value: unknown): string {
  const plain = JSON.parse(JSON.stringify(value ?? null)) as Json
  const text = tryCanonicalJson(plain)
  return text.ok ? text.text : ''
}
