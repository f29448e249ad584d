import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Requester } from '../services/requester.js'
import { upsertMemberships } from '../storage/tables/memberships.js'
import { all } from '../storage/tx.js'
import { TEST_SERVER, testServices, type TestServices } from './testing.js'

const OTHER = 'other.example'

describe('who is on the red list', () => {
  let node: TestServices
  let hidden: Requester
  let friend: Requester
  let stranger: Requester
  beforeAll(async () => {
    node = await testServices({ directory: { red_list: true } })
    ;[hidden, friend, stranger] = [
      await node.user('hidden'),
      await node.user('friend'),
      await node.user('eve'),
    ]
    const { profile, accountData, roomCreation, memberships } = node.services
    await profile.setField(hidden, hidden.userId, 'displayname', 'Hildegard')
    await accountData.set(hidden.userId, '', 'im.vector.hide_profile', { hide_profile: true })
    const { room_id: shared } = await roomCreation.create(friend, { invite: [hidden.userId] })
    await memberships.join(hidden, { room: shared, via: [] })
    // All of these are in one room that anybody finds.
    const { room_id: forum } = await roomCreation.create(friend, {
      preset: 'public_chat',
      visibility: 'public',
    })
    await memberships.join(hidden, { room: forum, via: [] })
  })
  afterAll(() => node.close())

  const unknown = { errcode: 'M_NOT_FOUND', message: 'The user does not exist' }
  const search = (requester: Requester, term: string) =>
    node.services.userDirectory.search(requester.userId, term, 10)

  it('does not exist for those who share no room with them, as somebody who really does not', async () => {
    const { profile } = node.services
    for (const asker of [stranger, undefined]) {
      await expect(profile.get(hidden.userId, asker)).rejects.toMatchObject(unknown)
      await expect(profile.getField(hidden.userId, 'displayname', asker)).rejects.toMatchObject(unknown)
      await expect(profile.get(`@nobody:${TEST_SERVER}`, asker)).rejects.toMatchObject(unknown)
    }
  })

  it('does not exist where clients and members ask how accounts are', async () => {
    const asked = [hidden.userId, friend.userId, `@nobody:${TEST_SERVER}`]
    for (const answer of [node.services.userStates.of(asked), node.services.userStates.ofLocal(asked)])
      expect(await answer).toEqual({ [friend.userId]: { expired: false, deactivated: false } })
  })

  it('is known to those who share a room, and to themselves', async () => {
    const { profile } = node.services
    for (const asker of [friend, hidden])
      expect(await profile.get(hidden.userId, asker)).toEqual({ displayname: 'Hildegard' })
  })

  it('is found in the directory by nobody', async () => {
    for (const asker of [friend, stranger])
      for (const term of ['hilde', hidden.userId])
        expect(await search(asker, term)).toEqual({ results: [], limited: false })
  })

  it('does not exist for other servers, unless one of their users shares a room, and the very one where they say which', async () => {
    const { profile } = node.services
    const ask = (server: string, userId?: string) =>
      profile.queryLocal(hidden.userId, undefined, { kind: 'server', server, userId })
    await expect(ask(OTHER)).rejects.toMatchObject(unknown)
    await expect(ask(OTHER, friend.userId)).rejects.toMatchObject(unknown)
    await node.store.write('test.member', function* () {
      const [room] = yield* all<{ nid: number }>('SELECT room_nid AS nid FROM memberships LIMIT 1')
      yield* upsertMemberships([
        {
          ...{ room_nid: room!.nid, user_id: `@bo:${OTHER}`, membership: 'join', event_nid: null, pos: 1 },
          ...{ sender: `@bo:${OTHER}`, server: OTHER, local: 0, forgotten: 0, stripped_state: null },
        },
      ])
    })
    expect(await ask(OTHER)).toEqual({ displayname: 'Hildegard' })
    expect(await ask(OTHER, `@bo:${OTHER}`)).toEqual({ displayname: 'Hildegard' })
    await expect(ask(OTHER, `@cem:${OTHER}`)).rejects.toMatchObject(unknown)
    await expect(ask('third.example', `@bo:${OTHER}`)).rejects.toMatchObject(unknown)
  })

  it('is not betrayed by the invite that a stranger sends them', async () => {
    const { roomCreation, history } = node.services
    const { room_id: trap } = await roomCreation.create(stranger, { invite: [hidden.userId] })
    const key = { type: 'm.room.member', stateKey: hidden.userId }
    const invite = await history.stateEvent(stranger, trap, key, 'content')
    expect(invite).toEqual({ membership: 'invite' })
  })

  it('is found again once they want to be', async () => {
    const { accountData, profile } = node.services
    await accountData.set(hidden.userId, '', 'im.vector.hide_profile', { hide_profile: false })
    expect(await profile.get(hidden.userId, undefined)).toEqual({ displayname: 'Hildegard' })
    expect(await search(stranger, 'hilde')).toMatchObject({ results: [{ user_id: hidden.userId }] })
    await accountData.set(hidden.userId, '', 'im.vector.hide_profile', { hide_profile: true })
    expect(await search(stranger, 'hilde')).toMatchObject({ results: [] })
    await accountData.delete(hidden.userId, '', 'im.vector.hide_profile')
    expect(await search(stranger, 'hilde')).toMatchObject({ results: [{ user_id: hidden.userId }] })
  })
})

it('a server without a red list tells of everybody', async () => {
  const node = await testServices()
  try {
    const shy = await node.user('shy')
    await node.services.profile.setField(shy, shy.userId, 'displayname', 'Shy')
    await node.services.accountData.set(shy.userId, '', 'im.vector.hide_profile', { hide_profile: true })
    expect(await node.services.profile.get(shy.userId, undefined)).toEqual({ displayname: 'Shy' })
  } finally {
    await node.close()
  }
})
