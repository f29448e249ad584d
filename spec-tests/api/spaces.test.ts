import { expect } from '@jest/globals'
import { call, type User } from '../harness/client.js'
import { createRoom, enc, inRoom, refusal, section, v3 } from '../harness/section.js'

const v1 = (path: string): string => `/_matrix/client/v1${path}`
const hierarchy = (roomId: string): string => v1(`/rooms/${enc(roomId)}/hierarchy`)
const space = (owner: User, body: object = {}): Promise<string> =>
  createRoom(owner, { preset: 'public_chat', creation_content: { type: 'm.space' }, ...body })
const idsIn = (answer: { rooms: { room_id: string }[] }): string[] => answer.rooms.map((room) => room.room_id)

async function link(
  owner: User,
  parent: string,
  child: string,
  via: string,
  content: object = {},
): Promise<void> {
  await owner.ok('PUT', inRoom(parent, `state/m.space.child/${enc(child)}`), { via: [via], ...content })
}

const rules = (content: object): object => ({
  initial_state: [{ type: 'm.room.join_rules', state_key: '', content }],
})

section('Spaces', 'client-server-api/#spaces', (operation) => {
  operation('getSpaceHierarchy', 'GET /_matrix/client/v1/rooms/{roomId}/hierarchy', (cases) => {
    cases.success('shows the rooms in a space in their order, and in the spaces within', async (server) => {
      const alice = await server.user('alice')
      const root = await space(alice, { name: 'Root' })
      const [second, inner, leaf] = [
        await createRoom(alice, { name: 'Second' }),
        await space(alice),
        await createRoom(alice),
      ]
      await link(alice, root, second, server.serverName, { order: 'b' })
      await link(alice, root, inner, server.serverName, { order: 'a' })
      await link(alice, inner, leaf, server.serverName)
      await link(alice, inner, root, server.serverName)
      const answer = await alice.ok('GET', hierarchy(root))
      expect(idsIn(answer)).toEqual([root, inner, leaf, second])
      expect(answer.rooms[0]).toMatchObject({
        name: 'Root',
        room_type: 'm.space',
        num_joined_members: 1,
        join_rule: 'public',
        ...(server.own && { room_version: expect.any(String) }),
      })
      expect(answer.rooms[0].children_state[0]).toMatchObject({
        type: 'm.space.child',
        state_key: inner,
        sender: alice.userId,
        content: { via: [server.serverName], order: 'a' },
      })
    })
    cases.success('comes in pages, as deep as asked, and of suggested rooms alone', async (server) => {
      const alice = await server.user('alice')
      const root = await space(alice)
      const rooms = [await createRoom(alice), await createRoom(alice), await createRoom(alice)]
      for (const [i, room] of rooms.entries())
        await link(alice, root, room, server.serverName, { order: `${i}`, suggested: i === 1 })
      const first = await alice.ok('GET', hierarchy(root), undefined, { limit: 2 })
      expect(idsIn(first)).toEqual([root, rooms[0]])
      const rest = await alice.ok('GET', hierarchy(root), undefined, { limit: 2, from: first.next_batch })
      expect(idsIn(rest)).toEqual([rooms[1], rooms[2]])
      expect(rest.next_batch).toBeUndefined()
      expect(idsIn(await alice.ok('GET', hierarchy(root), undefined, { max_depth: 0 }))).toEqual([root])
      expect(idsIn(await alice.ok('GET', hierarchy(root), undefined, { suggested_only: true }))).toEqual([root, rooms[1]]) // prettier-ignore
    })
    cases.authorisation('hides rooms that the user may not see, and tells them from none', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const root = await space(alice)
      const secret = await createRoom(alice, { preset: 'private_chat' })
      const knock = await createRoom(alice, { preset: 'private_chat', ...rules({ join_rule: 'knock' }) })
      const members = await createRoom(alice, {
        preset: 'private_chat',
        ...rules({ join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: root }] }),
      })
      for (const [i, room] of [secret, knock, members].entries())
        await link(alice, root, room, server.serverName, { order: `${i}` })
      expect(idsIn(await bob.ok('GET', hierarchy(root)))).toEqual([root, knock])
      await bob.ok('POST', inRoom(root, 'join'))
      const seen = await bob.ok('GET', hierarchy(root))
      expect(idsIn(seen)).toEqual([root, knock, members])
      expect(seen.rooms[2]).toMatchObject({ join_rule: 'restricted', allowed_room_ids: [root] })
      const refused = await refusal(bob.call('GET', hierarchy(secret)), 403, 'M_FORBIDDEN')
      const unknown = `!none:${server.serverName}`
      const none = await refusal(bob.call('GET', hierarchy(unknown)), 403, 'M_FORBIDDEN')
      expect(refused.body.error.replace(secret, '')).toBe(none.body.error.replace(unknown, ''))
    })
    cases.error('refuses a foreign token, and what changes between pages', async (server) => {
      const alice = await server.user('alice')
      const root = await space(alice)
      const room = await createRoom(alice)
      await link(alice, root, room, server.serverName)
      const { next_batch: from } = await alice.ok('GET', hierarchy(root), undefined, { limit: 1 })
      for (const query of [{ from: 'nothing' }, { from, suggested_only: true }, { from, max_depth: 7 }])
        await refusal(alice.call('GET', hierarchy(root), { query }), 400, 'M_INVALID_PARAM')
    })
    cases.error('refuses a limit that is not greater than zero', async (server) => {
      const alice = await server.user('alice')
      const root = await space(alice)
      await refusal(alice.call('GET', hierarchy(root), { query: { limit: 0 } }), 400, 'M_INVALID_PARAM')
    })
  })

  operation(
    'getRoomSummary',
    'GET /_matrix/client/v1/room_summary/{roomIdOrAlias}',
    (cases) => {
      const summary = (room: string): string => v1(`/room_summary/${enc(room)}`)
      cases.success('tells what a room is, with and without a log-in', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const name = `summary-${Date.now().toString(36)}`
        const roomId = await createRoom(alice, { preset: 'public_chat', room_alias_name: name, name: 'Hall' })
        const expected = {
          room_id: roomId,
          name: 'Hall',
          join_rule: 'public',
          num_joined_members: 1,
          canonical_alias: `#${name}:${server.serverName}`,
          ...(server.own && { room_version: expect.any(String) }),
        }
        expect(await alice.ok('GET', summary(roomId))).toMatchObject({ ...expected, membership: 'join' })
        const alias = `#${name}:${server.serverName}`
        expect(await bob.ok('GET', summary(alias))).toMatchObject({ ...expected, membership: 'leave' })
        const anybody = await call(server.url, 'GET', summary(roomId))
        expect(anybody).toMatchObject({ status: 200, body: expected })
        expect(anybody.body).not.toHaveProperty('membership')
      })
      cases.authorisation('tells one who may not see a room what it tells of none', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const secret = await createRoom(alice, { preset: 'private_chat' })
        const refused = await refusal(bob.call('GET', summary(secret)), 404, 'M_NOT_FOUND')
        const none = await refusal(bob.call('GET', summary(`!none:${server.serverName}`)), 404, 'M_NOT_FOUND')
        expect(refused.body).toEqual(none.body)
        await refusal(call(server.url, 'GET', summary(secret)), 404, 'M_NOT_FOUND')
      })
      cases.error('refuses what is neither id nor alias', async (server) => {
        const alice = await server.user('alice')
        await refusal(alice.call('GET', summary('room')), 400, 'M_INVALID_PARAM')
      })
    },
    { auth: 'none' },
  )
})

