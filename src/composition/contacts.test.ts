import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Requester } from '../services/requester.js'
import type { JsonObject } from '../core/json/value.js'
import { one } from '../storage/tx.js'
import { testServices, type TestServices } from './testing.js'

let node: TestServices
let alice: Requester
beforeAll(async () => {
  node = await testServices()
  alice = await node.user('alice')
})
afterAll(() => node.close())

describe('invites to who wants none', () => {
  const block = (user: Requester, action: string | undefined): Promise<void> =>
    node.services.accountData.set(user.userId, '', 'm.invite_permission_config', {
      ...(action === undefined ? {} : { default_action: action }),
    })

  it('are refused everywhere, and those that are there already are not shown', async () => {
    const eve = await node.user('eve')
    const { room_id: old } = await node.services.roomCreation.create(alice, { invite: [eve.userId] })
    expect(Object.keys((await node.sync(eve)).rooms.invite as object)).toEqual([old])
    await block(eve, 'block')
    const { room_id: roomId } = await node.services.roomCreation.create(alice, {})
    const blocked = { errcode: 'M_INVITE_BLOCKED' }
    const { memberships } = node.services
    await expect(memberships.invite(alice, { roomId, userId: eve.userId })).rejects.toMatchObject(blocked)
    await expect(
      memberships.put(alice, { roomId, userId: eve.userId, content: { membership: 'invite' } }),
    ).rejects.toMatchObject(blocked)
    await expect(node.services.roomCreation.create(alice, { invite: [eve.userId] })).rejects.toMatchObject(
      blocked,
    )
    expect((await node.sync(eve)).rooms?.invite).toBeUndefined()
    // A room that she may join anyway is no invite.
    const { room_id: open } = await node.services.roomCreation.create(alice, { preset: 'public_chat' })
    await memberships.join(eve, { room: open, via: [] })
    expect((await node.sync(eve)).rooms.join).toHaveProperty([open])
    await block(eve, undefined)
    await memberships.invite(alice, { roomId, userId: eve.userId })
    expect(Object.keys((await node.sync(eve)).rooms.invite as object).sort()).toEqual([old, roomId].sort())
  })

  it('are taken where the setting is one that nobody knows', async () => {
    const fred = await node.user('fred')
    await block(fred, 'perhaps')
    await expect(node.services.roomCreation.create(alice, { invite: [fred.userId] })).resolves.toBeDefined()
  })
})

describe('invites by the lists of users and servers', () => {
  const filter = (user: Requester, lists: JsonObject): Promise<void> =>
    node.services.accountData.set(user.userId, '', 'org.matrix.msc4155.invite_permission_config', lists)

  it('are refused, or taken and shown nowhere, until the lists change', async () => {
    const { memberships, roomCreation, initialSync } = node.services
    const [ivan, mallory] = [await node.user('ivan'), await node.user('mallory')]
    await filter(ivan, { blocked_users: [mallory.userId], ignored_users: [alice.userId] })
    const { room_id: roomId } = await roomCreation.create(mallory, {})
    await expect(memberships.invite(mallory, { roomId, userId: ivan.userId })).rejects.toMatchObject({
      errcode: 'M_INVITE_BLOCKED',
    })
    const { room_id: silent } = await roomCreation.create(alice, { invite: [ivan.userId] })
    expect((await node.sync(ivan)).rooms?.invite).toBeUndefined()
    expect(await initialSync.all(ivan, { archived: false })).toMatchObject({ rooms: [] })
    await filter(ivan, {})
    expect(Object.keys((await node.sync(ivan)).rooms.invite as object)).toEqual([silent])
    await memberships.invite(mallory, { roomId, userId: ivan.userId })
    expect(Object.keys((await node.sync(ivan)).rooms.invite as object).sort()).toEqual(
      [silent, roomId].sort(),
    )
  })
})

describe('rooms in common', () => {
  it('are those that both have joined', async () => {
    const gina = await node.user('gina')
    const hugo = await node.user('hugo')
    const { mutualRooms, roomCreation, memberships } = node.services
    expect(await mutualRooms.with(gina.userId, hugo.userId, undefined)).toEqual({ joined: [], count: 0 })
    const rooms: string[] = []
    for (let i = 0; i < 3; i++) {
      const { room_id: room } = await roomCreation.create(gina, { invite: [hugo.userId] })
      rooms.push(room)
      if (i < 2) await memberships.join(hugo, { room, via: [] })
    }
    const both = rooms.slice(0, 2).sort()
    expect(await mutualRooms.with(gina.userId, hugo.userId, undefined)).toEqual({ joined: both, count: 2 })
    const from = Buffer.from(both[0]!).toString('base64url')
    expect(await mutualRooms.with(hugo.userId, gina.userId, from)).toEqual({ joined: [both[1]], count: 2 })
    await memberships.leave(hugo, { roomId: both[0]! })
    expect((await mutualRooms.with(gina.userId, hugo.userId, undefined)).joined).toEqual([both[1]])
    expect(await mutualRooms.with(gina.userId, '@nobody:x.example', undefined)).toEqual({
      joined: [],
      count: 0,
    })
    for (const [other, token] of [
      ['hugo', undefined],
      [gina.userId, undefined],
      [hugo.userId, 'x'],
      [hugo.userId, ''],
    ] as const)
      await expect(mutualRooms.with(gina.userId, other, token)).rejects.toMatchObject({
        errcode: 'M_INVALID_PARAM',
      })
  })
})

describe('an OpenID token', () => {
  it('says who its user is, for an hour, while the account is open', async () => {
    const { openId } = node.services
    const issued = await openId.issue(alice.userId)
    expect(issued).toEqual({
      access_token: expect.stringMatching(/^cho_[A-Za-z0-9]{40}$/),
      token_type: 'Bearer',
      matrix_server_name: 'ours.example',
      expires_in: 3_600,
    })
    expect(await openId.userOf(issued.access_token)).toBe(alice.userId)
    const unknown = { errcode: 'M_UNKNOWN_TOKEN' }
    await expect(openId.userOf(`${issued.access_token}x`)).rejects.toMatchObject(unknown)
    const ian = await node.user('ian')
    const his = await openId.issue(ian.userId)
    await node.services.accounts.credentials.deactivate(ian.userId, false)
    await expect(openId.userOf(his.access_token)).rejects.toMatchObject(unknown)
    await expect(
      node.services.accounts.authenticate(issued.access_token, {
        allowLocked: false,
        ip: '192.0.2.1',
        userAgent: undefined,
        masquerade: { userId: undefined, deviceId: undefined },
      }),
    ).rejects.toMatchObject(unknown)
  })

  it('is one of fifty of a user at most', async () => {
    const { openId } = node.services
    const jan = await node.user('jan')
    for (let i = 0; i < 55; i++) await openId.issue(jan.userId)
    const row = await node.store.read('test', () =>
      one<{ n: number }>('SELECT COUNT(*) AS n FROM openid_tokens WHERE user_id = ?', jan.userId),
    )
    expect(row).toEqual({ n: 50 })
  })
})
