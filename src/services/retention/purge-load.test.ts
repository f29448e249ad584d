import { expect, it } from '@jest/globals'
import type { RetentionPolicy } from '../../core/retention.js'
import { systemClock } from '../../platform/clock.js'
import { silentLogger } from '../../platform/logger.js'
import { longestTurn } from '../../platform/testing-turns.js'
import { many, one } from '../../storage/tx.js'
import { NO_AUDIT } from '../audit/trail.js'
import { addNode, createNetwork } from '../replication/testing/network.js'
import { createLegalHolds } from './legal-holds.js'
import { createRetention, type PurgeRun } from './retention.js'

const ALICE = '@alice:a.example'
const DAY = 86_400_000
const lifetimes = { least: 0, most: 30 * DAY, usual: undefined }
const POLICY: RetentionPolicy = {
  setAtCreation: false,
  lifetimes: { public: lifetimes, private: lifetimes, direct: lifetimes },
}
/** More by hand: CHANCERY_PURGE_EVENTS=1000000. */
const EVENTS = Number(process.env['CHANCERY_PURGE_EVENTS'] ?? 5_000)
const ROWS = 1_000

it('a large purge holds nobody up: messages are sent meanwhile, and no turn of the event loop is long', async () => {
  const network = createNetwork()
  const a = await addNode(network, 'a.example', { retention: POLICY })
  const roomId = await a.createRoom(ALICE)
  const id = await a.send(ALICE, roomId, 'x'.repeat(300))
  const row = (await a.store.read('test', () =>
    one<Record<string, string | number | null>>('SELECT * FROM events WHERE event_id = ?', id),
  ))!
  const columns = Object.keys(row)
  const places = columns.map(() => '?').join(', ')
  for (let from = 0; from < EVENTS; from += ROWS) {
    const rows = Array.from({ length: Math.min(ROWS, EVENTS - from) }, (_, i) => {
      const n = from + i
      const other = {
        ...row,
        nid: 10_000_000 + n,
        event_id: `$${n}`,
        ts: Date.now() - 40 * DAY + n,
        pos: null,
        ord: -1 - n,
        txn: null,
      }
      return columns.map((column) => other[column as keyof typeof other])
    })
    await a.store.write('test', () =>
      many(`INSERT INTO events (${columns.join(', ')}) VALUES (${places})`, rows as never),
    )
  }
  const retention = createRetention({
    context: a.context,
    clock: systemClock,
    logger: silentLogger,
    media: { remove: () => Promise.resolve(false), evictRemoteBefore: () => Promise.resolve(0) },
    audit: NO_AUDIT,
    holds: createLegalHolds({ store: a.store, clock: systemClock, audit: NO_AUDIT }),
    sign: (object) => object,
    mediaMs: undefined,
    keys: a.keys,
    isMember: () => false,
    client: { request: () => Promise.reject(new Error('not used')) },
  })
  let isOver = false
  let sent = 0
  let result: PurgeRun | undefined
  const longest = await longestTurn(async () => {
    const run = retention.run().finally(() => {
      isOver = true
    })
    while (!isOver) await a.send(ALICE, roomId, `meanwhile ${sent++}`)
    result = await run
  })
  expect(result?.rooms).toMatchObject([{ roomId, events: EVENTS }])
  expect(sent).toBeGreaterThan(1)
  if (process.env['CHANCERY_PURGE_EVENTS'] !== undefined)
    process.stderr.write(
      `${EVENTS} events: longest turn ${Math.round(longest)} ms, ${sent} messages sent meanwhile\n`,
    )
  // 14 ms here; a slow machine must not fail it, a purge in one piece must.
  expect(longest).toBeLessThan(150)
  await network.close()
}, 3_600_000)
