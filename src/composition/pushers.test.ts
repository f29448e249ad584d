import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../core/json/value.js'
import type { Requester } from '../services/requester.js'
import { startGateway, type TestGateway } from '../services/pushers/testing-gateway.js'
import { all } from '../storage/tx.js'
import { testServices, type TestServices } from './testing.js'

let node: TestServices
let gateway: TestGateway
let users = 0
async function startNode(): Promise<void> {
  node = await testServices({
    push: { allow_http: true, retry: { initial: '100ms', max: '400ms' } },
    federation: { allowed_ip_ranges: ['127.0.0.0/8'] },
  })
  await node.built.push.start()
}
beforeAll(startNode)
afterAll(() => node.close())
afterEach(() => gateway.stop())

const pusher = (url: string, more: JsonObject = {}): JsonObject => ({
  kind: 'http',
  app_id: 'org.example.app',
  pushkey: 'key',
  app_display_name: 'App',
  device_display_name: 'Phone',
  lang: 'en',
  ...more,
  data: { url, ...(more['data'] as JsonObject | undefined) },
})

/** Two people in a room, the second with a pusher. */
async function pair(more: JsonObject = {}): Promise<{ alice: Requester; bob: Requester; roomId: string }> {
  gateway = await startGateway()
  users++
  const alice = await node.user(`alice${users}`)
  const bob = await node.user(`bob${users}`)
  const { roomCreation, memberships, pushers } = node.services
  const { room_id: roomId } = await roomCreation.create(alice, { name: 'Tea', invite: [bob.userId] })
  await memberships.join(bob, { room: roomId, via: [] })
  await pushers.set(bob, pusher(gateway.url, { pushkey: `key${users}`, ...more }))
  return { alice, bob, roomId }
}

let txn = 0
const say = (from: Requester, roomId: string, body: string, content: JsonObject = {}) =>
  node.services.sending.message(from, {
    roomId,
    type: 'm.room.message',
    content: { msgtype: 'm.text', body, ...content },
    txnId: String(++txn),
  })
const eventsOf = (target: TestGateway): string[] =>
  target.got.filter((item) => item.status === 200).map((item) => item.body.notification.event_id as string)
const staged = () => node.store.read('test', () => all('SELECT * FROM push_staging'))
/** What waits for the people of this test: those of others may have lost their gateway. */
const queued = () =>
  node.store.read('test', () =>
    all(
      `SELECT p.pusher_id FROM pushers p LEFT JOIN push_queue q ON q.pusher_id = p.pusher_id
       WHERE p.user_id LIKE ? AND (q.pos IS NOT NULL OR p.badge_due > 0)`,
      `%${users}:%`,
    ),
  )
/** Nothing is under way. */
async function quiet(): Promise<void> {
  const deadline = Date.now() + 30_000
  for (let calm = 0; calm < 3;) {
    await delay(20)
    calm = (await staged()).length > 0 || (await queued()).length > 0 ? 0 : calm + 1
    if (Date.now() > deadline) throw new Error('something is under way without end')
  }
}