section('Room upgrades', 'client-server-api/#room-upgrades', (operation) => {
  operation('upgradeRoom', 'POST /_matrix/client/v3/rooms/{roomId}/upgrade', (cases) => {
    const upgrade = (user: User, roomId: string, body: object) =>
      user.call('POST', inRoom(roomId, 'upgrade'), { body })
    cases.success('makes a room like the old one, and ends that', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const name = `upgrade-${Date.now().toString(36)}`
      const old = await createRoom(alice, { preset: 'public_chat', room_version: '10', name: 'Old', room_alias_name: name }) // prettier-ignore
      await bob.ok('POST', inRoom(old, 'join'))
      await alice.ok('PUT', v3(`/user/${enc(alice.userId)}/rooms/${enc(old)}/tags/m.favourite`), {
        order: 0.5,
      })
      const { body } = await upgrade(alice, old, { new_version: '11' })
      const made: string = body.replacement_room
      const create = await alice.ok('GET', inRoom(made, 'state/m.room.create'))
      expect(create).toMatchObject({ room_version: '11', predecessor: { room_id: old } })
      expect(await alice.ok('GET', inRoom(made, 'state/m.room.name'))).toEqual({ name: 'Old' })
      expect(await bob.ok('GET', inRoom(old, 'state/m.room.tombstone'))).toMatchObject({
        replacement_room: made,
      })
      const alias = `#${name}:${server.serverName}`
      expect((await bob.ok('GET', v3(`/directory/room/${enc(alias)}`))).room_id).toBe(made)
      await refusal(
        bob.call('PUT', inRoom(old, 'send/m.room.message/after'), { body: { msgtype: 'm.text', body: 'x' } }),
        403,
        'M_FORBIDDEN',
      )
      await bob.ok('POST', inRoom(made, 'join'))
      expect((await alice.ok('GET', v3(`/user/${enc(alice.userId)}/rooms/${enc(made)}/tags`))).tags).toEqual({ 'm.favourite': { order: 0.5 } }) // prettier-ignore
    })
    cases.success('names creators of version 12', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const old = await createRoom(alice, { room_version: '11' })
      const { body } = await upgrade(alice, old, { new_version: '12', additional_creators: [bob.userId] })
      const create = await alice.ok('GET', inRoom(body.replacement_room, 'state/m.room.create'))
      expect(create.additional_creators).toEqual([bob.userId])
      const levels = await alice.ok('GET', inRoom(body.replacement_room, 'state/m.room.power_levels'))
      expect(levels.users).toEqual({})
    })
    cases.error('knows no unknown version', async (server) => {
      const alice = await server.user('alice')
      const room = await createRoom(alice)
      await refusal(upgrade(alice, room, { new_version: 'nope' }), 400, 'M_UNSUPPORTED_ROOM_VERSION')
      await refusal(upgrade(alice, room, {}), 400, 'M_MISSING_PARAM', 'M_BAD_JSON')
    })
    cases.authorisation('is for those with the power to end the room', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const room = await createRoom(alice, { preset: 'public_chat' })
      await refusal(upgrade(bob, room, { new_version: '11' }), 403, 'M_FORBIDDEN')
      await bob.ok('POST', inRoom(room, 'join'))
      await refusal(upgrade(bob, room, { new_version: '11' }), 403, 'M_FORBIDDEN')
    })
  })
})
