import { canonicalJson, NotCanonical } from '../json/canonical.js'
import { parseJson } from '../json/parse.js'
import { isObject } from '../json/value.js'
import { entryDigest, GENESIS, nextHash, type ChainedEntry } from './entry.js'

/** How far the chain was followed, and its hash there. */
export interface ChainHead {
  readonly id: number
  readonly hash: string
}

export const START: ChainHead = { id: 0, hash: GENESIS }

/**
 * `missing`: entries before this one are gone; `malformed`: what stands there is no entry of that number; `altered`: the entry, or its
 * hash, is not what it was when the next was written.
 */
export type ChainFault = 'missing' | 'malformed' | 'altered'

export type ChainStep =
  | { readonly ok: true; readonly head: ChainHead }
  | { readonly ok: false; readonly id: number; readonly fault: ChainFault }

/** One step further: whether this is the entry that follows. Entries come in the order of their numbers. */
export function followChain(head: ChainHead, row: ChainedEntry): ChainStep {
  const id = head.id + 1
  if (row.id !== id) return { ok: false, id, fault: 'missing' }
  if (!isEntryOf(id, row.entry)) return { ok: false, id, fault: 'malformed' }
  const hash = nextHash(id, head.hash, entryDigest(row.entry))
  if (hash !== row.hash) return { ok: false, id, fault: 'altered' }
  return { ok: true, head: { id, hash } }
}

/** The hash of the chain after entries of which only the digests are known; they follow the head one by one. */
export function followDigests(head: ChainHead, digests: readonly string[]): ChainHead {
  let { id, hash } = head
  for (const digest of digests) {
    id += 1
    hash = nextHash(id, hash, digest)
  }
  return { id, hash }
}

function isEntryOf(id: number, entry: string): boolean {
  const parsed = parseJson(entry)
  if (!parsed.ok || !isObject(parsed.value) || parsed.value['id'] !== id) return false
  try {
    return canonicalJson(parsed.value) === entry
  } catch (error) {
    if (error instanceof NotCanonical) return false
    throw error
  }
}
