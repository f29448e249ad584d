import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { readEntryLine } from '../../core/audit/entry-line.js'
import { manualClock } from '../../platform/clock.js'
import { silentLogger } from '../../platform/logger.js'
import type { SyslogMessage } from '../../platform/syslog.js'
import { openTestStore } from '../../storage/testing.js'
import type { Store } from '../../storage/tx.js'
import { createAuditFeed, type AuditFeed } from './audit-feed.js'
import { createAudit, type Audit } from './audit.js'

let store: Store
let audit: Audit
let taken: SyslogMessage[]
let fails: boolean
const logger = silentLogger
const ALICE = { kind: 'user', id: '@alice:finances.example' } as const

const feed = (): AuditFeed =>
  createAuditFeed({
    store,
    logger,
    audit,
    syslog: {
      send(messages) {
        if (fails) return Promise.reject(new Error('nobody listens'))
        taken.push(...messages)
        return Promise.resolve()
      },
      close: () => undefined,
    },
  })

beforeEach(async () => {
  store = await openTestStore()
  audit = createAudit({ store, clock: manualClock(5), logger, options: { enabled: true } })
  taken = []
  fails = false
})
afterEach(() => store.close())

describe('the audit log on its way to a log server', () => {
  it('goes there entry by entry, also after a restart, and waits while there is none', async () => {
    await audit.note({ act: 'session.opened', by: ALICE })
    fails = true
    const first = feed()
    await first.step()
    await first.step()
    expect(taken).toEqual([])
    fails = false
    await first.step()
    await audit.note({ act: 'session.refused', by: ALICE, outcome: 'M_FORBIDDEN' })
    await feed().step()
    await feed().step()
    expect(taken).toMatchObject([
      { ts: 5, severity: 'notice', messageId: 'session.opened' },
      { ts: 5, severity: 'warning', messageId: 'session.refused' },
    ])
    expect(taken.map(({ text }) => readEntryLine(text))).toEqual(await audit.entries(0, 10))
  })

  it('goes there in bounded parts, all in one turn', async () => {
    await Promise.all(Array.from({ length: 450 }, () => audit.note({ act: 'session.opened', by: ALICE })))
    await feed().step()
    expect(taken).toHaveLength(450)
  })
})
