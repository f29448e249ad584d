import { expect } from '@jest/globals'
import { call, eventually, type User } from '../harness/client.js'
import { createRoom, enc, refusal, section, sharedRoom, v3 } from '../harness/section.js'

let counter = 0

section('User directory', 'client-server-api/#user-directory', (operation) => {
  operation(
    'searchUserDirectory',
    'POST /_matrix/client/v3/user_directory/search',
    ({ success, error, authorisation }) => {
      const search = (user: User, term: string): Promise<{ results: object[]; limited: boolean }> =>
        user.ok('POST', v3('/user_directory/search'), { search_term: term })
      success('finds people of shared and public rooms by name', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const name = `Zed${Date.now().toString(36)}${counter++}`
        await bob.ok('PUT', v3(`/profile/${enc(bob.userId)}/displayname`), { displayname: `${name} Bobson` })
        await sharedRoom(alice, [bob])
        const found = await eventually('bob in the directory', async () => {
          const answer = await search(alice, name)
          return answer.results.length > 0 && answer
        })
        expect(found).toMatchObject({
          limited: false,
          results: [{ user_id: bob.userId, display_name: `${name} Bobson` }],
        })
        expect((await search(alice, `${name}none`)).results).toEqual([])
      })
      authorisation('shows nobody whom one does not share a room with', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const name = `Hid${Date.now().toString(36)}${counter++}`
        await bob.ok('PUT', v3(`/profile/${enc(bob.userId)}/displayname`), { displayname: name })
        await createRoom(bob)
        expect((await search(alice, name)).results).toEqual([])
        await refusal(
          call(server.url, 'POST', v3('/user_directory/search'), { body: { search_term: name } }),
          401,
          'M_MISSING_TOKEN',
        )
      })
      error('wants a term', async (server) => {
        const alice = await server.user('alice')
        await refusal(
          alice.call('POST', v3('/user_directory/search'), { body: {} }),
          400,
          'M_MISSING_PARAM',
          'M_BAD_JSON',
        )
      })
    },
  )
})