describe('a gateway', () => {
  it('is told of a message with all that the specification names, and of nothing else', async () => {
    const { alice, bob, roomId } = await pair({ data: { brand: 'x', default_payload: { aps: 1 } } })
    await say(bob, roomId, 'my own')
    const { event_id: id } = await say(alice, roomId, 'hello')
    const [first] = await gateway.until(1)
    expect(first!.path).toBe('/_matrix/push/v1/notify')
    expect(first!.body.notification).toMatchObject({
      event_id: id,
      room_id: roomId,
      type: 'm.room.message',
      sender: alice.userId,
      room_name: 'Tea',
      prio: 'high',
      content: { body: 'hello' },
      counts: { unread: 1 },
    })
    const [device] = first!.body.notification.devices
    expect(device).toEqual({
      app_id: 'org.example.app',
      pushkey: `key${users}`,
      pushkey_ts: expect.any(Number),
      data: { brand: 'x', default_payload: { aps: 1 } },
      tweaks: { sound: 'default' },
    })
    await quiet()
    expect(gateway.got).toHaveLength(1)
  })

  it('is told the ids alone where it asked for that', async () => {
    const { alice, roomId } = await pair({ data: { format: 'event_id_only' } })
    const { event_id: id } = await say(alice, roomId, 'secret')
    const [first] = await gateway.until(1)
    const { devices, ...rest } = first!.body.notification
    expect(rest).toEqual({ event_id: id, room_id: roomId, prio: 'high', counts: { unread: 1 } })
    expect(devices[0].data).toEqual({ format: 'event_id_only' })
  })

  it('counts what is unread, and hears when it was read, once', async () => {
    const { alice, bob, roomId } = await pair()
    await say(alice, roomId, 'one')
    const { event_id: last } = await say(alice, roomId, 'two')
    await gateway.until(2)
    await node.services.receipts.set(bob, { roomId, type: 'm.read.private', eventId: last })
    const [, , badge] = await gateway.until(3)
    expect(badge!.body.notification).toMatchObject({ counts: { unread: 0 } })
    expect(badge!.body.notification).not.toHaveProperty('event_id')
    await node.services.receipts.set(bob, { roomId, type: 'm.read', eventId: last })
    await quiet()
    expect(gateway.got).toHaveLength(3)
    await say(alice, roomId, 'three')
    await gateway.until(4)
    await say(bob, roomId, 'an answer reads too')
    expect((await gateway.until(5))[4]!.body.notification.counts).toEqual({ unread: 0 })
  })

  it('is told of invites, and of what the rules single out', async () => {
    const { alice, bob } = await pair()
    const { room_id: roomId } = await node.services.roomCreation.create(alice, { invite: [bob.userId] })
    const [invite] = await gateway.until(1)
    expect(invite!.body.notification).toMatchObject({
      room_id: roomId,
      type: 'm.room.member',
      user_is_target: true,
      content: { membership: 'invite' },
    })
    await node.services.memberships.join(bob, { room: roomId, via: [] })
    await say(alice, roomId, 'you!', { 'm.mentions': { user_ids: [bob.userId] } })
    const [, mention] = await gateway.until(2)
    expect(mention!.body.notification.devices[0].tweaks).toEqual({ sound: 'default', highlight: true })
    await node.services.ruleEditor.put(bob.userId, 'room', roomId, { actions: [] }, {})
    await say(alice, roomId, 'psst')
    await quiet()
    expect(gateway.got).toHaveLength(2)
  })

  it('is told of an invite from a server that shares no room', async () => {
    const { bob } = await pair()
    await node.built.rooms.outside.put({
      roomId: '!far:away.example',
      rules: node.built.rooms.context.defaultVersion,
      userId: bob.userId,
      membership: 'invite',
      sender: '@eve:away.example',
      strippedState: [
        { type: 'm.room.name', state_key: '', sender: '@eve:away.example', content: { name: 'Far' } },
      ],
    })
    const [invite] = await gateway.until(1)
    expect(invite!.body.notification).toMatchObject({
      room_id: '!far:away.example',
      room_name: 'Far',
      sender: '@eve:away.example',
      user_is_target: true,
    })
  })
})

describe('a gateway that fails', () => {
  it('is asked again until it answers, in order, and is told nothing twice', async () => {
    const { alice, roomId } = await pair()
    await gateway.answer({ status: 503 })
    const { event_id: one } = await say(alice, roomId, 'one')
    const { event_id: two } = await say(alice, roomId, 'two')
    await gateway.until(3)
    expect(gateway.got.map((item) => item.body.notification.event_id)).toEqual([one, one, one])
    await gateway.answer({})
    await quiet()
    expect(eventsOf(gateway)).toEqual([one, two])
  })

  it('is told after a restart of both what it has missed, once', async () => {
    const { alice, roomId } = await pair()
    const { port } = gateway
    await say(alice, roomId, 'zero')
    await gateway.until(1)
    await quiet()
    await gateway.stop()
    const { event_id: one } = await say(alice, roomId, 'one')
    await delay(50)
    await node.built.push.close()
    const { event_id: two } = await say(alice, roomId, 'two')
    gateway = await startGateway(port)
    const again = await node.restarted()
    await again.push.start()
    await gateway.until(2)
    await delay(200)
    expect(eventsOf(gateway)).toEqual([one, two])
    expect(await queued()).toEqual([])
    await again.push.close()
    // The tests that follow have a node that pushes.
    await node.close()
    await startNode()
  })

  it('by being slow holds up nobody else', async () => {
    const { alice, roomId } = await pair()
    await gateway.answer({ delayMs: 600_000 })
    const slow = gateway
    const carol = await node.user(`carol${users}`)
    await node.services.memberships.invite(alice, { roomId, userId: carol.userId })
    await node.services.memberships.join(carol, { room: roomId, via: [] })
    const fast = await startGateway()
    try {
      await node.services.pushers.set(carol, pusher(fast.url, { pushkey: 'carol' }))
      const began = Date.now()
      await say(alice, roomId, 'one')
      await fast.until(1)
      // After 10 s the slow one is given up.
      expect(Date.now() - began).toBeLessThan(9_000)
      await slow.until(1)
    } finally {
      await fast.stop()
    }
  })

  it('by rejecting a key ends its pusher', async () => {
    const { alice, bob, roomId } = await pair()
    await gateway.answer({ rejected: ['another key'] })
    await say(alice, roomId, 'one')
    await gateway.until(1)
    await quiet()
    expect(await node.services.pushers.list(bob.userId)).toHaveLength(1)
    await gateway.answer({ rejected: [`key${users}`] })
    await say(alice, roomId, 'two')
    await gateway.until(2)
    await quiet()
    expect(await node.services.pushers.list(bob.userId)).toEqual([])
    await say(alice, roomId, 'three')
    await quiet()
    expect(gateway.got).toHaveLength(2)
  })

  it('hears nothing of what was read meanwhile', async () => {
    const { alice, bob, roomId } = await pair()
    await gateway.answer({ status: 500 })
    const { event_id: one } = await say(alice, roomId, 'one')
    await gateway.until(1)
    await node.services.receipts.set(bob, { roomId, type: 'm.read', eventId: one })
    await gateway.answer({})
    await quiet()
    expect(eventsOf(gateway)).toEqual([])
  })
})

