import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Requester } from '../services/requester.js'
import { testServices, type TestServices } from './testing.js'

/** Enough for whatever does not wait for the held answer. */
const A_WHILE = 200
const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, A_WHILE))

let node: TestServices
let alice: Requester
let bob: Requester
let roomId: string
beforeEach(async () => {
  node = await testServices()
  alice = await node.user('alice')
  bob = await node.user('bob')
  roomId = (await node.services.roomCreation.create(alice, { preset: 'public_chat' })).room_id
})
afterEach(() => node.close())

let txn = 0
const say = (from: Requester, body: string, services = node.services): Promise<{ event_id: string }> =>
  services.sending.message(from, {
    roomId,
    type: 'm.room.message',
    content: { msgtype: 'm.text', body },
    txnId: `t${txn++}`,
  })
const topic = (text: string): Promise<{ event_id: string }> =>
  node.services.sending.state(alice, { roomId, type: 'm.room.topic', stateKey: '', content: { topic: text } })
const join = (who: Requester, services = node.services): Promise<unknown> =>
  services.memberships.join(who, { room: roomId, via: [] })

describe('answers of the database that come late', () => {
  it('take nobody out of the room who joined meanwhile', async () => {
    const carol = await node.user('carol')
    await join(carol)
    const { services } = await node.restarted()
    const held = node.store.hold('rooms.roster')
    const typing = services.typingNotices.set(alice, { roomId, userId: alice.userId, timeoutMs: 1_000 })
    await held.reached
    const joining = join(bob, services)
    await Promise.race([joining, aWhile()])
    held.release()
    await Promise.all([typing, joining])
    await say(alice, 'hello', services)
    const answer = await node.sync(bob)
    expect(answer.rooms.join[roomId].unread_notifications.notification_count).toBe(1)
  })

  it('show no room as news for a message that belongs to the next answer', async () => {
    await join(bob)
    const { next_batch: since } = await node.sync(bob)
    const held = node.store.hold('sync.accountData')
    const syncing = node.sync(bob, { since })
    await held.reached
    const { event_id: eventId } = await say(alice, 'after the position of that answer')
    held.release()
    const answer = await syncing
    expect(answer.rooms.join ?? {}).toEqual({})
    const next = await node.sync(bob, { since: answer.next_batch })
    expect(next.rooms.join[roomId].timeline.events).toMatchObject([{ event_id: eventId }])
    expect(next.rooms.join[roomId].unread_notifications.notification_count).toBe(1)
  })

  it('bring nothing back that was redacted meanwhile', async () => {
    const { event_id: eventId } = await say(alice, 'a secret')
    const { services } = await node.restarted()
    const read = (): Promise<{ chunk: readonly unknown[] }> =>
      services.history.messages(alice, { roomId, dir: 'b', limit: 50, filter: {} } as never) as never
    const held = node.store.hold('timeline.page')
    const early = read()
    await held.reached
    const redaction = services.sending.redact(alice, {
      roomId,
      eventId,
      txnId: 'r',
      reason: undefined,
      extra: {},
    })
    await redaction
    held.release()
    await early
    expect(JSON.stringify((await read()).chunk)).not.toContain('a secret')
  })

  it('let a sync miss no change of state that is committed and not yet known to be', async () => {
    const held = node.store.hold('room.persist')
    const change = topic('new')
    await held.reached
    const first = await node.sync(alice, { stateAfter: true })
    held.release()
    await change
    const then = await node.sync(alice, { stateAfter: true, since: first.next_batch })
    const seen = [first, then].flatMap((answer) => answer.rooms.join?.[roomId]?.state_after.events ?? [])
    expect(seen).toContainEqual(
      expect.objectContaining({ content: expect.objectContaining({ topic: 'new' }) }),
    )
  })

  it('let an invite be shown with the membership that it is', async () => {
    const held = node.store.hold('room.persist')
    const invite = node.services.memberships.invite(alice, { roomId, userId: bob.userId })
    await held.reached
    const answer = await node.sync(bob)
    held.release()
    await invite
    const shown =
      answer.rooms.invite?.[roomId] ??
      (await node.sync(bob, { since: answer.next_batch })).rooms.invite[roomId]
    expect(shown.invite_state.events).toContainEqual(
      expect.objectContaining({ type: 'm.room.member', state_key: bob.userId }),
    )
  })

  it('let no kick lift a ban that came first', async () => {
    await join(bob)
    const { memberships } = node.services
    const ban = memberships.ban(alice, { roomId, userId: bob.userId })
    const kick = memberships.kick(alice, { roomId, userId: bob.userId })
    await expect(kick).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await ban
    await expect(join(bob)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
  })

  it('let no unban do anything to who is banned no more', async () => {
    const { memberships } = node.services
    await memberships.ban(alice, { roomId, userId: bob.userId })
    const first = memberships.unban(alice, { roomId, userId: bob.userId })
    const second = memberships.unban(alice, { roomId, userId: bob.userId })
    await expect(second).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await first
    await join(bob)
  })
})
