import { without } from '../event/hash.js'
import type { JsonObject } from '../json/value.js'
import { NODE_LIST_TYPE } from './parse-node-list.js'
import type { ListSigner, NodeList } from './types.js'

/** Who is to sign from now on. */
export interface DraftAuthority {
  readonly threshold: number
  readonly signers: readonly ListSigner[]
}

export interface DraftDates {
  /** Milliseconds since 1970. */
  readonly now: number
  readonly expiresAt: number
}

/** The first list of a circle: without members, and not signed. */
export function firstDraft(circle: string, authority: DraftAuthority, dates: DraftDates): JsonObject {
  return {
    type: NODE_LIST_TYPE,
    circle,
    sequence: 1,
    issued_at: dates.now,
    expires_at: dates.expiresAt,
    authorities: [authorityJson(1, authority)],
    members: [],
  }
}

/** The list that comes after another: the same members, the next number, not signed. With an authority the signers change. */
export function nextDraft(
  list: NodeList,
  dates: DraftDates,
  authority: DraftAuthority | undefined,
): JsonObject {
  const before = list.authorities.map(({ json }) => json)
  const generation = (list.authorities.at(-1)?.generation ?? 0) + 1
  return {
    ...without(list.json, ['signatures', 'unsigned']),
    sequence: list.sequence + 1,
    issued_at: dates.now,
    expires_at: dates.expiresAt,
    authorities: authority === undefined ? before : [...before, authorityJson(generation, authority)],
  }
}

const authorityJson = (generation: number, { threshold, signers }: DraftAuthority): JsonObject => ({
  generation,
  threshold,
  signers: signers.map(({ name, keyId, publicKey }) => ({ name, key_id: keyId, public_key: publicKey })),
})
