import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../core/json/value.js'
import { startMailServer, type TestMailServer } from '../services/mail/testing-smtp.js'
import type { Requester } from '../services/requester.js'
import { insertThreepid } from '../storage/tables/threepids.js'
import { testServices, type TestServices } from './testing.js'

/** Longer than it takes to read a message here, on however busy a machine. */
const MAIL_DELAY = 1_500

let node: TestServices
let mail: TestMailServer
let users = 0
let txn = 0
beforeAll(async () => {
  mail = await startMailServer({ tls: 'off' })
  node = await testServices({
    mail: { host: 'localhost', port: mail.port, tls: 'off', from: 'matrix@ours.example' },
    push: { mail_delay: `${MAIL_DELAY}ms` },
  })
  await node.built.push.start()
})
afterAll(async () => {
  await node.built.mailer?.close()
  await node.close()
  await mail.close()
})

async function pair(): Promise<{ alice: Requester; bob: Requester; roomId: string; address: string }> {
  users++
  const alice = await node.user(`alice${users}`)
  const bob = await node.user(`bob${users}`)
  const address = `bob${users}@mail.example`
  await node.store.write('test', () =>
    insertThreepid({ medium: 'email', address, user_id: bob.userId, validated_ts: 1, added_ts: 1 }),
  )
  const { roomCreation, memberships } = node.services
  const { room_id: roomId } = await roomCreation.create(alice, { invite: [bob.userId] })
  await memberships.join(bob, { room: roomId, via: [] })
  return { alice, bob, roomId, address }
}
const say = (from: Requester, roomId: string, body: string, content: JsonObject = {}) =>
  node.services.sending.message(from, {
    roomId,
    type: 'm.room.message',
    content: { msgtype: 'm.text', body, ...content },
    txnId: String(++txn),
  })
const pusher = (address: string): JsonObject => ({
  kind: 'email',
  app_id: 'm.email',
  pushkey: address,
  app_display_name: 'Mail',
  device_display_name: 'Mail',
  lang: 'en',
  data: {},
})

describe('mail about what is unread', () => {
  it('comes once for all that has come meanwhile, without anything that others wrote', async () => {
    const { alice, bob, roomId, address } = await pair()
    await node.services.pushers.set(bob, pusher(address.toUpperCase()))
    expect(await node.services.pushers.list(bob.userId)).toMatchObject([{ kind: 'email', pushkey: address }])
    const before = mail.mails.length
    await Promise.all([say(alice, roomId, 'buy now: http://evil.example'), say(alice, roomId, 'and now')])
    const got = await mail.mail(before)
    expect(got.to).toEqual([address])
    expect(got.text).toContain('2 notifications in one room')
    expect(got.text).toContain(alice.userId)
    expect(got.text).not.toContain('evil')
    // The next one waits for much longer.
    await say(alice, roomId, 'three')
    await delay(MAIL_DELAY * 1.5)
    expect(mail.mails).toHaveLength(before + 1)

    const token = /unsubscribe\?token=(\w+)/.exec(got.text)![1]!
    const head = got.raw.slice(0, got.raw.indexOf('\r\n\r\n')).replaceAll(/\r\n\s+/g, ' ')
    expect(head).toMatch(
      new RegExp(`^List-Unsubscribe: <https?://\\S+/_chancery/email/unsubscribe\\?token=${token}>$`, 'm'),
    )
    expect(head).toMatch(/^List-Unsubscribe-Post: List-Unsubscribe=One-Click$/m)
    expect(await node.services.pushers.unsubscribeTarget(token)).toEqual({ address })
    expect(await node.services.pushers.unsubscribeTarget('wrong')).toBeUndefined()
    expect(await node.services.pushers.unsubscribe(token)).toBe(true)
    expect(await node.services.pushers.unsubscribe(token)).toBe(false)
    expect(await node.services.pushers.list(bob.userId)).toEqual([])
  })

  it('does not come when all was read in time', async () => {
    const { alice, bob, roomId, address } = await pair()
    await node.services.pushers.set(bob, pusher(address))
    const before = mail.mails.length
    const { event_id: eventId } = await say(alice, roomId, 'one')
    await node.services.receipts.set(bob, { roomId, type: 'm.read.private', eventId })
    await delay(MAIL_DELAY * 1.5)
    expect(mail.mails).toHaveLength(before)
  })

  it('goes to an address of the account alone, and to none that was taken away', async () => {
    const { alice, bob, roomId, address } = await pair()
    await expect(node.services.pushers.set(alice, pusher(address))).rejects.toMatchObject({
      errcode: 'M_THREEPID_NOT_FOUND',
    })
    await node.services.pushers.set(bob, pusher(address))
    await node.services.threepids.remove(bob.userId, 'email', address)
    const before = mail.mails.length
    await say(alice, roomId, 'one')
    await delay(MAIL_DELAY * 1.5)
    expect(mail.mails).toHaveLength(before)
    expect(await node.services.pushers.list(bob.userId)).toEqual([])
  })
})

