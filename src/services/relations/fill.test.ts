import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { testServices, type TestServices } from '../../composition/testing.js'
import { all, run, type Tx } from '../../storage/tx.js'
import type { Requester } from '../requester.js'
import { createRelationsFill } from './fill.js'

const TABLES = ['relations', 'threads', 'thread_senders']

let test: TestServices
let alice: Requester
beforeAll(async () => {
  test = await testServices()
  alice = await test.user('alice')
})
afterAll(() => test.close())

const snapshot = (): Promise<unknown[]> =>
  test.store.read('test', function* () {
    const tables: unknown[] = []
    for (const table of TABLES) tables.push(yield* all(`SELECT * FROM ${table} ORDER BY 1, 2, 3, 4`))
    return tables
  })

/** As a database that was upgraded: events, and nothing known of what relates to what. */
function* forget(): Tx<void> {
  for (const table of TABLES) yield* run(`DELETE FROM ${table}`)
  yield* run(
    `UPDATE background_fills SET done = 0, last = (SELECT MAX(nid) FROM events) WHERE name = 'relations'`,
  )
}

describe('the fill after an upgrade', () => {
  it('finds what the events of before relate to, once, and goes on where it was', async () => {
    const { sending, roomCreation } = test.services
    const { room_id: roomId } = await roomCreation.create(alice, { preset: 'public_chat' })
    let txn = 0
    const send = async (relType?: string, parent = ''): Promise<string> => {
      const relation =
        relType === undefined ? {} : { 'm.relates_to': { rel_type: relType, event_id: parent } }
      const content = { body: 'm.relates_to', 'm.new_content': {}, ...relation }
      const input = { roomId, type: 'm.room.message', content, txnId: `t${++txn}` }
      return (await sending.message(alice, input)).event_id
    }
    const root = await send()
    for (let i = 0; i < 700; i++)
      await send(i % 3 === 0 ? 'm.thread' : i % 3 === 1 ? 'm.replace' : undefined, root)
    const gone = await send('m.thread', root)
    await sending.redact(alice, { roomId, eventId: gone, txnId: 'gone', reason: undefined, extra: {} })
    const expected = await snapshot()
    expect((expected[0] as unknown[]).length).toBe(467)

    await test.store.write('test', () => forget())
    // What comes after the upgrade has its row at once, and is not counted again.
    const reply = await send('m.thread', root)
    await test.store.write('test', function* () {
      yield* run(`UPDATE background_fills SET last = (SELECT MAX(nid) FROM events) WHERE name = 'relations'`)
    })
    const few = { portion: 50, portions: 3 }
    expect(await createRelationsFill(test.store, few).step()).toBe(true)
    const { next } = (await test.store.read('test', () => all<{ next: number }>('SELECT done AS next FROM background_fills')))[0]! // prettier-ignore
    expect(next).toBe(150)
    while (await createRelationsFill(test.store, few).step());
    await sending.redact(alice, { roomId, eventId: reply, txnId: 'reply', reason: undefined, extra: {} })
    expect(await snapshot()).toEqual(expected)
    expect(await createRelationsFill(test.store).step()).toBe(false)
  })
})
