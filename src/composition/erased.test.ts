import { Readable } from 'node:stream'
import { expect, it } from '@jest/globals'
import { until } from '../platform/testing-until.js'
import { TEST_SERVER, testServices, type TestServices } from './testing.js'

/**
 * What stays of an account that was closed and erased, column by column, as docs/ministries.md lists it. Another column here is a decision, and a line there.
 */
const REMAINS: Readonly<Record<string, string>> = {
  'audit_log.entry': 'what the person did and what was done to them, for as long as the audit log is kept',
  'client_transactions.user_id': 'for a day',
  'events.json': 'what was said in rooms, which belongs to these; it goes by retention',
  'events.sender': 'as above',
  'events.state_key': 'memberships: that the person was in a room, and left',
  'legal_holds.target': 'a hold on the person',
  'media.user_id': 'files that others may still look at; they go by retention, or by an administrator',
  'memberships.sender': 'that the person left',
  'memberships.user_id': 'as above',
  'search_docs.words': 'who said what is found, as long as it is there',
  'state_deltas.state_key': 'changes of memberships, for clients that come back',
  'state_keys.state_key': 'the name of a membership',
  'users.user_id': 'that the name was taken: nobody gets it again',
}

async function columnsWith(node: TestServices, text: string): Promise<string[]> {
  const query = (sql: string): Promise<readonly Record<string, unknown>[]> =>
    node.store.read('test', function* () {
      const result = yield { sql, params: [], kind: 'rows' }
      return result.rows as readonly Record<string, unknown>[]
    })
  const tables =
    node.store.dialect === 'sqlite'
      ? await query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'search_words%'")
      : await query('SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()')
  const found = new Set<string>()
  for (const { name } of tables) {
    for (const row of await query(`SELECT * FROM ${String(name)}`))
      for (const [column, value] of Object.entries(row)) {
        const held = value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value)
        if (held.toLowerCase().includes(text)) found.add(`${String(name)}.${column}`)
      }
  }
  return [...found].toSorted()
}

it('of an account that is closed and erased nothing stays but what is listed', async () => {
  const node = await testServices({ audit: { enabled: true } })
  const { services } = node
  const zoe = await node.user('zoe')
  const ana = await node.user('ana')
  await services.profile.setField(zoe, zoe.userId, 'displayname', 'Zoe the eraser')
  await services.accountData.set(zoe.userId, '', 'org.example.notes', { text: 'private notes' })
  const { room_id: roomId } = await services.roomCreation.create(ana, { invite: [zoe.userId] })
  await services.memberships.join(zoe, { room: roomId, via: [] })
  const { event_id: eventId } = await services.sending.message(zoe, {
    roomId,
    type: 'm.room.message',
    content: { msgtype: 'm.text', body: 'what zoe said' },
    txnId: 'a',
  })
  await services.receipts.setMarkers(zoe, { roomId, read: eventId, fullyRead: eventId })
  await services.search.indexer.follow()
  await services.media.upload({
    userId: zoe.userId,
    body: Readable.from([Buffer.from('a file')]),
    declaredLength: undefined,
    contentType: 'text/plain',
    fileName: 'zoes-file.txt',
  })
  await services.accounts.credentials.deactivate(zoe.userId, true)
  await until(async () => {
    const left = await services.history.members(ana, roomId, { membership: 'leave' })
    return left.some((event) => event['state_key'] === zoe.userId)
  })
  await services.accounts.credentials.resumeDeactivations()
  const page = await services.history.members(ana, roomId, {})
  expect(JSON.stringify(page)).not.toContain('"join","displayname":"Zoe')
  const remains = await columnsWith(node, `@zoe:${TEST_SERVER}`)
  expect(remains.filter((column) => REMAINS[column] === undefined)).toEqual([])
  expect(remains).toEqual(expect.arrayContaining(['events.sender', 'users.user_id']))
  expect(await columnsWith(node, 'private notes')).toEqual([])
  // The name stands in the memberships of then.
  expect(await columnsWith(node, 'zoe the eraser')).toEqual(['events.json'])
  await node.close()
})
