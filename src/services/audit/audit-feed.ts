import { entryLine } from '../../core/audit/entry-line.js'
import type { Logger } from '../../platform/logger.js'
import type { Syslog, SyslogMessage } from '../../platform/syslog.js'
import { auditCursor, setAuditCursor } from '../../storage/tables/audit.js'
import type { Store } from '../../storage/tx.js'
import type { ChainedEntry } from '../../core/audit/entry.js'
import type { Audit } from './audit.js'

/** Hands the audit log on to a log server, each entry at least once, in order. */
export interface AuditFeed {
  /** Job: sends what is new. Never rejects where the log server cannot be reached: it is tried again. */
  step(): Promise<void>
  /** The last entry that the log server has. */
  sentUpTo(): Promise<number>
  close(): void
}

const READER = 'syslog'
const BATCH = 200
const MAX_BATCHES = 50

export function createAuditFeed(deps: {
  readonly store: Store
  readonly logger: Logger
  readonly audit: Pick<Audit, 'entries'>
  readonly syslog: Syslog
}): AuditFeed {
  const { store, logger, audit, syslog } = deps
  let failing = false

  async function sendSome(): Promise<boolean> {
    const after = await store.read('audit.cursor', () => auditCursor(READER))
    const rows = await audit.entries(after, BATCH)
    const last = rows.at(-1)
    if (last === undefined) return false
    await syslog.send(rows.map(messageOf))
    // What was sent before a crash here is sent again: twice is better than never.
    await store.write('audit.cursor', () => setAuditCursor(READER, last.id))
    return rows.length === BATCH
  }

  return {
    async step() {
      try {
        for (let n = 0; n < MAX_BATCHES && (await sendSome()); n++);
        if (failing) logger.info({}, 'the audit log goes to the log server again')
        failing = false
      } catch (error) {
        if (!failing) logger.error({ err: error }, 'the audit log cannot be sent to the log server; it waits')
        failing = true
      }
    },
    sentUpTo: () => store.read('audit.cursor', () => auditCursor(READER)),
    close: () => syslog.close(),
  }
}

function messageOf(row: ChainedEntry): SyslogMessage {
  const { ts, act, outcome } = JSON.parse(row.entry) as { ts: number; act: string; outcome: string }
  const severity = outcome === 'done' || outcome === 'begun' ? 'notice' : 'warning'
  return { ts, severity, messageId: act, text: entryLine(row) }
}
