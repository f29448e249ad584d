import { tryCanonicalJson } from '../json/canonical.js'
import {
  authoritySigningInput,
  listSigningInput,
  nodeListDigest,
  signedBy,
  type VerifyBy,
} from './sign-node-list.js'
import { lastAuthority, type Authority, type ListSigner, type NodeList } from './types.js'

/** Whose signatures a node believes: what its operator configured, or the last authority that it has accepted. */
export interface Trust {
  readonly threshold: number
  readonly signers: readonly ListSigner[]
  /** Undefined: configured, of no generation in particular. */
  readonly generation?: number
}

/** The list that a node has accepted last. */
export interface HeldList {
  readonly circle: string
  readonly sequence: number
  readonly digest: string
}

export type ListRefusal =
  /** Too few trusted signers have signed it, or an authority in it. */
  | 'unsigned'
  /** Its signers are not those that were told by the rotations that this node has seen. */
  | 'rotation'
  | 'other-circle'
  /** Rolled back. */
  | 'older'
  /** Two different lists with one sequence number. */
  | 'forked'
  | 'not-yet-valid'
  | 'expired'

export type ListVerdict =
  | {
      readonly ok: true
      /** The list is the one that is held already. */
      readonly same: boolean
      readonly signedBy: readonly string[]
      /** Whom to believe from now on. */
      readonly trust: Trust
      readonly held: HeldList
    }
  | { readonly ok: false; readonly refusal: ListRefusal; readonly reason: string }

/** Clocks of nodes and signers differ by so much. */
const SKEW = 5 * 60_000

const refuse = (refusal: ListRefusal, reason: string): ListVerdict => ({ ok: false, refusal, reason })

export interface JudgeOptions {
  readonly trust: Trust
  readonly held?: HeldList | undefined
  /** Milliseconds since 1970. */
  readonly now: number
  readonly verify: VerifyBy
}

/** Whether a node may take a list as its own. */
export function judgeNodeList(list: NodeList, options: JudgeOptions): ListVerdict {
  const { trust, held, now, verify } = options
  // Signatures first: what is not signed deserves no other word.
  const chain = followRotations(list, trust, verify)
  if (typeof chain === 'object') return refuse(chain.refusal, chain.reason)
  const last = lastAuthority(list)
  const names = signedBy(list.json, listSigningInput(list.json), last.signers, verify)
  if (names.length < last.threshold) {
    return refuse('unsigned', `signed by ${told(names)}, and ${last.threshold} of its signers are needed`)
  }
  const digest = nodeListDigest(list)
  const same = held?.digest === digest
  if (held !== undefined && held.circle !== list.circle)
    return refuse('other-circle', `it is the list of ${list.circle}, and this node belongs to ${held.circle}`)
  if (held !== undefined && list.sequence < held.sequence)
    return refuse('older', `it has the sequence number ${list.sequence}, and ${held.sequence} was seen`)
  if (held?.sequence === list.sequence && !same)
    return refuse('forked', `another list with the sequence number ${list.sequence} was seen`)
  if (list.issuedAt > now + SKEW) return refuse('not-yet-valid', 'it is issued in the future')
  // The list that is held grows old by other rules.
  if (!same && list.expiresAt <= now) return refuse('expired', 'it has run out')
  const { generation, threshold, signers } = last
  return {
    ok: true,
    same,
    signedBy: names,
    trust: { generation, threshold, signers },
    held: { circle: list.circle, sequence: list.sequence, digest },
  }
}

interface Broken {
  readonly refusal: 'unsigned' | 'rotation'
  readonly reason: string
}

/**
 * Walks from those whom the node believes to those who sign the list. Each step is signed by enough of the old signers and by enough of the new
 * ones, who show by it that they have their keys.
 */
function followRotations(list: NodeList, trust: Trust, verify: VerifyBy): Broken | true {
  const { authorities, circle } = list
  const bytesOf = (authority: Authority): Uint8Array => authoritySigningInput(circle, authority.json)
  const isSigned = (authority: Authority, by: Trust): boolean =>
    signedBy(authority.json, bytesOf(authority), by.signers, verify).length >= by.threshold

  let start: number
  if (trust.generation === undefined) {
    start = authorities.findLastIndex(
      (authority) => isSigned(authority, trust) && isSigned(authority, authority),
    )
    if (start < 0)
      return {
        refusal: 'unsigned',
        reason: 'none of its authorities is signed by enough of the trusted signers',
      }
  } else {
    const known = trust.generation
    start = authorities.findIndex(({ generation }) => generation === known)
    const held = authorities[start]
    if (held === undefined) {
      const next = authorities.findIndex(({ generation }) => generation === known + 1)
      const reason =
        lastAuthority(list).generation < known
          ? `its signers were replaced: generation ${known} signs now`
          : `it does not tell how the signers of generation ${known} were replaced`
      if (next < 0) return { refusal: 'rotation', reason }
      if (!isSigned(authorities[next]!, trust) || !isSigned(authorities[next]!, authorities[next]!))
        return {
          refusal: 'unsigned',
          reason: `generation ${known + 1} is not signed by enough signers, old and new`,
        }
      start = next
    } else if (!sameAuthority(held, trust)) {
      return { refusal: 'rotation', reason: `its signers of generation ${known} are others than those known` }
    }
  }
  for (let i = start + 1; i < authorities.length; i++) {
    const authority = authorities[i]!
    if (!isSigned(authority, authorities[i - 1]!) || !isSigned(authority, authority)) {
      return {
        refusal: 'unsigned',
        reason: `generation ${authority.generation} is not signed by enough signers, old and new`,
      }
    }
  }
  return true
}

const sameAuthority = (one: Trust, other: Trust): boolean => trustText(one) === trustText(other)

/** The same text for the same signers, whatever their order. */
export function trustText({ threshold, signers }: Trust): string {
  const sorted = signers
    .map(({ name, keyId, publicKey }) => ({ name, keyId, publicKey }))
    .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  const text = tryCanonicalJson({ threshold, signers: sorted })
  return text.ok ? text.text : ''
}

const told = (names: readonly string[]): string => (names.length === 0 ? 'nobody' : names.join(', '))

export interface LifePeriods {
  /** So long before it runs out, a list is spoken of. Milliseconds. */
  readonly warnMs: number
  /** So long after it has run out, all goes on. Milliseconds. */
  readonly graceMs: number
}

/**
 * `current`; `expiring`: a new one should come soon; `grace`: it has run out, and all goes on; `frozen`: it has long run out, and no peer is
 * taken any more that was not one before.
 */
export type ListLife = 'current' | 'expiring' | 'grace' | 'frozen'

export function lifeOf(
  { expiresAt }: Pick<NodeList, 'expiresAt'>,
  now: number,
  periods: LifePeriods,
): ListLife {
  if (now < expiresAt - periods.warnMs) return 'current'
  if (now < expiresAt) return 'expiring'
  return now < expiresAt + periods.graceMs ? 'grace' : 'frozen'
}
