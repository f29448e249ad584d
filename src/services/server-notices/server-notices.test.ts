import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { testServices, type TestServices } from '../../composition/testing.js'
import type { Requester } from '../requester.js'
import type { Notice } from './server-notices.js'

let node: TestServices
let users = 0
beforeAll(async () => {
  node = await testServices({
    server_notices: {
      localpart: 'notices',
      display_name: 'The ministry',
      room_name: 'Notices',
      avatar_url: 'mxc://ours.example/a',
    },
  })
})
afterAll(() => node.close())

const SENDER = '@notices:ours.example'
const someone = (): Promise<Requester> => node.user(`user${++users}`)
const tell = (userId: string, body: string, more: Partial<Notice> = {}) =>
  node.services.serverNotices.send({ userId, content: { msgtype: 'm.text', body }, ...more })
interface Stripped {
  readonly type: string
  readonly sender: string
  readonly content: object
}
/** The one invite that somebody has. */
async function inviteOf(user: Requester): Promise<{ roomId: string; state: Stripped[] }> {
  const invites = Object.entries((await node.sync(user)).rooms.invite as object)
  expect(invites).toHaveLength(1)
  const [roomId, block] = invites[0]!
  return { roomId, state: (block as { invite_state: { events: Stripped[] } }).invite_state.events }
}

describe('a notice', () => {
  it('reaches a user in a room of theirs, which the server has named and marked', async () => {
    const alice = await someone()
    const { event_id: id } = await tell(alice.userId, 'hello')
    const { roomId, state } = await inviteOf(alice)
    expect(state.every((event) => event.sender === SENDER)).toBe(true)
    expect(state.find((event) => event.type === 'm.room.name')?.content).toEqual({ name: 'Notices' })
    expect(await node.services.accountData.tags(alice.userId, roomId)).toEqual({ 'm.server_notice': {} })
    await node.services.memberships.join(alice, { room: roomId, via: [] })
    const { timeline } = (await node.sync(alice)).rooms.join[roomId]
    expect(timeline.events).toContainEqual(
      expect.objectContaining({
        event_id: id,
        sender: SENDER,
        content: { msgtype: 'm.text', body: 'hello' },
      }),
    )
    // She listens there, and does not speak.
    await expect(
      node.services.sending.message(alice, { roomId, type: 'm.room.message', content: {}, txnId: 'x' }),
    ).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    expect(await node.services.profile.get(SENDER, alice)).toMatchObject({ displayname: 'The ministry' })
  })

  it('comes in the same room ever after, at once or one by one, and after the user has left', async () => {
    const bob = await someone()
    await Promise.all([tell(bob.userId, 'one'), tell(bob.userId, 'two'), tell(bob.userId, 'three')])
    const { roomId } = await inviteOf(bob)
    await node.services.memberships.join(bob, { room: roomId, via: [] })
    await node.services.memberships.leave(bob, { roomId })
    await tell(bob.userId, 'four')
    expect((await inviteOf(bob)).roomId).toBe(roomId)
  })

  it('is sent once for each transaction id of an administrator', async () => {
    const { userId } = await someone()
    const once = { admin: '@admin:ours.example', txnId: '1' }
    const first = await tell(userId, 'once', { once })
    expect(await tell(userId, 'once', { once })).toEqual(first)
    expect(await tell(userId, 'once', { once: { ...once, txnId: '2' } })).not.toEqual(first)
    expect(await tell(userId, 'once', { once: { ...once, admin: '@other:ours.example' } })).not.toEqual(first)
  })

  it('reaches those who want no invites', async () => {
    const carol = await someone()
    await node.services.accountData.set(carol.userId, '', 'm.invite_permission_config', {
      default_action: 'block',
    })
    await expect(tell(carol.userId, 'all the same')).resolves.toMatchObject({ event_id: expect.any(String) })
  })

  it('may set state', async () => {
    const { userId } = await someone()
    const { event_id: id } = await tell(userId, 'pinned')
    await node.services.serverNotices.send({
      userId,
      type: 'm.room.pinned_events',
      stateKey: '',
      content: { pinned: [id] },
    })
  })

  it.each([
    ['of another server', '@x:elsewhere.example', 'M_INVALID_PARAM'],
    ['that is none', 'x', 'M_INVALID_PARAM'],
    ['that is not there', '@nobody:ours.example', 'M_NOT_FOUND'],
    ['that is the server itself', SENDER, 'M_INVALID_PARAM'],
  ])('is refused for a user %s', async (_what, userId, errcode) => {
    await expect(tell(userId, 'x')).rejects.toMatchObject({ errcode })
  })
})

describe('the invite to the room of notices', () => {
  it('cannot be rejected in any way, while others can', async () => {
    const [dora, eve] = [await someone(), await someone()]
    await tell(dora.userId, 'stay')
    const { roomId } = await inviteOf(dora)
    const refused = { errcode: 'M_CANNOT_LEAVE_SERVER_NOTICE_ROOM', status: 403 }
    const { memberships, roomCreation } = node.services
    await expect(memberships.leave(dora, { roomId })).rejects.toMatchObject(refused)
    await expect(
      memberships.put(dora, { roomId, userId: dora.userId, content: { membership: 'leave' } }),
    ).rejects.toMatchObject(refused)
    const { room_id: other } = await roomCreation.create(eve, { invite: [dora.userId] })
    await memberships.leave(dora, { roomId: other })
    expect((await inviteOf(dora)).roomId).toBe(roomId)
  })
})

describe('a server without notices', () => {
  it('says so', async () => {
    const plain = await testServices()
    const { userId } = await plain.user('x')
    await expect(plain.services.serverNotices.send({ userId, content: {} })).rejects.toMatchObject({
      errcode: 'M_UNKNOWN',
      status: 400,
    })
    await plain.close()
  })
})