describe('/notifications', () => {
  const list = (user: Requester, page: { from?: string; limit?: number; only?: string } = {}) =>
    node.services.notifications.list(user, { limit: 20, ...page })

  it('lists what notified a user, newest first, with what was read', async () => {
    const { alice, bob, roomId } = await pair()
    const { event_id: one } = await say(alice, roomId, 'one')
    await say(bob, roomId, 'my own')
    const { event_id: two } = await say(alice, roomId, 'two')
    const { room_id: other } = await node.services.roomCreation.create(alice, { invite: [bob.userId] })
    await say(alice, other, 'before you came')
    await node.services.memberships.join(bob, { room: other, via: [] })
    const { event_id: three } = await say(alice, other, 'three', { 'm.mentions': { user_ids: [bob.userId] } })
    await node.services.receipts.set(bob, { roomId, type: 'm.read', eventId: one })
    const { notifications } = await list(bob)
    expect(notifications.map((item) => [(item['event'] as JsonObject)['event_id'], item['read']])).toEqual([
      [three, false],
      [two, false],
      [one, true],
    ])
    expect(notifications[2]).toMatchObject({
      room_id: roomId,
      ts: expect.any(Number),
      actions: ['notify', { set_tweak: 'sound', value: 'default' }],
      event: { sender: alice.userId, content: { body: 'one' } },
    })
    expect(notifications[2]!['event']).not.toHaveProperty('room_id')
    const highlights = await list(bob, { only: 'highlight' })
    expect(highlights.notifications.map((item) => (item['event'] as JsonObject)['event_id'])).toEqual([three])
    expect((await list(alice)).notifications).toHaveLength(1)
  })

  it('comes in pages that hold everything once', async () => {
    const { alice, bob, roomId } = await pair()
    const { room_id: other } = await node.services.roomCreation.create(alice, { invite: [bob.userId] })
    await node.services.memberships.join(bob, { room: other, via: [] })
    const sent: string[] = []
    for (let i = 0; i < 11; i++) sent.push((await say(alice, i % 3 === 0 ? other : roomId, `m${i}`)).event_id)
    const seen: unknown[] = []
    let from: string | undefined
    for (let pages = 0; pages < 10; pages++) {
      const page = await list(bob, { limit: 4, ...(from === undefined ? {} : { from }) })
      seen.push(...page.notifications.map((item) => (item['event'] as JsonObject)['event_id']))
      from = page.next_token
      if (from === undefined) break
    }
    expect(from).toBeUndefined()
    expect(seen).toEqual(sent.toReversed())
    await expect(list(bob, { from: 'x' })).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
  })

  it('is empty for who was never told of anything', async () => {
    expect(await list(await node.user('nobody'))).toEqual({ notifications: [] })
  })
})
