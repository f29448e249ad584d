import { SERVER } from '../../core/audit/acts.js'
import { cutJson, readCut, type DepositedHead } from '../../core/audit/signed-head.js'
import { signJson, type Signer } from '../../core/event/sign.js'
import { canonicalJson } from '../../core/json/canonical.js'
import { parseJson } from '../../core/json/parse.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import {
  auditEntriesAfter,
  deleteCutEntries,
  firstAuditEntry,
  insertAuditCut,
  lastAuditCut,
} from '../../storage/tables/audit.js'
import type { Store } from '../../storage/tx.js'
import type { Keys } from '../federation/keys.js'
import type { Audit } from '../audit/audit.js'

/** What is left of the entries that were cut off: up to which, the hash of the chain there, and the signed record of it. */
export interface AuditCut extends DepositedHead {
  /** Whether this server has signed the record. */
  readonly isSigned: boolean
}

/** Cuts off what of the audit log is older than it must be kept. The rest goes on from a signed record, so that it can be verified as before. */
export interface AuditCuts {
  /** The last cut; undefined where the log is whole. */
  last(): Promise<AuditCut | undefined>
  /** Job. Gives how many entries went. */
  run(): Promise<number>
}

const BATCH = 500

export function createAuditCuts(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  readonly serverName: string
  readonly audit: Pick<Audit, 'head' | 'record'>
  readonly signer: Signer
  readonly keys: Pick<Keys, 'verifyJson'>
  /** Milliseconds; undefined: for ever. */
  readonly keepMs: number | undefined
  /** The last entry that nobody waits for any more: a log server, or a member that keeps the head. */
  readonly settled: () => Promise<number>
}): AuditCuts {
  const { store, clock, logger, serverName, audit, keepMs } = deps

  const timeOf = (entry: string): number => (JSON.parse(entry) as { ts: number }).ts

  /** The last entry before a moment, between the first and `end`; 0 where there is none. Entries stand in the order of time. */
  async function lastBefore(moment: number, end: number): Promise<number> {
    const first = await store.read('audit.first', firstAuditEntry)
    if (first === undefined || timeOf(first.entry) >= moment) return 0
    let [low, high] = [first.id, end]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      const [row] = await store.read('audit.middle', () => auditEntriesAfter(middle - 1, 1))
      if (row !== undefined && row.id === middle && timeOf(row.entry) < moment) low = middle
      else high = middle - 1
    }
    return low
  }

  async function record(id: number): Promise<void> {
    const now = clock.now()
    await store.write('audit.cut', function* () {
      const [row] = yield* auditEntriesAfter(id - 1, 1)
      if (row?.id !== id) throw new Error(`entry ${id} of the audit log is missing`)
      const cut = cutJson({ serverName, id, hash: row.hash, ts: now })
      yield* insertAuditCut({ id, hash: row.hash, document: canonicalJson(signJson(cut, deps.signer)) })
      yield* audit.record({ act: 'audit.cut', by: SERVER, details: { up_to: id } })
    })
  }

  /** Also what an earlier run left behind that a crash ended. */
  async function deleteCut(): Promise<number> {
    for (let total = 0; ;) {
      const gone = await store.write('audit.deleteCut', () => deleteCutEntries(BATCH))
      total += gone
      if (gone < BATCH) return total
    }
  }

  return {
    async last() {
      const row = await store.read('audit.lastCut', lastAuditCut)
      if (row === undefined) return undefined
      const parsed = parseJson(row.document)
      const cut = parsed.ok ? readCut(parsed.value) : undefined
      const isOurs = cut?.serverName === serverName && cut.id === row.id && cut.hash === row.hash
      const isSigned =
        isOurs && (await deps.keys.verifyJson(serverName, cut.json, { enforceValidity: false })).ok
      return { serverName, id: row.id, hash: row.hash, ts: cut?.ts ?? 0, isSigned }
    },

    async run() {
      if (keepMs === undefined) return 0
      const head = await audit.head()
      // The last entry always stays: the chain goes on from it.
      const end = Math.min(head.id - 1, await deps.settled())
      const id = end < 1 ? 0 : await lastBefore(clock.now() - keepMs, end)
      if (id > 0) await record(id)
      const gone = await deleteCut()
      if (gone > 0) logger.info({ entries: gone, upTo: id }, 'the audit log was cut off before what is kept')
      return gone
    },
  }
}
