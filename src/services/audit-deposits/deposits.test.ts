import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Act } from '../../core/audit/acts.js'
import { chainEntry, entryDigest, GENESIS } from '../../core/audit/entry.js'
import { headJson } from '../../core/audit/signed-head.js'
import { MatrixError } from '../../core/errors.js'
import { signJson, type Signer as EventSigner } from '../../core/event/sign.js'
import type { JsonObject } from '../../core/json/value.js'
import { manualClock } from '../../platform/clock.js'
import { createSigner, generateSigningKey } from '../../platform/ed25519.js'
import { silentLogger } from '../../platform/logger.js'
import { systemRandom } from '../../platform/random.js'
import { openTestStore } from '../../storage/testing.js'
import { run, type Store, type Tx } from '../../storage/tx.js'
import { createAudit, type Audit } from '../audit/audit.js'
import { FederationError, type FederationRequest } from '../federation/client.js'
import { createTransport } from '../federation/transport.js'
import { createKeptDeposits, NOT_CONTINUED, NOT_FOLLOWING, type KeptDeposits } from './keep-deposits.js'
import { createMadeDeposits, type MadeDeposits } from './make-deposits.js'

const A = 'finances.example'
const B = 'interieur.example'
const clock = manualClock()
const key = createSigner(generateSigningKey(systemRandom))
const signer: EventSigner = { serverName: A, keyId: key.keyId, sign: key.sign }

let store: Store
let audit: Audit
let kept: KeptDeposits
let made: MadeDeposits
let members: Set<string>
let heardOfBy: Act[]
/** What reaches the other server, and whether its answer comes back. */
let answers: 'all' | 'none' | 'lost'

/** What the other server answers, as errors of the network. */
async function request({ method, body }: FederationRequest): Promise<JsonObject> {
  if (answers === 'none') throw new FederationError('unreachable', 'no connection to the server')
  try {
    if (method === 'GET') return await kept.depositOf(A)
    await kept.deposit(A, body!['head'] as JsonObject, body!['digests'] as string[])
  } catch (error) {
    if (!(error instanceof MatrixError)) throw error
    const status = error.status ?? (error.errcode === 'M_NOT_FOUND' ? 404 : 403)
    throw new FederationError('status', error.message, { status, errcode: error.errcode })
  }
  if (answers === 'lost') throw new FederationError('timeout', 'the server did not answer in time')
  return {}
}

function depositing(): MadeDeposits {
  // The keys of this server alone are asked for: nothing goes over the network.
  const { keys } = createTransport({
    serverName: A,
    signer: key,
    store,
    clock,
    random: systemRandom,
    logger: silentLogger,
    userAgent: 'test',
    options: { enabled: true, deny: [] },
  })
  const base = { clock, logger: silentLogger, keys }
  kept ??= createKeptDeposits({
    ...base,
    store,
    audit: {
      ...audit,
      count: (act) => heardOfBy.push(act),
    },
    isMember: (name) => members.has(name),
  })
  return createMadeDeposits({ ...base, serverName: A, audit, signer, client: { request }, servers: [B] })
}

beforeEach(async () => {
  store = await openTestStore()
  audit = createAudit({ store, clock, logger: silentLogger, options: { enabled: true } })
  members = new Set([A])
  heardOfBy = []
  answers = 'all'
  kept = undefined as unknown as KeptDeposits
  made = depositing()
})
afterEach(() => store.close())

const ACT: Act = { act: 'session.opened', by: { kind: 'user', id: '@alice:finances.example' } }

async function write(times: number): Promise<void> {
  await Promise.all(Array.from({ length: times }, () => audit.note(ACT)))
}

const deposited = async (): Promise<number | undefined> => (await made.depositedWith(B))?.id
const outcome = async (): Promise<string | undefined> => (await made.deposit()).get(B)

/** What somebody does who owns the database. */
async function tamper(body: () => Tx<unknown>): Promise<void> {
  const isPostgres = store.dialect === 'postgres'
  const names = ['audit_log_never_changes', 'audit_log_never_shrinks', 'audit_head_goes_on']
  await store.write('test.tamper', function* () {
    for (const name of names) {
      const table = name.startsWith('audit_log') ? 'audit_log' : 'audit_head'
      yield* run(`DROP TRIGGER IF EXISTS ${name}${isPostgres ? ` ON ${table}` : ''}`)
    }
    yield* body()
  })
}

/** Writes the log anew, without a trace in itself: with as many entries, or fewer, or more. */
async function writeAnew(entries: number): Promise<void> {
  await tamper(function* () {
    yield* run('DELETE FROM audit_log')
    let hash = GENESIS
    for (let id = 1; id <= entries; id++) {
      const row = chainEntry(id, hash, 1, { act: 'session.ended', by: { kind: 'server' } })
      hash = row.hash
      yield* run('INSERT INTO audit_log (id, entry, hash) VALUES (?, ?, ?)', row.id, row.entry, row.hash)
    }
    yield* run('UPDATE audit_head SET id = ?, hash = ?', entries, hash)
  })
}

