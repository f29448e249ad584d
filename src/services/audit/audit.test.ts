import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Act } from '../../core/audit/acts.js'
import { followChain, START, type ChainHead } from '../../core/audit/follow-chain.js'
import { manualClock } from '../../platform/clock.js'
import { silentLogger } from '../../platform/logger.js'
import { openTestStore } from '../../storage/testing.js'
import { run, type Store } from '../../storage/tx.js'
import { createAudit, type Audit } from './audit.js'

const ACT: Act = { act: 'session.opened', by: { kind: 'user', id: '@alice:finances.example' } }
const refused = (on: string): Act => ({
  act: 'session.refused',
  by: { kind: 'server' },
  on,
  outcome: 'M_FORBIDDEN',
})

let store: Store
let audit: Audit
const clock = manualClock()
const auditOf = (enabled: boolean): Audit =>
  createAudit({ store, clock, logger: silentLogger, options: { enabled } })

beforeEach(async () => {
  store = await openTestStore()
  audit = auditOf(true)
})
afterEach(() => store.close())

async function headByFollowing(): Promise<ChainHead> {
  let head = START
  for (const row of await audit.entries(0, 1_000)) {
    const step = followChain(head, row)
    if (!step.ok) throw new Error(`${step.fault} ${step.id}`)
    head = step.head
  }
  return head
}

const detailsOf = (entry: string): unknown => (JSON.parse(entry) as { details: unknown }).details

describe('the audit log', () => {
  it('chains acts of many transactions at once without a gap', async () => {
    await Promise.all(Array.from({ length: 40 }, () => audit.note(ACT)))
    expect(await headByFollowing()).toEqual(await audit.head())
    expect((await audit.head()).id).toBe(40)
  })

  it('goes on after a restart', async () => {
    await audit.note(ACT)
    audit = auditOf(true)
    await audit.note(ACT)
    expect(await headByFollowing()).toMatchObject({ id: 2 })
  })

  it('has no act of a transaction that failed, and no gap where it would stand', async () => {
    const failing = store.write('test.fails', function* () {
      yield* audit.record(ACT)
      throw new Error('after the act')
    })
    const [outcome] = await Promise.allSettled([failing, audit.note(ACT), audit.note(ACT)])
    expect(outcome.status).toBe('rejected')
    expect(await headByFollowing()).toMatchObject({ id: 2 })
  })

  it.each([
    ['an entry', `UPDATE audit_log SET entry = '{}' WHERE id = 1`],
    ['a hash', `UPDATE audit_log SET hash = '' WHERE id = 1`],
    ['a number', 'UPDATE audit_log SET id = 9 WHERE id = 1'],
    ['an entry away', 'DELETE FROM audit_log WHERE id = 1'],
    ['all entries away', 'DELETE FROM audit_log'],
    ['the head away', 'DELETE FROM audit_head'],
    ['the head back', 'UPDATE audit_head SET id = 0'],
  ])('refuses in the database itself to change %s', async (_name, sql) => {
    await audit.note(ACT)
    await expect(store.write('test.tamper', () => run(sql))).rejects.toThrow('the audit log only grows')
    expect(await headByFollowing()).toMatchObject({ id: 1 })
  })

  it('writes like acts that strangers cause once, with how many there were and from where', async () => {
    for (let n = 0; n < 1_000; n++) audit.count(refused('@bob:finances.example'), `192.0.2.${n % 7}`)
    expect((await audit.head()).id).toBe(0)
    await audit.flush()
    const [row] = await audit.entries(0, 10)
    expect(detailsOf(row!.entry)).toEqual({
      times: 1_000,
      sources: '192.0.2.0 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4',
    })
    await audit.flush()
    expect((await audit.head()).id).toBe(1)
  })

  it('is not filled by a flood of different names', async () => {
    for (let n = 0; n < 5_000; n++) audit.count(refused(`@u${n}:finances.example`))
    await audit.flush()
    const rows = await audit.entries(0, 1_000)
    expect(rows).toHaveLength(51)
    expect(detailsOf(rows.at(-1)!.entry)).toEqual({ times: 4_950 })
  })

  it('keeps nothing where it is off', async () => {
    const off = auditOf(false)
    await off.note(ACT)
    await store.write('test.off', () => off.record(ACT))
    off.count(ACT)
    await off.flush()
    expect(await off.head()).toEqual(START)
    expect(off.isKept).toBe(false)
  })
})