describe('a pusher', () => {
  it('replaces those of others with its key unless it is one more, and is removed with kind null', async () => {
    const { alice, bob } = await pair()
    const { pushers } = node.services
    const wish = pusher(gateway.url, { pushkey: `key${users}` })
    await pushers.set(alice, { ...wish, append: true, profile_tag: 'tag' })
    expect(await pushers.list(bob.userId)).toHaveLength(1)
    expect(await pushers.list(alice.userId)).toEqual([{ ...wish, profile_tag: 'tag' }])
    await pushers.set(alice, { ...wish, lang: 'fr' })
    expect(await pushers.list(bob.userId)).toEqual([])
    expect(await pushers.list(alice.userId)).toMatchObject([{ lang: 'fr' }])
    await pushers.set(alice, { kind: null, app_id: 'org.example.app', pushkey: `key${users}` })
    expect(await pushers.list(alice.userId)).toEqual([])
  })

  it('says nothing to a locked account, not even what waited', async () => {
    const { alice, bob, roomId } = await pair()
    await node.services.accounts.moderation.set('@admin:x.example', bob.userId, 'locked', true)
    await say(alice, roomId, 'while it is locked')
    await quiet()
    expect(await queued()).toEqual([])
    await node.services.accounts.moderation.set('@admin:x.example', bob.userId, 'locked', false)
    const { event_id: after } = await say(alice, roomId, 'afterwards')
    await quiet()
    expect(eventsOf(gateway)).toEqual([after])
  })

  it('goes with the session that set it', async () => {
    const { bob } = await pair()
    const { pushers, devices } = node.services
    const session = { ...bob, deviceId: 'PHONE' }
    await devices.createOrRename(bob.userId, 'PHONE', undefined)
    await pushers.set(session, pusher(gateway.url, { pushkey: 'of the phone' }))
    expect(await pushers.list(bob.userId)).toHaveLength(2)
    await devices.delete(bob.userId, ['PHONE'])
    expect(await pushers.list(bob.userId)).toMatchObject([{ pushkey: `key${users}` }])
    await node.services.accounts.credentials.deactivate(bob.userId, false)
    expect(await pushers.list(bob.userId)).toEqual([])
  })

  it.each([
    ['without TLS', 'ftp://gateway.example/_matrix/push/v1/notify', 'M_INVALID_PARAM'],
    ['with another path', 'https://gateway.example/notify', 'M_INVALID_PARAM'],
    ['in a private network', 'https://10.0.0.1/_matrix/push/v1/notify', 'M_INVALID_PARAM'],
    ['at an address in disguise', 'https://[::ffff:10.0.0.1]/_matrix/push/v1/notify', 'M_INVALID_PARAM'],
    ['with a password', 'https://a:b@gateway.example/_matrix/push/v1/notify', 'M_INVALID_PARAM'],
    ['that is none', 'gateway', 'M_INVALID_PARAM'],
  ])('is refused with a gateway %s', async (_what, url, errcode) => {
    const { bob } = await pair()
    await expect(node.services.pushers.set(bob, pusher(url))).rejects.toMatchObject({ errcode })
  })

  it.each([
    ['nothing', {}, 'M_INVALID_PARAM'],
    ['no app', { kind: 'http', pushkey: 'x' }, 'M_MISSING_PARAM'],
    ['no names', { kind: 'http', pushkey: 'x', app_id: 'x' }, 'M_MISSING_PARAM'],
    [
      'a long key',
      { ...pusher('https://x.example/_matrix/push/v1/notify'), pushkey: 'x'.repeat(513) },
      'M_INVALID_PARAM',
    ],
    [
      'a long app',
      { ...pusher('https://x.example/_matrix/push/v1/notify'), app_id: 'x'.repeat(65) },
      'M_INVALID_PARAM',
    ],
    ['no url', { ...pusher(''), data: {} }, 'M_MISSING_PARAM'],
    [
      'another kind',
      { ...pusher('https://x.example/_matrix/push/v1/notify'), kind: 'sms' },
      'M_INVALID_PARAM',
    ],
    [
      'mail, which is not sent here',
      { ...pusher(''), kind: 'email', app_id: 'm.email', pushkey: 'a@b.example' },
      'M_UNKNOWN',
    ],
  ])('is refused with %s', async (_what, body, errcode) => {
    const { bob } = await pair()
    await expect(node.services.pushers.set(bob, body)).rejects.toMatchObject({ errcode })
  })
})

describe('rooms without anybody who has a pusher', () => {
  it('cost nothing: nothing is noted for them', async () => {
    gateway = await startGateway()
    await node.built.push.close()
    const zoe = await node.user('zoe')
    const { room_id: roomId } = await node.services.roomCreation.create(zoe, {})
    await say(zoe, roomId, 'alone')
    expect(await staged()).toEqual([])
  })
})
