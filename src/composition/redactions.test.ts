import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Requester } from '../services/requester.js'
import { testServices, type TestServices } from './testing.js'

let node: TestServices
let alice: Requester
let bob: Requester
let roomId: string
beforeAll(async () => {
  node = await testServices()
  alice = await node.user('alice')
  bob = await node.user('bob')
  roomId = await sharedRoom()
})
afterAll(() => node.close())

async function sharedRoom(): Promise<string> {
  const { room_id: id } = await node.services.roomCreation.create(alice, { preset: 'public_chat' })
  await node.services.memberships.join(bob, { room: id, via: [] })
  return id
}

let txn = 0
const say = async (who: Requester, room = roomId): Promise<string> =>
  (
    await node.services.sending.message(who, {
      roomId: room,
      type: 'm.room.message',
      content: { msgtype: 'm.text', body: 'x' },
      txnId: `s${txn++}`,
    })
  ).event_id

const WAYS: readonly (readonly [string, (who: Requester, eventId: string) => Promise<unknown>])[] = [
  [
    '/redact',
    (who, eventId) =>
      node.services.sending.redact(who, {
        roomId,
        eventId,
        txnId: `r${txn++}`,
        reason: undefined,
        extra: {},
      }),
  ],
  [
    '/send/m.room.redaction',
    (who, eventId) =>
      node.services.sending.message(who, {
        roomId,
        type: 'm.room.redaction',
        content: { redacts: eventId },
        txnId: `r${txn++}`,
      }),
  ],
]

const contentOf = async (eventId: string): Promise<unknown> => {
  const { rooms } = await node.sync(alice, { filter: { room: { timeline: { limit: 50 } } } })
  const { events } = rooms.join[roomId].timeline
  return events.find((event: { event_id: string }) => event.event_id === eventId).content
}

describe.each(WAYS)('a suspended user, by %s', (_way, redact) => {
  const suspended = (): Requester => ({ ...bob, isSuspended: true })

  it('may take back what they wrote', async () => {
    const own = await say(bob)
    await redact(suspended(), own)
    expect(await contentOf(own)).toEqual({})
  })

  it('is refused alike for what others wrote, what is in another room and what does not exist', async () => {
    const other = await sharedRoom()
    const theirs = await say(alice)
    for (const id of [theirs, await say(bob, other), await say(alice, other), `$${'A'.repeat(43)}`])
      await expect(redact(suspended(), id)).rejects.toMatchObject({ errcode: 'M_USER_SUSPENDED' })
    expect(await contentOf(theirs)).toMatchObject({ body: 'x' })
  })
})

describe('a user without the power to redact', () => {
  it.each(WAYS)('is refused alike, by %s, for all that is not their own', async (_way, redact) => {
    const other = await sharedRoom()
    const ids = [await say(alice), await say(bob, other), await say(alice, other), `$${'A'.repeat(43)}`]
    const refusals = await Promise.all(ids.map((id) => redact(bob, id).catch((error: unknown) => error)))
    expect(refusals[0]).toMatchObject({ errcode: 'M_FORBIDDEN' })
    for (const refusal of refusals) expect(refusal).toEqual(refusals[0])
  })
})
