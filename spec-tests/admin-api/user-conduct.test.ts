import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createRoom, enc, eventually, inRoom, register, sendText, v3, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'
import { refusal, sharedRoom } from '../harness/section.js'
import { administrator, ADMIN_CONFIG } from './administrator.js'

const admin = (path: string): string => `/_synapse/admin/v1${path}`

let node: Node
let root: User
let alice: User
let bob: User
beforeAll(async () => {
  node = await startNode({ config: ADMIN_CONFIG })
  root = await administrator(node.url)
  alice = await register(node.url, 'alice')
  bob = await register(node.url, 'bob')
})
afterAll(() => node.dispose())

describe('how much somebody invites and joins', () => {
  const count = async (user: User, name: string, from = 0): Promise<number> => {
    const path = admin(`/users/${enc(user.userId)}/${name}`)
    const answer = await root.ok('GET', path, undefined, { from_ts: from })
    return answer[name === 'sent_invite_count' ? 'invite_count' : name]
  }

  it('is counted since a moment, whatever became of it', async () => {
    const carol = await register(node.url, 'carol')
    expect(await count(carol, 'sent_invite_count')).toBe(0)
    expect(await count(carol, 'cumulative_joined_room_count')).toBe(0)
    const own = await createRoom(carol, { invite: [alice.userId] })
    await carol.ok('POST', inRoom(own, 'invite'), { user_id: bob.userId })
    const other = await sharedRoom(alice, [carol])
    await carol.ok('PUT', v3(`/profile/${enc(carol.userId)}/displayname`), { displayname: 'Carol' })
    await carol.ok('POST', inRoom(other, 'leave'))
    expect(await count(carol, 'sent_invite_count')).toBe(2)
    expect(await count(carol, 'cumulative_joined_room_count')).toBe(2)
    const later = Date.now() + 3_600_000
    expect(await count(carol, 'sent_invite_count', later)).toBe(0)
    expect(await count(carol, 'cumulative_joined_room_count', later)).toBe(0)
  })

  it('is that of somebody of this server', async () => {
    const ask = (userId: string, query = 'from_ts=0') =>
      root.call('GET', admin(`/users/${enc(userId)}/sent_invite_count?${query}`))
    await refusal(ask(`@nobody:${node.serverName}`), 404, 'M_NOT_FOUND')
    await refusal(ask('@x:elsewhere.example'), 400, 'M_INVALID_PARAM')
    await refusal(ask(alice.userId, 'from_ts=-1'), 400, 'M_INVALID_PARAM')
    await refusal(ask(alice.userId, ''), 400, 'M_MISSING_PARAM')
  })
})

describe('what somebody said', () => {
  const path = (userId: string): string => admin(`/user/${enc(userId)}/redact`)

  it('is taken back in all rooms, in the background', async () => {
    const roomId = await sharedRoom(alice, [bob])
    const [spam, ham] = [await sendText(bob, roomId, 'spam'), await sendText(alice, roomId, 'ham')]
    const { redact_id: id } = await root.ok('POST', path(bob.userId), { rooms: [], reason: 'it was spam' })
    const status = await eventually('the redactions', async () => {
      const found = await root.ok('GET', admin(`/user/redact_status/${id}`))
      return found.status === 'complete' && found
    })
    expect(status).toEqual({ status: 'complete', failed_redactions: {}, redacted: 1 })
    const event = (eventId: string) => alice.ok('GET', v3(`/rooms/${enc(roomId)}/event/${enc(eventId)}`))
    const gone = await event(spam)
    expect(gone.content).toEqual({})
    expect(gone.unsigned.redacted_because).toMatchObject({
      sender: bob.userId,
      content: { reason: 'it was spam' },
    })
    expect((await event(ham)).content.body).toBe('ham')
    await sendText(bob, roomId, 'the room goes on')
  })

  it('is taken back by a right request of an administrator alone', async () => {
    await refusal(root.call('POST', path(bob.userId), { body: {} }), 400, 'M_MISSING_PARAM')
    await refusal(root.call('POST', path(bob.userId), { body: { rooms: 'x' } }), 400, 'M_BAD_JSON')
    await refusal(root.call('POST', path(bob.userId), { body: { rooms: ['x'] } }), 400, 'M_INVALID_PARAM')
    await refusal(root.call('POST', path('nonsense'), { body: { rooms: [] } }), 400, 'M_INVALID_PARAM')
    await refusal(
      root.call('POST', path(`@nobody:${node.serverName}`), { body: { rooms: [] } }),
      404,
      'M_NOT_FOUND',
    )
    await refusal(alice.call('POST', path(bob.userId), { body: { rooms: [] } }), 403, 'M_FORBIDDEN')
    await refusal(root.call('GET', admin('/user/redact_status/none')), 404, 'M_NOT_FOUND')
  })
})

describe('features for single users', () => {
  const path = (userId: string): string => admin(`/experimental_features/${enc(userId)}`)

  it('are not there, and none can be switched', async () => {
    expect(await root.ok('GET', path(alice.userId))).toEqual({ features: {} })
    expect(await root.ok('PUT', path(alice.userId), { features: {} })).toEqual({})
    await refusal(
      root.call('PUT', path(alice.userId), { body: { features: { msc3881: true } } }),
      400,
      'M_INVALID_PARAM',
    )
    await refusal(root.call('GET', path(`@nobody:${node.serverName}`)), 404, 'M_NOT_FOUND')
  })
})
