import { expect } from '@jest/globals'
import { type Answer, type User } from '../harness/client.js'
import { createRoom, inRoom, refusal, section, v3 } from '../harness/section.js'

let counter = 0
const aliasName = (): string => `alias-${Date.now().toString(36)}-${counter++}`
const state = (user: User, roomId: string, type: string): Promise<Answer> =>
  user.call('GET', inRoom(roomId, `state/${type}/`))

section('Creation', 'client-server-api/#creation', (operation) => {
  operation('createRoom', 'POST /_matrix/client/v3/createRoom', ({ success, error }) => {
    success('makes a room with all that was asked for', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const name = aliasName()
      const { room_id: roomId } = await alice.ok('POST', v3('/createRoom'), {
        name: 'The name',
        topic: 'The topic',
        room_alias_name: name,
        preset: 'private_chat',
        invite: [bob.userId],
        initial_state: [{ type: 'org.example.state', state_key: 'k', content: { x: 1 } }],
        creation_content: { 'org.example.field': 1 },
        room_version: '11',
        power_level_content_override: { events_default: 7 },
      })
      expect((await state(alice, roomId, 'm.room.name')).body).toEqual({ name: 'The name' })
      expect((await state(alice, roomId, 'm.room.topic')).body.topic).toBe('The topic')
      expect((await state(alice, roomId, 'm.room.join_rules')).body).toEqual({ join_rule: 'invite' })
      expect((await state(alice, roomId, 'm.room.create')).body).toMatchObject({
        room_version: '11',
        'org.example.field': 1,
      })
      expect((await state(alice, roomId, 'm.room.power_levels')).body).toMatchObject({
        events_default: 7,
        users: { [alice.userId]: 100 },
      })
      expect((await state(alice, roomId, 'm.room.canonical_alias')).body.alias).toBe(
        `#${name}:${server.serverName}`,
      )
      expect(await alice.ok('GET', inRoom(roomId, 'state/org.example.state/k'))).toEqual({ x: 1 })
      const { rooms } = await bob.ok('GET', v3('/sync'))
      expect(Object.keys(rooms.invite)).toEqual([roomId])
    })
    error('refuses versions, aliases and invites that cannot be', async (server) => {
      const alice = await server.user('alice')
      const create = (body: unknown): Promise<Answer> => alice.call('POST', v3('/createRoom'), { body })
      await refusal(create({ room_version: 'none' }), 400, 'M_UNSUPPORTED_ROOM_VERSION')
      await refusal(create({ invite: 'x' }), 400, 'M_BAD_JSON', 'M_INVALID_PARAM')
      await refusal(create('x'), 400, 'M_NOT_JSON')
      const name = aliasName()
      const roomId = await createRoom(alice, { room_alias_name: name })
      const alias = encodeURIComponent(`#${name}:${server.serverName}`)
      expect((await alice.ok('GET', v3(`/directory/room/${alias}`))).room_id).toBe(roomId)
      await refusal(create({ room_alias_name: name }), 400, 'M_ROOM_IN_USE')
    })
  })
})
