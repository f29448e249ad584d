import { expect } from '@jest/globals'
import { call, createRoom, type Answer, type User } from '../harness/client.js'
import { enc, refusal, section, v3 } from '../harness/section.js'

const whoami = (user: User): Promise<Answer> => user.call('GET', v3('/account/whoami'))
const needsAdministrator = true

section('Server administration', 'client-server-api/#server-administration', (operation) => {
  for (const [id, what, field] of [
    ['AdminLockUser', 'lock', 'locked'],
    ['AdminSuspendUser', 'suspend', 'suspended'],
  ] as const) {
    const path = (user: User): string => `/_matrix/client/v1/admin/${what}/${enc(user.userId)}`
    operation(
      `get${id}`,
      `GET /_matrix/client/v1/admin/${what}/{userId}`,
      ({ success, error, authorisation }) => {
        success(
          'says whether it is so',
          async (server) => {
            const [root, alice] = [await server.administrator(), await server.user('alice')]
            expect(await root.ok('GET', path(alice))).toEqual({ [field]: false })
            await root.ok('PUT', path(alice), { [field]: true })
            expect(await root.ok('GET', path(alice))).toEqual({ [field]: true })
          },
          { needsAdministrator },
        )
        error(
          'knows no unknown user',
          async (server) => {
            const root = await server.administrator()
            const nobody = { userId: `@nobody:${server.serverName}` } as User
            await refusal(root.call('GET', path(nobody)), 404, 'M_NOT_FOUND')
          },
          { needsAdministrator },
        )
        authorisation('is for administrators', async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          await refusal(alice.call('GET', path(bob)), 403, 'M_FORBIDDEN')
        })
      },
    )
    operation(
      `set${id}`,
      `PUT /_matrix/client/v1/admin/${what}/{userId}`,
      ({ success, error, authorisation }) => {
        success(
          'does it, and undoes it',
          async (server) => {
            const [root, alice] = [await server.administrator(), await server.user('alice')]
            expect(await root.ok('PUT', path(alice), { [field]: true })).toEqual({ [field]: true })
            if (what === 'lock') {
              const locked = await refusal(whoami(alice), 401, 'M_USER_LOCKED')
              expect(locked.body.soft_logout).toBe(true)
            } else {
              expect((await whoami(alice)).status).toBe(200)
              await refusal(alice.call('POST', v3('/createRoom'), { body: {} }), 403, 'M_USER_SUSPENDED')
            }
            expect(await root.ok('PUT', path(alice), { [field]: false })).toEqual({ [field]: false })
            await createRoom(alice)
          },
          { needsAdministrator },
        )
        error(
          'wants a boolean, and not oneself',
          async (server) => {
            const [root, alice] = [await server.administrator(), await server.user('alice')]
            await refusal(root.call('PUT', path(alice), { body: {} }), 400, 'M_MISSING_PARAM', 'M_BAD_JSON')
            const self = await root.call('PUT', path(root), { body: { [field]: true } })
            expect([self.status, self.body.errcode]).toEqual([403, 'M_FORBIDDEN'])
          },
          { needsAdministrator },
        )
        authorisation('is for administrators', async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          await refusal(alice.call('PUT', path(bob), { body: { [field]: true } }), 403, 'M_FORBIDDEN')
          expect((await whoami(bob)).status).toBe(200)
        })
      },
    )
  }
  operation('getWhoIs', 'GET /_matrix/client/v3/admin/whois/{userId}', ({ success, authorisation }) => {
    const path = (user: User): string => v3(`/admin/whois/${enc(user.userId)}`)
    success('tells of the sessions of oneself', async (server) => {
      const alice = await server.user('alice')
      await call(server.url, 'GET', v3('/account/whoami'), {
        token: alice.token,
        headers: { 'user-agent': 'the browser' },
      })
      const { user_id: userId, devices } = await alice.ok('GET', path(alice))
      expect(userId).toBe(alice.userId)
      // When a connection was seen last is written now and then.
      const { connections } = Object.values<{ sessions: { connections: object[] }[] }>(devices)[0]!
        .sessions[0]!
      for (const connection of connections)
        expect(connection).toMatchObject({ ip: expect.any(String), last_seen: expect.any(Number) })
    })
    success(
      'tells administrators of anybody',
      async (server) => {
        const [root, alice] = [await server.administrator(), await server.user('alice')]
        expect((await root.ok('GET', path(alice))).user_id).toBe(alice.userId)
      },
      { needsAdministrator },
    )
    authorisation('is for oneself and administrators', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      await refusal(bob.call('GET', path(alice)), 403, 'M_FORBIDDEN')
    })
  })
})
