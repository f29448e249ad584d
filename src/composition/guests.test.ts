import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { until } from '../platform/testing-until.js'
import type { Requester } from '../services/requester.js'
import { run } from '../storage/tx.js'
import { insertUser } from '../storage/tables/users.js'
import { testServices, type TestServices } from './testing.js'

let node: TestServices
let alice: Requester
let guests = 0
beforeAll(async () => {
  node = await testServices()
  alice = await node.user('alice')
})
afterAll(() => node.close())

async function guest(): Promise<Requester> {
  const userId = `@${String(++guests).padStart(16, '0')}:ours.example`
  await node.store.write('test.guest', () =>
    insertUser({
      userId,
      passwordHash: null,
      createdTs: 0,
      isGuest: true,
      isAdmin: false,
      appserviceId: null,
    }),
  )
  return { ...alice, userId, isGuest: true }
}

const room = async (access: string | undefined): Promise<string> => {
  const { room_id: roomId } = await node.services.roomCreation.create(alice, {
    preset: 'public_chat',
    ...(access === undefined
      ? {}
      : { initial_state: [{ type: 'm.room.guest_access', content: { guest_access: access } }] }),
  })
  return roomId
}

const setAccess = (roomId: string, access: string): Promise<{ event_id: string }> =>
  node.services.sending.state(alice, {
    roomId,
    type: 'm.room.guest_access',
    stateKey: '',
    content: { guest_access: access },
  })

const joinedRooms = (user: Requester): Promise<readonly string[]> =>
  node.services.memberships.joinedRooms(user.userId)

describe('guests', () => {
  it('join rooms that let them in, and send there', async () => {
    const visitor = await guest()
    const roomId = await room('can_join')
    await node.services.memberships.join(visitor, { room: roomId, via: [] })
    const content = { msgtype: 'm.text', body: 'hello' }
    await node.services.sending.message(visitor, { roomId, type: 'm.room.message', content, txnId: '1' })
    expect(await joinedRooms(visitor)).toEqual([roomId])
  })

  it('join no other rooms, in whichever way, and learn nothing of them', async () => {
    const visitor = await guest()
    const forbidden = { errcode: 'M_GUEST_ACCESS_FORBIDDEN' }
    const { memberships } = node.services
    for (const roomId of [await room('forbidden'), await room(undefined), '!nowhere:elsewhere.example']) {
      await expect(memberships.join(visitor, { room: roomId, via: ['x.example'] })).rejects.toMatchObject(
        forbidden,
      )
      await expect(
        memberships.put(visitor, { roomId, userId: visitor.userId, content: { membership: 'join' } }),
      ).rejects.toMatchObject(forbidden)
    }
    expect(await joinedRooms(visitor)).toEqual([])
  })

  it('invite and remove nobody', async () => {
    const visitor = await guest()
    const roomId = await room('can_join')
    await node.services.memberships.join(visitor, { room: roomId, via: [] })
    for (const membership of ['invite', 'leave', 'ban'])
      await expect(
        node.services.memberships.put(visitor, {
          roomId,
          userId: '@x:ours.example',
          content: { membership },
        }),
      ).rejects.toMatchObject({ errcode: 'M_GUEST_ACCESS_FORBIDDEN' })
  })

  it('leave when the room no longer lets them in, and nobody else does', async () => {
    const [one, two, bob] = [await guest(), await guest(), await node.user('bob')]
    const roomId = await room('can_join')
    for (const user of [one, two, bob]) await node.services.memberships.join(user, { room: roomId, via: [] })
    await setAccess(roomId, 'forbidden')
    await until(async () => (await joinedRooms(one)).length + (await joinedRooms(two)).length === 0)
    expect(await joinedRooms(bob)).toContain(roomId)
    expect(await joinedRooms(alice)).toContain(roomId)
  })

  it('leave after a restart, where the process ended before they did', async () => {
    const visitor = await guest()
    const roomId = await room('forbidden')
    await setAccess(roomId, 'can_join')
    await node.services.memberships.join(visitor, { room: roomId, via: [] })
    // As a crash right after the change would leave it: an ordinary user meanwhile, so that nothing is done.
    await node.store.write('test', () =>
      run('UPDATE users SET is_guest = 0 WHERE user_id = ?', visitor.userId),
    )
    await setAccess(roomId, 'forbidden')
    await node.store.write('test', () =>
      run('UPDATE users SET is_guest = 1 WHERE user_id = ?', visitor.userId),
    )
    await node.services.guests.checkAll()
    expect(await joinedRooms(visitor)).toEqual([])
  })
})
