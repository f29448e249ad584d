import { expect } from '@jest/globals'
import { call, type Answer } from '../harness/client.js'
import { createRoom, enc, inRoom, refusal, section, sharedRoom, v3 } from '../harness/section.js'

let counter = 0
const aliasName = (): string => `alias-${Date.now().toString(36)}-${counter++}`
const directory = (alias: string): string => v3(`/directory/room/${enc(alias)}`)

section('Room aliases', 'client-server-api/#room-aliases', (operation) => {
  operation(
    'setRoomAlias',
    'PUT /_matrix/client/v3/directory/room/{roomAlias}',
    ({ success, error }) => {
      success('gives a room an alias that leads to it', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice)
        const alias = `#${aliasName()}:${server.serverName}`
        await alice.ok('PUT', directory(alias), { room_id: roomId })
        const { body } = await call(server.url, 'GET', directory(alias), { token: alice.token })
        expect(body).toMatchObject({ room_id: roomId, servers: expect.arrayContaining([server.serverName]) })
      })
      error('refuses aliases that are taken, or are none, or of other servers', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice)
        const put = (alias: string, body: object = { room_id: roomId }): Promise<Answer> =>
          alice.call('PUT', directory(alias), { body })
        const alias = `#${aliasName()}:${server.serverName}`
        await alice.ok('PUT', directory(alias), { room_id: roomId })
        await refusal(put(alias), 409, 'M_UNKNOWN', 'M_ROOM_IN_USE')
        await refusal(put('no-alias'), 400, 'M_INVALID_PARAM')
        await refusal(put(`#x:elsewhere.example`), 400, 'M_INVALID_PARAM')
        await refusal(put(`#${aliasName()}:${server.serverName}`, {}), 400, 'M_MISSING_PARAM', 'M_BAD_JSON')
      })
    },
    { sample: { body: { room_id: '!room:example.org' } } },
  )
  operation(
    'getRoomIdByAlias',
    'GET /_matrix/client/v3/directory/room/{roomAlias}',
    ({ success, error }) => {
      success('finds the room', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const name = aliasName()
        const roomId = await createRoom(alice, { room_alias_name: name })
        const found = await bob.ok('GET', directory(`#${name}:${server.serverName}`))
        expect([found.room_id, found.servers]).toEqual([roomId, [server.serverName]])
      })
      error('knows no unknown alias', async (server) => {
        await refusal(
          call(server.url, 'GET', directory(`#none-at-all:${server.serverName}`)),
          404,
          'M_NOT_FOUND',
        )
        await refusal(call(server.url, 'GET', directory('none')), 400, 'M_INVALID_PARAM')
      })
    },
    { auth: 'none' },
  )
  operation(
    'deleteRoomAlias',
    'DELETE /_matrix/client/v3/directory/room/{roomAlias}',
    ({ success, error, authorisation }) => {
      success('removes it', async (server) => {
        const alice = await server.user('alice')
        const name = aliasName()
        await createRoom(alice, { room_alias_name: name })
        const alias = `#${name}:${server.serverName}`
        await alice.ok('DELETE', directory(alias))
        await refusal(alice.call('GET', directory(alias)), 404, 'M_NOT_FOUND')
      })
      error('knows no unknown alias', async (server) => {
        const alice = await server.user('alice')
        await refusal(
          alice.call('DELETE', directory(`#none-at-all:${server.serverName}`)),
          404,
          'M_NOT_FOUND',
        )
      })
      authorisation('is for who made it, or rules the room', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const name = aliasName()
        const roomId = await sharedRoom(alice, [bob], { room_alias_name: name })
        const alias = `#${name}:${server.serverName}`
        await refusal(bob.call('DELETE', directory(alias)), 403, 'M_FORBIDDEN')
        expect((await alice.ok('GET', directory(alias))).room_id).toBe(roomId)
      })
    },
  )
  operation(
    'getLocalAliases',
    'GET /_matrix/client/v3/rooms/{roomId}/aliases',
    ({ success, authorisation }) => {
      success('lists the aliases of the room', async (server) => {
        const alice = await server.user('alice')
        const name = aliasName()
        const roomId = await createRoom(alice, { room_alias_name: name })
        const second = `#${aliasName()}:${server.serverName}`
        await alice.ok('PUT', directory(second), { room_id: roomId })
        const { aliases } = await alice.ok('GET', inRoom(roomId, 'aliases'))
        expect(aliases.sort()).toEqual([`#${name}:${server.serverName}`, second].sort())
      })
      authorisation('is for those who may see the room', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        await refusal(bob.call('GET', inRoom(await createRoom(alice), 'aliases')), 403, 'M_FORBIDDEN')
      })
    },
  )
})
