import type { JsonObject } from '../json/value.js'

/** Who has accounts on a member node. `external`: guests of the administration. `partner`: people of another one. */
export const MEMBER_ROLES = ['agents', 'external', 'partner'] as const
export type MemberRole = (typeof MEMBER_ROLES)[number]

/** A signing key of a member; times in milliseconds since 1970, undefined where there is no bound. */
export interface MemberKey {
  /** `ed25519:version`. */
  readonly keyId: string
  /** Unpadded base64. */
  readonly publicKey: string
  readonly validFrom: number | undefined
  readonly validUntil: number | undefined
}

/** Where a member is connected to. */
export interface Place {
  /** DNS name or IP address, without brackets. */
  readonly host: string
  readonly port: number
}

/** Whom to expect there; at least one of the two is not empty. */
export interface MemberTls {
  /** PEM certificates of the authorities that alone are trusted for it. */
  readonly ca: readonly string[]
  /** SHA-256 of the public key (SPKI) of its certificate, as standard base64 without padding. */
  readonly pins: readonly string[]
}

/** Whose e-mail addresses belong to a member. */
export interface MemberEmail {
  /** Exact domains. */
  readonly domains: readonly string[]
  /** `LOCAL@DOMAIN`: LOCAL with `*` and `?`, DOMAIN exact or `*.DOMAIN` for everything below it. */
  readonly patterns: readonly string[]
  /** Every address that is nobody else's; one member at most. */
  readonly fallback: boolean
}

export interface Member {
  readonly serverName: string
  /** What people call it. */
  readonly label: string
  readonly role: MemberRole
  readonly places: readonly Place[]
  readonly keys: readonly MemberKey[]
  readonly tls: MemberTls | undefined
  readonly email: MemberEmail
  /** From then on it is no member any more; what it has signed before still counts. Milliseconds. */
  readonly leftAt: number | undefined
}

/** Somebody whose signature counts, with one key. */
export interface ListSigner {
  readonly name: string
  readonly keyId: string
  readonly publicKey: string
}

/** Who signs, from one rotation to the next. */
export interface Authority {
  /** One more with each rotation. */
  readonly generation: number
  /** So many of the signers must sign. */
  readonly threshold: number
  readonly signers: readonly ListSigner[]
  /** As it stood in the document, signatures included. */
  readonly json: JsonObject
}

/** A node list that is well-formed. Whether it counts, `judgeNodeList` says. */
export interface NodeList {
  /** The name of the federation whose list this is: a list of another one never takes its place. */
  readonly circle: string
  /** Greater than in every list before. */
  readonly sequence: number
  /** Milliseconds since 1970. */
  readonly issuedAt: number
  readonly expiresAt: number
  /** By generation, without gaps; the last one signs this list. */
  readonly authorities: readonly [Authority, ...Authority[]]
  readonly members: readonly Member[]
  /** The whole document, signatures included. */
  readonly json: JsonObject
}

export const lastAuthority = ({ authorities }: NodeList): Authority => authorities.at(-1) ?? authorities[0]

/** Whether somebody who stands in the list is no member any more. */
export const hasLeft = (member: Pick<Member, 'leftAt'>, now: number): boolean =>
  member.leftAt !== undefined && member.leftAt <= now