describe('the head of an audit log, left with another member', () => {
  it('goes on from deposit to deposit', async () => {
    await write(3)
    expect(await outcome()).toBe('done')
    expect(await deposited()).toBe(3)
    await write(4)
    clock.advance(1_000)
    expect(await outcome()).toBe('done')
    expect(await made.depositedWith(B)).toEqual({
      serverName: A,
      ts: clock.now(),
      ...(await audit.head()),
    })
  })

  it('is not asked for where there is no log yet', async () => {
    expect(await outcome()).toBe('done')
    expect(await deposited()).toBeUndefined()
  })

  it('catches up after a long silence, in several requests', async () => {
    await write(1)
    await outcome()
    answers = 'none'
    await write(1_500)
    expect(await outcome()).toBe('unreachable')
    answers = 'all'
    made = depositing()
    expect(await outcome()).toBe('done')
    expect(await deposited()).toBe(1_501)
  })

  it('goes on where an answer was lost', async () => {
    await write(2)
    await outcome()
    await write(2)
    answers = 'lost'
    expect(await outcome()).toBe('unreachable')
    answers = 'all'
    await write(2)
    expect(await outcome()).toBe('done')
    expect(await deposited()).toBe(6)
  })

  it.each([
    ['with as many entries', 5],
    ['with more', 9],
    ['with fewer', 3],
  ])('shows a log that was written anew %s', async (_name, entries) => {
    await write(5)
    await outcome()
    await writeAnew(entries)
    expect(await outcome()).toBe('not-continued')
    expect(await deposited()).toBe(5)
    made = depositing()
    expect(await outcome()).toBe('not-continued')
  })

  it('shows a log whose end was cut off', async () => {
    await write(5)
    const { hash } = (await audit.entries(3, 1))[0]!
    await outcome()
    await tamper(function* () {
      yield* run('DELETE FROM audit_log WHERE id > 4')
      yield* run('UPDATE audit_head SET id = 4, hash = ?', hash)
    })
    expect(await outcome()).toBe('not-continued')
    clock.advance(1)
    await write(1)
    expect(await outcome()).toBe('not-continued')
    await write(3)
    expect(await outcome()).toBe('not-continued')
  })

  it('may begin anew when an operator there says so', async () => {
    await write(5)
    await outcome()
    await writeAnew(2)
    await kept.forget(A)
    expect(await outcome()).toBe('done')
    expect(await deposited()).toBe(2)
    await expect(kept.forget('other.example')).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
  })

  it('is taken of members alone', async () => {
    await write(1)
    members.clear()
    expect(await outcome()).toBe('refused')
    await expect(kept.depositOf(A)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
  })
})

describe('whoever keeps the heads of others', () => {
  const signed = (id: number, hash: string): JsonObject =>
    signJson(headJson({ serverName: A, id, hash, ts: 1 }), signer)
  const hash = 'a'.repeat(64)

  it('refuses what goes back, goes aside, or leaves out', async () => {
    await write(4)
    await outcome()
    const rows = await audit.entries(0, 10)
    const digests = rows.map((row) => entryDigest(row.entry))
    await expect(kept.deposit(A, signed(3, rows[2]!.hash), [])).rejects.toMatchObject({
      errcode: NOT_CONTINUED,
      status: 409,
    })
    await expect(kept.deposit(A, signed(4, hash), [])).rejects.toMatchObject({ errcode: NOT_CONTINUED })
    await expect(kept.deposit(A, signed(6, hash), digests.slice(0, 2))).rejects.toMatchObject({
      errcode: NOT_CONTINUED,
    })
    await expect(kept.deposit(A, signed(6, hash), [])).rejects.toMatchObject({ errcode: NOT_FOLLOWING })
    expect(await deposited()).toBe(4)
    expect(heardOfBy).toHaveLength(3)
    expect(heardOfBy[0]).toMatchObject({ act: 'audit.head_refused', on: A })
  })

  it('refuses what the server has not signed, or another has', async () => {
    const other = signJson(headJson({ serverName: B, id: 1, hash, ts: 1 }), signer)
    await expect(kept.deposit(A, other, [])).rejects.toMatchObject({ errcode: 'M_BAD_JSON' })
    await expect(kept.deposit(A, { ...signed(1, hash), ts: 2 }, [])).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
    await expect(kept.deposit(A, headJson({ serverName: A, id: 1, hash, ts: 1 }), [])).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
    for (const wrong of [{ id: 0 }, { id: -1 }, { hash: 'x' }, { type: 'other' }, { ts: '1' }]) {
      const document = signJson({ ...headJson({ serverName: A, id: 1, hash, ts: 1 }), ...wrong }, signer)
      await expect(kept.deposit(A, document, [])).rejects.toMatchObject({ errcode: 'M_BAD_JSON' })
    }
  })
})
