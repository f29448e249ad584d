import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { testServices, type TestServices } from '../../composition/testing.js'
import type { Requester } from '../requester.js'

let node: TestServices
let alice: Requester
let bob: Requester
let carol: Requester
beforeAll(async () => {
  node = await testServices()
  alice = await node.user('alice')
  bob = await node.user('bob')
  carol = await node.user('carol')
})
afterAll(() => node.close())

const reports = (): TestServices['services']['reports'] => node.services.reports

async function roomWithMessage(): Promise<{ roomId: string; eventId: string }> {
  const { room_id: roomId } = await node.services.roomCreation.create(alice, { invite: [bob.userId] })
  await node.services.memberships.join(bob, { room: roomId, via: [] })
  const content = { msgtype: 'm.text', body: 'something bad' }
  const sent = await node.services.sending.message(alice, { roomId, type: 'm.room.message', content, txnId: roomId })
  return { roomId, eventId: sent.event_id }
}

describe('a report', () => {
  it('of an event keeps what the reporter saw, also after it was redacted', async () => {
    const { roomId, eventId } = await roomWithMessage()
    await reports().reportEvent(bob, roomId, eventId, 'this makes me sad')
    await node.services.sending.redact(alice, { roomId, eventId, txnId: 'r', reason: undefined, extra: {} })
    const [report] = await reports().list({ limit: 1 })
    expect(report).toMatchObject({
      kind: 'event',
      reporter: bob.userId,
      room_id: roomId,
      event_id: eventId,
      user_id: alice.userId,
      reason: 'this makes me sad',
    })
    expect(JSON.parse(report!.event_json!)).toMatchObject({ content: { body: 'something bad' }, event_id: eventId })
  })

  it('of an event is refused alike to who is not in the room, and for what is not there', async () => {
    const { roomId, eventId } = await roomWithMessage()
    const other = await roomWithMessage()
    const before = await reports().list({ limit: 1 })
    const errors = await Promise.all(
      (
        [
          [carol, roomId, eventId],
          [carol, '!nowhere:ours.example', eventId],
          [carol, 'nonsense', eventId],
          [bob, roomId, '$nothing'],
          [bob, roomId, other.eventId],
        ] as const
      ).map(([user, room, event]) => reports().reportEvent(user, room, event, 'x').catch((e: unknown) => e)),
    )
    for (const error of errors) {
      expect(error).toMatchObject({ errcode: 'M_NOT_FOUND' })
      expect(error).toEqual(errors[0])
    }
    expect(await reports().list({ limit: 1 })).toEqual(before)
  })

  it('of a room or a user says nothing of whether they exist', async () => {
    const { roomId } = await roomWithMessage()
    for (const room of [roomId, '!nowhere:elsewhere.example'])
      expect(await reports().reportRoom(carol, room, '')).toBeUndefined()
    for (const user of [alice.userId, '@nobody:ours.example', '@x:elsewhere.example'])
      expect(await reports().reportUser(carol, user, 'spam')).toBeUndefined()
    await expect(reports().reportRoom(carol, '#room:ours.example', '')).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
    await expect(reports().reportUser(carol, 'nobody', '')).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
    const kinds = (await reports().list({ limit: 5 })).map((row) => row.kind)
    expect(kinds).toEqual(['user', 'user', 'user', 'room', 'room'])
  })

  it('of the same thing by the same user replaces the one before', async () => {
    await reports().reportUser(bob, '@twice:x.example', 'first')
    await reports().reportUser(bob, '@twice:x.example', 'second')
    await reports().reportUser(carol, '@twice:x.example', 'third')
    const rows = (await reports().list({ limit: 1_000 })).filter((row) => row.user_id === '@twice:x.example')
    expect(rows.map((row) => row.reason).sort()).toEqual(['second', 'third'])
  })

  it('is one of at most 500 of a user, whose own oldest goes', async () => {
    const dora = await node.user('dora')
    await reports().reportUser(bob, '@kept:x.example', 'kept')
    for (let i = 0; i < 503; i++) await reports().reportUser(dora, `@u${i}:x.example`, '')
    const rows = await reports().list({ limit: 1_000 })
    const hers = rows.filter((row) => row.reporter === dora.userId).map((row) => row.user_id)
    expect(hers).toHaveLength(500)
    expect(hers.at(-1)).toBe('@u3:x.example')
    expect(rows.some((row) => row.user_id === '@kept:x.example')).toBe(true)
  })

  it('is listed in pages, and deleted', async () => {
    const [first, second] = await reports().list({ limit: 2 })
    expect(await reports().list({ limit: 1, before: first!.report_id })).toEqual([second])
    expect(await reports().delete(first!.report_id)).toBe(true)
    expect(await reports().delete(first!.report_id)).toBe(false)
    expect((await reports().list({ limit: 1 }))[0]).toEqual(second)
  })
})

