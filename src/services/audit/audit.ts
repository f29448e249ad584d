import type { Act } from '../../core/audit/acts.js'
import { chainEntry, GENESIS, type ChainedEntry } from '../../core/audit/entry.js'
import { START, type ChainHead } from '../../core/audit/follow-chain.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import {
  advanceAuditHead,
  appendAuditEntry,
  auditEntriesAfter,
  auditHead,
} from '../../storage/tables/audit.js'
import type { Store, Tx } from '../../storage/tx.js'
import { createCountedActs } from './counted-acts.js'
import { NO_AUDIT, type AuditTrail } from './trail.js'

/** The audit log of this node: it only grows, and each entry is chained to the one before. */
export interface Audit extends AuditTrail {
  /** Whether acts are kept at all. */
  readonly isKept: boolean
  /** Job: writes what was counted. */
  flush(): Promise<void>
  /** Entries after one, ascending; at most `limit`, which is at most 1,000. */
  entries(after: number, limit: number): Promise<readonly ChainedEntry[]>
  /** The last entry; number 0 before the first. */
  head(): Promise<ChainHead>
}

export interface AuditDeps {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  readonly options: { readonly enabled: boolean }
  /** After entries are on disk. */
  readonly onWritten?: () => void
}

const MAX_PAGE = 1_000

export function createAudit(deps: AuditDeps): Audit {
  const { store, clock, logger } = deps
  const { enabled } = deps.options
  const counted = createCountedActs()

  function* record(act: Act): Tx<void> {
    const { id, hash } = yield* advanceAuditHead(GENESIS)
    yield* appendAuditEntry(chainEntry(id, hash, clock.now(), act))
  }

  function* recordAll(acts: readonly Act[]): Tx<void> {
    for (const act of acts) yield* record(act)
  }

  const reading = {
    entries: (after: number, limit: number) =>
      store.read('audit.entries', () => auditEntriesAfter(after, Math.min(limit, MAX_PAGE))),
    head: async () => (await store.read('audit.head', auditHead)) ?? START,
  }

  if (!enabled) return { ...NO_AUDIT, ...reading, isKept: false, flush: () => Promise.resolve() }

  return {
    ...reading,
    isKept: true,
    record,
    async note(act) {
      await store.write('audit.note', () => record(act))
    },
    count: (act, source) => counted.add(act, source),
    async flush() {
      const acts = counted.take()
      if (acts.length === 0) return
      try {
        await store.write('audit.flush', () => recordAll(acts))
      } catch (error) {
        logger.error({ err: error, acts: acts.length }, 'counted acts were lost to the audit log')
        throw error
      }
    },
  }
}
