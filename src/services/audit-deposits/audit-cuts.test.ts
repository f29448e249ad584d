import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Act } from '../../core/audit/acts.js'
import { followChain } from '../../core/audit/follow-chain.js'
import type { Signer as EventSigner } from '../../core/event/sign.js'
import { manualClock, type ManualClock } from '../../platform/clock.js'
import { createSigner, generateSigningKey } from '../../platform/ed25519.js'
import { silentLogger } from '../../platform/logger.js'
import { systemRandom } from '../../platform/random.js'
import { openTestStore } from '../../storage/testing.js'
import { run, type Store } from '../../storage/tx.js'
import { createTransport } from '../federation/transport.js'
import { createAuditCuts, type AuditCuts } from './audit-cuts.js'
import { createAudit, type Audit } from '../audit/audit.js'

const SERVER_NAME = 'finances.example'
const DAY = 86_400_000
const ACT: Act = { act: 'session.opened', by: { kind: 'user', id: '@alice:finances.example' } }
const key = createSigner(generateSigningKey(systemRandom))
const signer: EventSigner = { serverName: SERVER_NAME, keyId: key.keyId, sign: key.sign }

let store: Store
let clock: ManualClock
let audit: Audit
let settled: number

function cutsOf(keepMs: number | undefined, by = signer): AuditCuts {
  const base = { store, clock, logger: silentLogger }
  const { keys } = createTransport({
    ...base,
    serverName: SERVER_NAME,
    signer: key,
    random: systemRandom,
    userAgent: 'test',
    options: { enabled: true, deny: [] },
  })
  return createAuditCuts({
    ...base,
    serverName: SERVER_NAME,
    audit,
    signer: by,
    keys,
    keepMs,
    settled: () => Promise.resolve(settled),
  })
}

beforeEach(async () => {
  store = await openTestStore()
  clock = manualClock()
  settled = Infinity
  audit = createAudit({ store, clock, logger: silentLogger, options: { enabled: true } })
  // Entries 1 to 10, two a day.
  for (let day = 0; day < 5; day++) {
    await audit.note(ACT)
    await audit.note(ACT)
    clock.advance(DAY)
  }
})
afterEach(() => store.close())

const ids = async (): Promise<number[]> => (await audit.entries(0, 1_000)).map(({ id }) => id)

describe('what is older than it must be kept', () => {
  it('is cut off, and the rest goes on from a signed record', async () => {
    const cuts = cutsOf(3 * DAY)
    const before = await audit.entries(0, 1_000)
    expect(await cuts.last()).toBeUndefined()
    // The first two days are over; the third ends this very moment.
    expect(await cuts.run()).toBe(4)
    const cut = (await cuts.last())!
    expect(cut).toEqual({
      serverName: SERVER_NAME,
      id: 4,
      hash: before[3]!.hash,
      ts: clock.now(),
      isSigned: true,
    })
    expect(await ids()).toEqual([5, 6, 7, 8, 9, 10, 11])
    let head: { readonly id: number; readonly hash: string } = cut
    for (const row of await audit.entries(0, 1_000)) {
      const step = followChain(head, row)
      if (!step.ok) throw new Error(`${step.fault} ${step.id}`)
      head = step.head
    }
    expect(head).toEqual(await audit.head())
    expect(JSON.parse((await audit.entries(10, 1))[0]!.entry)).toMatchObject({
      ...{ act: 'audit.cut', by: { kind: 'server' }, details: { up_to: 4 } },
    })
    expect(await cuts.run()).toBe(0)
    clock.advance(DAY)
    expect(await cuts.run()).toBe(2)
    expect((await ids())[0]).toBe(7)
  })

  it('stays as long as others wait for it, and the last entry always', async () => {
    settled = 0
    expect(await cutsOf(DAY).run()).toBe(0)
    settled = 3
    expect(await cutsOf(DAY).run()).toBe(3)
    settled = Infinity
    clock.advance(365 * DAY)
    await cutsOf(DAY).run()
    expect((await ids()).length).toBeGreaterThan(0)
    expect((await audit.head()).id).toBe((await ids()).at(-1))
  })

  it('stays for ever where nobody says how long it is kept', async () => {
    clock.advance(10_000 * DAY)
    expect(await cutsOf(undefined).run()).toBe(0)
    expect(await ids()).toHaveLength(10)
  })

  it('goes when the process that had recorded it has ended meanwhile', async () => {
    await cutsOf(3 * DAY).run()
    const [cut] = [await cutsOf(undefined).last()]
    await store.write('test.left', () =>
      run('INSERT INTO audit_log (id, entry, hash) VALUES (2, ?, ?)', '{}', cut!.hash),
    )
    expect(await cutsOf(3 * DAY).run()).toBe(1)
    expect((await ids())[0]).toBe(5)
  })

  it('is the only thing that the database lets go', async () => {
    await cutsOf(3 * DAY).run()
    for (const sql of [
      'DELETE FROM audit_log WHERE id = 5',
      'DELETE FROM audit_cuts',
      'UPDATE audit_cuts SET id = 9',
      `UPDATE audit_log SET entry = '{}' WHERE id = 5`,
    ])
      await expect(store.write('test.tamper', () => run(sql))).rejects.toThrow()
    expect((await ids())[0]).toBe(5)
  })

  it('is not believed to be cut off where this server has not signed that', async () => {
    const other = createSigner(generateSigningKey(systemRandom))
    const forger: EventSigner = { serverName: SERVER_NAME, keyId: other.keyId, sign: other.sign }
    await cutsOf(3 * DAY, forger).run()
    expect(await cutsOf(undefined).last()).toMatchObject({ id: 4, isSigned: false })
  })
})
