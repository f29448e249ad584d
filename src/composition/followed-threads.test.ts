import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../core/json/value.js'
import { createJudge } from '../services/pushers/judge.js'
import type { Requester } from '../services/requester.js'
import { testServices, type TestServices } from './testing.js'

const FOLLOWED = '.io.element.msc4306.rule.subscribed_thread'

let node: TestServices
let alice: Requester
let users = 0
let txn = 0
beforeAll(async () => {
  node = await testServices({ push: { followed_threads: true } })
  alice = await node.user('alice')
})
afterAll(() => node.close())

/** A room with a thread, with somebody who has said nothing in it. */
async function withThread(): Promise<{ bob: Requester; roomId: string; root: string }> {
  const bob = await node.user(`bob${++users}`)
  const { roomCreation, memberships } = node.services
  const carol = await node.user(`carol${users}`)
  const { room_id: roomId } = await roomCreation.create(alice, { preset: 'public_chat' })
  for (const who of [bob, carol]) await memberships.join(who, { room: roomId, via: [] })
  const root = await say(roomId, {})
  await node.services.receipts.set(bob, {
    roomId,
    type: 'm.read',
    eventId: root,
    threadId: undefined,
  })
  return { bob, roomId, root }
}
async function say(roomId: string, content: JsonObject): Promise<string> {
  const sent = await node.services.sending.message(alice, {
    roomId,
    type: 'm.room.message',
    content: { msgtype: 'm.text', body: 'x', ...content },
    txnId: `${++txn}`,
  })
  return sent.event_id
}
const inThread = (root: string, more: JsonObject = {}): JsonObject => ({
  'm.relates_to': { rel_type: 'm.thread', event_id: root },
  ...more,
})
const naming = (who: Requester): JsonObject => ({ 'm.mentions': { user_ids: [who.userId] } })

/** What the client is told of unread messages: in the main timeline, and by thread. */
async function unread(who: Requester, roomId: string): Promise<unknown> {
  const filter = { room: { timeline: { unread_thread_notifications: true } } }
  const room = (await node.sync(who, { filter })).rooms.join[roomId]
  return { main: room.unread_notifications.notification_count, threads: room.unread_thread_notifications }
}
/** Whether a push gateway is told, by the rules of now. */
async function isPushed(who: Requester, roomId: string, eventId: string): Promise<boolean> {
  const { context, pushRules } = node.built.rooms
  const judge = await createJudge({ context, pushRules }).forRoom((await context.loader.load(roomId))!)
  const stored = await context.events.byId(eventId)
  return (await judge.judge(stored!.event, [who.userId])).has(who.userId)
}
const muteRoom = (who: Requester, roomId: string): Promise<void> =>
  node.services.ruleEditor.put(
    who.userId,
    'override',
    'mute',
    {
      conditions: [{ kind: 'event_match', key: 'room_id', pattern: roomId }],
      actions: [],
    },
    {},
  )

describe('a thread that somebody does not follow', () => {
  it('tells them of nothing but what names them', async () => {
    const { bob, roomId, root } = await withThread()
    const plain = await say(roomId, inThread(root))
    expect(await unread(bob, roomId)).toEqual({ main: 0, threads: {} })
    expect(await isPushed(bob, roomId, plain)).toBe(false)
    const named = await say(roomId, inThread(root, naming(bob)))
    expect(await unread(bob, roomId)).toEqual({
      main: 0,
      threads: { [root]: { notification_count: 1, highlight_count: 1 } },
    })
    expect(await isPushed(bob, roomId, named)).toBe(true)
  })

  it('leaves the main timeline as it is', async () => {
    const { bob, roomId } = await withThread()
    await say(roomId, {})
    expect(await unread(bob, roomId)).toMatchObject({ main: 1 })
  })
})

describe('a thread that somebody follows', () => {
  it('tells them of everything, and the same when it is counted again', async () => {
    const { bob, roomId, root } = await withThread()
    const { threadSubscriptions, receipts } = node.services
    await threadSubscriptions.subscribe(bob, { roomId, root }, undefined)
    const first = await say(roomId, inThread(root))
    await say(roomId, inThread(root))
    expect(await isPushed(bob, roomId, first)).toBe(true)
    const two = { main: 0, threads: { [root]: { notification_count: 2, highlight_count: 0 } } }
    expect(await unread(bob, roomId)).toEqual(two)
    await receipts.set(bob, { roomId, type: 'm.read', eventId: first, threadId: root })
    expect(await unread(bob, roomId)).toEqual({
      main: 0,
      threads: { [root]: { notification_count: 1, highlight_count: 0 } },
    })
    await threadSubscriptions.unsubscribe(bob, { roomId, root })
    expect(await isPushed(bob, roomId, first)).toBe(false)
  })

  it('does so in a room whose other messages they have muted by a rule for it', async () => {
    const { bob, roomId, root } = await withThread()
    await node.services.ruleEditor.put(bob.userId, 'room', roomId, { actions: [] }, {})
    await node.services.threadSubscriptions.subscribe(bob, { roomId, root }, undefined)
    await say(roomId, {})
    const told = await say(roomId, inThread(root))
    expect(await unread(bob, roomId)).toEqual({
      main: 0,
      threads: { [root]: { notification_count: 1, highlight_count: 0 } },
    })
    expect(await isPushed(bob, roomId, told)).toBe(true)
  })

  it('does not where they have muted everything, or switched the rule off', async () => {
    const { bob, roomId, root } = await withThread()
    await node.services.threadSubscriptions.subscribe(bob, { roomId, root }, undefined)
    await muteRoom(bob, roomId)
    expect(await isPushed(bob, roomId, await say(roomId, inThread(root)))).toBe(false)
    await node.services.ruleEditor.remove(bob.userId, 'override', 'mute')
    expect(await isPushed(bob, roomId, await say(roomId, inThread(root)))).toBe(true)
    await node.services.ruleEditor.put(bob.userId, 'room', roomId, { actions: [] }, {})
    await node.services.ruleEditor.setEnabled(bob.userId, 'postcontent', FOLLOWED, false)
    expect(await isPushed(bob, roomId, await say(roomId, inThread(root)))).toBe(false)
    expect(await node.services.ruleEditor.get(bob.userId, 'postcontent', FOLLOWED)).toMatchObject({
      enabled: false,
    })
  })
})

describe('the rules of threads', () => {
  it('are those of the server: nobody adds one or removes one', async () => {
    const { ruleEditor } = node.services
    await expect(
      ruleEditor.put(alice.userId, 'postcontent', 'own', { actions: [] }, {}),
    ).rejects.toMatchObject({
      errcode: 'M_INVALID_PARAM',
    })
    await expect(ruleEditor.remove(alice.userId, 'postcontent', FOLLOWED)).rejects.toMatchObject({
      errcode: 'M_NOT_FOUND',
    })
    expect(await node.built.rooms.pushRules.of(alice.userId)).toHaveProperty('postcontent')
    expect(node.services.serverInfo.versions()).toMatchObject({
      unstable_features: { 'org.matrix.msc4306': true },
    })
  })

  it('are not there where the setting is off', async () => {
    const plain = await testServices()
    const dora = await plain.user('dora')
    expect(await plain.built.rooms.pushRules.of(dora.userId)).not.toHaveProperty('postcontent')
    expect(JSON.stringify(plain.services.serverInfo.versions())).not.toContain('msc4306')
    await expect(plain.services.ruleEditor.get(dora.userId, 'postcontent', FOLLOWED)).rejects.toMatchObject({
      errcode: 'M_NOT_FOUND',
    })
    await plain.close()
  })
})
