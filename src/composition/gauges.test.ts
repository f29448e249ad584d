import { describe, expect, it } from '@jest/globals'
import type { NodeMetrics } from '../services/node-metrics.js'
import type { Sender } from '../services/replication/sending/sender.js'
import { openSqliteTestStore } from '../storage/testing.js'
import { openPostgresTestStore, testPostgres } from '../storage/testing-postgres.js'
import type { Store } from '../storage/tx.js'
import { watchQueues } from './gauges.js'

const databases: (readonly [string, () => Promise<Store>])[] = [['SQLite', openSqliteTestStore]]
if ((await testPostgres()).kind === 'running') databases.push(['PostgreSQL', openPostgresTestStore])

describe.each(databases)('the lengths of queues on %s', (_name, open) => {
  it('are read when somebody asks: one that fails would take all metrics with it', async () => {
    const store = await open()
    try {
      const reads = new Map<string, () => number | Promise<number>>()
      const nodeMetrics: Pick<NodeMetrics, 'watch'> = {
        watch: (name, _help, read) => void reads.set(name, read),
      }
      const sender: Pick<Sender, 'stats'> = {
        stats: () => ({ active: 3, failing: 1 }) as ReturnType<Sender['stats']>,
      }
      watchQueues({ nodeMetrics, sender, store })
      const values: Record<string, number> = {}
      for (const [name, read] of reads) values[name] = await read()
      expect(values).toEqual({
        outbox_pdus: 0,
        outbox_edus: 0,
        staged_pdus: 0,
        appservice_events: 0,
        destinations_active: 3,
        destinations_failing: 1,
      })
    } finally {
      await store.close()
    }
  })
})
