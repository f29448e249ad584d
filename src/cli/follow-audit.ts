import type { ChainedEntry } from '../core/audit/entry.js'
import { followChain, START, type ChainFault, type ChainHead } from '../core/audit/follow-chain.js'
import type { AuditPage } from '../services/operator/operator.js'

/** What a chain of entries must pass through: where the log says that it ends, and where others say that it did. */
export interface Milestone extends ChainHead {
  /** Who says so, for people. */
  readonly from: string
}

const FAULTS: Readonly<Record<ChainFault, string>> = {
  missing: 'is missing: entries were taken out',
  malformed: 'is not what the log writes: it was changed',
  altered: 'was changed, or its hash was',
}

/** Follows the chain entry by entry. `take` and `end` give what is wrong in a sentence, undefined where nothing is. */
export interface AuditFollower {
  take(row: ChainedEntry): string | undefined
  end(): string | undefined
  head(): ChainHead
}

/** `start`: where the entries begin; what was before was cut off, and milestones there show nothing. */
export function createAuditFollower(
  milestones: readonly Milestone[],
  start: ChainHead = START,
): AuditFollower {
  let head = start
  const unseen = new Set(milestones.filter(({ id }) => id > start.id))
  return {
    take(row) {
      const step = followChain(head, row)
      if (!step.ok) return `entry ${step.id} ${FAULTS[step.fault]}`
      head = step.head
      for (const milestone of unseen) {
        if (milestone.id !== head.id) continue
        unseen.delete(milestone)
        if (milestone.hash !== head.hash)
          return `entry ${head.id}, or one before it, is not what it was: ${milestone.from} has another hash of the log up to there. It was written anew`
      }
      return undefined
    },
    end() {
      const [missing] = unseen
      if (missing === undefined) return undefined
      return `the log ends with entry ${head.id}; ${missing.from} knows of entry ${missing.id}. The end was cut off`
    },
    head: () => head,
  }
}

/** All entries after one, page by page. */
export async function* auditEntries(
  read: (page: { readonly after: number; readonly limit: number }) => Promise<AuditPage>,
  after: number,
): AsyncGenerator<ChainedEntry> {
  for (let last = after; ;) {
    const { entries } = await read({ after: last, limit: 500 })
    if (entries.length === 0) return
    for (const entry of entries) {
      yield entry
      // Whatever a number may have become in a database that somebody changed, this comes to an end.
      last = Math.max(last + 1, entry.id)
    }
  }
}
