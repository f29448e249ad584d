import { canonicalJson, NotCanonical } from '../json/canonical.js'
import { parseJson } from '../json/parse.js'
import { isObject } from '../json/value.js'
import type { ChainedEntry } from './entry.js'
import { isHash } from './signed-head.js'

/** An entry as a line of its own: its JSON with the hash of the chain as one more member. */
export const entryLine = ({ entry, hash }: ChainedEntry): string => `${entry.slice(0, -1)},"hash":"${hash}"}`

/** What `entryLine` wrote; undefined where it is none. */
export function readEntryLine(line: string): ChainedEntry | undefined {
  const parsed = parseJson(line)
  if (!parsed.ok || !isObject(parsed.value)) return undefined
  const { hash, ...rest } = parsed.value
  const { id } = rest
  if (!isHash(hash) || typeof id !== 'number') return undefined
  try {
    return { id, hash, entry: canonicalJson(rest) }
  } catch (error) {
    if (error instanceof NotCanonical) return undefined
    throw error
  }
}
