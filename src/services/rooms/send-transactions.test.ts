import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { testServices, type TestServices } from '../../composition/testing.js'
import {
  deleteTransactionsOf,
  saveTransactions,
  sentIn,
  transactionKey,
} from '../../storage/tables/client-transactions.js'
import { all, runChanges } from '../../storage/tx.js'
import type { Requester } from '../requester.js'

const DAY = 24 * 3_600_000

let test: TestServices
let alice: Requester
let roomId: string
beforeEach(async () => {
  test = await testServices()
  alice = { ...(await test.user('alice')), deviceId: 'PHONE' }
  roomId = (await test.services.roomCreation.create(alice, { preset: 'private_chat' })).room_id
})
afterEach(() => test.close())

const send = async (txnId: string, who = alice, type = 'm.room.message'): Promise<string> =>
  (await test.services.sending.message(who, { roomId, type, content: { body: 'x' }, txnId })).event_id
const keys = (): Promise<string[]> =>
  test.store.read('test', function* () {
    const rows = yield* all<{ key: string }>('SELECT key FROM transaction_keys ORDER BY key')
    return rows.map(({ key }) => key)
  })

describe('a transaction id of a client', () => {
  it('gives the event of then when the request is repeated, at once, later and after a restart', async () => {
    const [first, second] = await Promise.all([send('one'), send('one')])
    expect(second).toBe(first)
    expect(await send('one')).toBe(first)
    const again = await test.restarted()
    const input = { roomId, type: 'm.room.message', content: { body: 'x' }, txnId: 'one' }
    expect((await again.services.sending.message(alice, input)).event_id).toBe(first)
    expect(await keys()).toHaveLength(1)
  })

  it('means another event for another id, type, device and user', async () => {
    const ids = [
      await send('one'),
      await send('two'),
      await send('one', alice, 'org.example.other'),
      await send('one', { ...alice, deviceId: 'TABLET' }),
    ]
    expect(new Set(ids).size).toBe(4)
    const of = { userId: '@a:x', deviceId: 'D', path: 'send/!r:x/t', txnId: '1' }
    const all = [
      of,
      { ...of, userId: '@b:x' },
      { ...of, deviceId: '' },
      // What stands in one part is not taken for the other.
      { ...of, userId: '@a:xD', deviceId: '' },
      { ...of, path: 'send/!r:x/t1', txnId: '' },
    ]
    expect(new Set(all.map(transactionKey)).size).toBe(all.length)
  })

  it('is known that an older program has stored, until it is a day old', async () => {
    const store = (txnId: string, ts: number): Promise<number> =>
      test.store.write('test', () =>
        runChanges(
          'INSERT INTO client_transactions (user_id, device_id, path, txn_id, ts, response) VALUES (?, ?, ?, ?, ?, ?)',
          alice.userId,
          'PHONE',
          `send/${roomId}/m.room.message`,
          txnId,
          ts,
          `{"event_id":"$${txnId}"}`,
        ),
      )
    await store('recent', Date.now() - 1_000)
    await store('old', Date.now() - DAY - 1_000)
    expect(await send('recent')).toBe('$recent')
    expect(await test.services.sending.forgetOldTransactions()).toBe(1)
    expect(await send('recent')).toBe('$recent')
    expect(await send('old')).not.toBe('$old')
  })

  it('is forgotten after a day, however many there are', async () => {
    const rows = Array.from({ length: 4_500 }, (_, i) => ({
      key: String(i * 7_919).padStart(24, 'k'),
      ts: Date.now() - (i % 3 === 0 ? 1_000 : DAY + 1_000),
      eventNid: null,
    }))
    await test.store.write('test', () => saveTransactions(rows))
    expect(await test.services.sending.forgetOldTransactions()).toBe(3_000)
    expect(await keys()).toEqual(rows.flatMap(({ key }, i) => (i % 3 === 0 ? [key] : [])).toSorted())
    expect(await test.services.sending.forgetOldTransactions()).toBe(0)
  })

  it('is forgotten with its device, and no other', async () => {
    const first = await send('one')
    const tablet = { ...alice, deviceId: 'TABLET' }
    const other = await send('one', tablet)
    await test.store.write('test', () => deleteTransactionsOf(alice.userId, ['PHONE', 'NONE']))
    expect(await send('one')).not.toBe(first)
    expect(await send('one', tablet)).toBe(other)
    const key = transactionKey({
      userId: alice.userId,
      deviceId: 'TABLET',
      path: `send/${roomId}/m.room.message`,
      txnId: 'one',
    })
    expect(await test.store.read('test', () => sentIn(key))).toBe(other)
  })
})
