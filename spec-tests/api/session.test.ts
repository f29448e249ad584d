import { expect } from '@jest/globals'
import { call, logIn, register, type User } from '../harness/client.js'
import { refusal, section, v3 } from '../harness/section.js'

const identifier = (user: User): object => ({ type: 'm.id.user', user: user.userId })
const whoami = (user: User, token = user.token): ReturnType<typeof call> =>
  call(user.base, 'GET', v3('/account/whoami'), { token })

const OPEN = { needs: 'registration' } as const

section('Legacy login and sessions', 'client-server-api/#legacy-login', (operation) => {
  operation(
    'getLoginFlows',
    'GET /_matrix/client/v3/login',
    ({ success }) => {
      success('offers passwords', async (server) => {
        const { status, body } = await call(server.url, 'GET', v3('/login'))
        expect([status, body.flows.map((flow: { type: string }) => flow.type)]).toEqual([
          200,
          expect.arrayContaining(['m.login.password']),
        ])
        // A client that knows no `get_login_token` takes the flow for one that wants a partner.
        const ofToken = body.flows.find((flow: { type: string }) => flow.type === 'm.login.token')
        if (server.own && ofToken !== undefined) expect(ofToken.get_login_token).toBe(true)
      })
    },
    { auth: 'none' },
  )
  operation(
    'login',
    'POST /_matrix/client/v3/login',
    ({ success, error, authorisation }) => {
      success('gives a token for a new device of the user', async (server) => {
        const alice = await server.user('alice')
        const { status, body } = await call(server.url, 'POST', v3('/login'), {
          body: {
            type: 'm.login.password',
            identifier: identifier(alice),
            password: alice.password,
            device_id: 'CHOSEN',
            initial_device_display_name: 'the phone',
          },
        })
        expect([status, body.user_id, body.device_id]).toEqual([200, alice.userId, 'CHOSEN'])
        expect((await whoami(alice, body.access_token)).body).toMatchObject({
          user_id: alice.userId,
          device_id: 'CHOSEN',
        })
        const device = await alice.ok('GET', v3('/devices/CHOSEN'))
        expect(device.display_name).toBe('the phone')
        expect((await whoami(alice)).status).toBe(200)
      })
      success('ends the token that the same device had before', async (server) => {
        const alice = await server.user('alice')
        const again = await call(server.url, 'POST', v3('/login'), {
          body: {
            type: 'm.login.password',
            identifier: identifier(alice),
            password: alice.password,
            device_id: alice.deviceId,
          },
        })
        expect(again.status).toBe(200)
        expect((await whoami(alice, again.body.access_token)).body.device_id).toBe(alice.deviceId)
        await refusal(whoami(alice), 401, 'M_UNKNOWN_TOKEN')
      })
      success('gives a refresh token to who asks', async (server) => {
        const alice = await server.user('alice')
        const { body } = await call(server.url, 'POST', v3('/login'), {
          body: {
            type: 'm.login.password',
            identifier: identifier(alice),
            password: alice.password,
            refresh_token: true,
          },
        })
        expect([typeof body.refresh_token, typeof body.access_token]).toEqual(['string', 'string'])
        expect(body.expires_in_ms).toBeGreaterThan(0)
      })
      authorisation('refuses a wrong password and an unknown user alike', async (server) => {
        const alice = await server.user('alice')
        const attempt = (user: string): Promise<Awaited<ReturnType<typeof call>>> =>
          call(server.url, 'POST', v3('/login'), {
            body: { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password: 'wrong' },
          })
        const wrong = await refusal(attempt(alice.userId), 403, 'M_FORBIDDEN')
        const nobody = await refusal(attempt(`@nobody-at-all:${server.serverName}`), 403, 'M_FORBIDDEN')
        expect(nobody.body).toEqual(wrong.body)
      })
      error('refuses unknown types and what is no object', async (server) => {
        await refusal(
          call(server.url, 'POST', v3('/login'), { body: { type: 'm.none' } }),
          400,
          'M_UNKNOWN',
          ...(server.own ? [] : ['M_INVALID_PARAM']),
        )
        await refusal(call(server.url, 'POST', v3('/login'), { body: 'x' }), 400, 'M_NOT_JSON')
        await refusal(
          call(server.url, 'POST', v3('/login'), { body: {} }),
          400,
          'M_MISSING_PARAM',
          'M_BAD_JSON',
        )
      })
    },
    { auth: 'none' },
  )
  operation('getTokenOwner', 'GET /_matrix/client/v3/account/whoami', ({ success }) => {
    success('says whose the token is', async (server) => {
      const alice = await server.user('alice')
      const answer = await alice.ok('GET', v3('/account/whoami'))
      expect([answer.user_id, answer.device_id, answer.is_guest ?? false]).toEqual([
        alice.userId,
        alice.deviceId,
        false,
      ])
      if (server.own) expect(answer.is_guest).toBe(false)
    })
  })
  operation('logout', 'POST /_matrix/client/v3/logout', ({ success }) => {
    success('ends this session and removes its device, and no other', async (server) => {
      const alice = await server.user('alice')
      const other = await logIn(alice)
      await alice.ok('POST', v3('/logout'))
      await refusal(whoami(alice), 401, 'M_UNKNOWN_TOKEN')
      const { devices } = await other.ok('GET', v3('/devices'))
      expect(devices.map((device: { device_id: string }) => device.device_id)).toEqual([other.deviceId])
    })
  })
  operation('logout_all', 'POST /_matrix/client/v3/logout/all', ({ success }) => {
    success('ends all sessions of the user, and of nobody else', async (server) => {
      const alice = await server.user('alice')
      const bob = await server.user('bob')
      const other = await logIn(alice)
      await alice.ok('POST', v3('/logout/all'))
      await refusal(whoami(alice), 401, 'M_UNKNOWN_TOKEN')
      await refusal(whoami(other), 401, 'M_UNKNOWN_TOKEN')
      expect((await whoami(bob)).status).toBe(200)
    })
  })
  operation(
    'refresh',
    'POST /_matrix/client/v3/refresh',
    ({ success, authorisation, error }) => {
      const withRefresh = async (user: User): Promise<{ access_token: string; refresh_token: string }> =>
        (
          await call(user.base, 'POST', v3('/login'), {
            body: {
              type: 'm.login.password',
              identifier: identifier(user),
              password: user.password,
              refresh_token: true,
            },
          })
        ).body
      success(
        'gives a new access token of the same device; the old one ends with the use of the new',
        async (server) => {
          const alice = await server.user('alice')
          const first = await withRefresh(alice)
          const owner = (await whoami(alice, first.access_token)).body
          const { status, body } = await call(server.url, 'POST', v3('/refresh'), {
            body: { refresh_token: first.refresh_token },
          })
          expect([status, typeof body.refresh_token, body.expires_in_ms > 0]).toEqual([200, 'string', true])
          expect(body.access_token).not.toBe(first.access_token)
          expect((await whoami(alice, body.access_token)).body).toEqual(owner)
          // Servers may let it live on.
          if (server.own) await refusal(whoami(alice, first.access_token), 401, 'M_UNKNOWN_TOKEN')
          await refusal(
            call(server.url, 'POST', v3('/refresh'), { body: { refresh_token: first.refresh_token } }),
            401,
            'M_UNKNOWN_TOKEN',
            'M_FORBIDDEN',
          )
        },
      )
      authorisation('refuses unknown refresh tokens', async (server) => {
        await refusal(
          call(server.url, 'POST', v3('/refresh'), { body: { refresh_token: 'none' } }),
          401,
          'M_UNKNOWN_TOKEN',
        )
      })
      error('refuses a body without one', async (server) => {
        await refusal(
          call(server.url, 'POST', v3('/refresh'), { body: {} }),
          400,
          'M_MISSING_PARAM',
          'M_BAD_JSON',
        )
      })
    },
    { auth: 'none' },
  )
  operation('generateLoginToken', 'POST /_matrix/client/v1/login/get_token', ({ success, authorisation }) => {
    const path = '/_matrix/client/v1/login/get_token'
    success(
      'gives a token that logs in one other device, once',
      async (server) => {
        const alice = await server.user('alice')
        const challenge = await alice.call('POST', path, { body: {} })
        expect(challenge.status).toBe(401)
        const auth = {
          type: 'm.login.password',
          identifier: identifier(alice),
          password: alice.password,
          session: challenge.body.session,
        }
        const given = await alice.ok('POST', path, { auth })
        expect(given.expires_in_ms).toBeGreaterThan(0)
        const body = { type: 'm.login.token', token: given.login_token }
        const login = await call(server.url, 'POST', v3('/login'), { body })
        expect([login.status, login.body.user_id]).toEqual([200, alice.userId])
        expect(login.body.device_id).not.toBe(alice.deviceId)
        await refusal(call(server.url, 'POST', v3('/login'), { body }), 403, 'M_FORBIDDEN')
      },
      { ownOnly: true },
    )
    authorisation(
      'asks for the password',
      async (server) => {
        const alice = await server.user('alice')
        const { status, body } = await alice.call('POST', path, { body: {} })
        expect([status, body.flows[0].stages]).toEqual([401, ['m.login.password']])
        const auth = {
          type: 'm.login.password',
          identifier: identifier(alice),
          password: 'x',
          session: body.session,
        }
        const wrong = await alice.call('POST', path, { body: { auth } })
        expect([wrong.status, wrong.body.errcode]).toEqual([401, 'M_FORBIDDEN'])
      },
      { ownOnly: true },
    )
  })
})

section(
  'Account registration and management',
  'client-server-api/#account-registration-and-management',
  (operation) => {
    operation(
      'register',
      'POST /_matrix/client/v3/register',
      ({ success, error, authorisation }) => {
        success(
          'makes an account with a session',
          async (server) => {
            const user = await register(server.url, 'new')
            expect(user.userId).toMatch(new RegExp(`^@new-.*:${server.serverName}$`))
            expect((await whoami(user)).body).toMatchObject({
              user_id: user.userId,
              device_id: user.deviceId,
            })
            expect((await logIn(user)).userId).toBe(user.userId)
          },
          { ownOnly: true },
        )
        success(
          'gives no session to who wants none',
          async (server) => {
            const username = `quiet-${Date.now()}`
            const { status, body } = await call(server.url, 'POST', v3('/register'), {
              body: {
                username,
                password: 'a good password',
                inhibit_login: true,
                auth: { type: 'm.login.dummy' },
              },
            })
            expect([status, body.user_id]).toEqual([200, `@${username}:${server.serverName}`])
            expect([body.access_token, body.device_id]).toEqual([undefined, undefined])
          },
          { ownOnly: true },
        )
        error(
          'refuses names that are taken or no names',
          async (server) => {
            const alice = await server.user('alice')
            const attempt = (username: unknown): ReturnType<typeof call> =>
              call(server.url, 'POST', v3('/register'), {
                body: { username, password: 'a good password', auth: { type: 'm.login.dummy' } },
              })
            await refusal(attempt(alice.userId.slice(1).split(':')[0]), 400, 'M_USER_IN_USE')
            await refusal(attempt('a b'), 400, 'M_INVALID_USERNAME')
            await refusal(attempt(7), 400, 'M_BAD_JSON', 'M_INVALID_USERNAME', 'M_INVALID_PARAM')
          },
          { ownOnly: true },
        )
        authorisation(
          'asks for a stage first',
          async (server) => {
            const { status, body } = await call(server.url, 'POST', v3('/register'), {
              body: { username: `staged-${Date.now()}`, password: 'a good password' },
            })
            expect([status, typeof body.session, body.flows]).toEqual([
              401,
              'string',
              [{ stages: ['m.login.dummy'] }],
            ])
          },
          { ownOnly: true },
        )
      },
      { auth: 'none' },
    )
    operation(
      'checkUsernameAvailability',
      'GET /_matrix/client/v3/register/available',
      ({ success, error }) => {
        const ask = (base: string, username?: string): ReturnType<typeof call> =>
          call(base, 'GET', v3('/register/available'), { query: { username } })
        success(
          'says that a name is free',
          async (server) => {
            const { status, body } = await ask(server.url, `free-${Date.now()}`)
            expect([status, body]).toEqual([200, { available: true }])
          },
          OPEN,
        )
        error(
          'says that a name is taken, or no name',
          async (server) => {
            const alice = await server.user('alice')
            await refusal(ask(server.url, alice.userId.slice(1).split(':')[0]), 400, 'M_USER_IN_USE')
            await refusal(ask(server.url, 'a b'), 400, 'M_INVALID_USERNAME')
            await refusal(ask(server.url), 400, 'M_MISSING_PARAM', 'M_INVALID_PARAM')
          },
          OPEN,
        )
      },
      { auth: 'none' },
    )
    operation(
      'registrationTokenValidity',
      'GET /_matrix/client/v1/register/m.login.registration_token/validity',
      ({ success, error }) => {
        const path = '/_matrix/client/v1/register/m.login.registration_token/validity'
        success(
          'says that an unknown token is not valid',
          async (server) => {
            const { status, body } = await call(server.url, 'GET', path, { query: { token: 'none' } })
            expect([status, body]).toEqual([200, { valid: false }])
          },
          OPEN,
        )
        success(
          'says that a token is valid until it has been revoked',
          async (server) => {
            const admin = await server.administrator()
            const tokens = '/_synapse/admin/v1/registration_tokens'
            const { token } = await admin.ok('POST', `${tokens}/new`, {})
            const ask = (): ReturnType<typeof call> => call(server.url, 'GET', path, { query: { token } })
            expect((await ask()).body).toEqual({ valid: true })
            await admin.ok('DELETE', `${tokens}/${token}`)
            expect((await ask()).body).toEqual({ valid: false })
          },
          { needsAdministrator: true, ...OPEN },
        )
        error('wants a token', async (server) => {
          await refusal(call(server.url, 'GET', path), 400, 'M_MISSING_PARAM')
        })
      },
      { auth: 'none' },
    )
    operation(
      'changePassword',
      'POST /_matrix/client/v3/account/password',
      ({ success, authorisation }) => {
        const auth = (user: User, password = user.password): object => ({
          type: 'm.login.password',
          identifier: identifier(user),
          password,
        })
        const login = (user: User, password: string): ReturnType<typeof call> =>
          call(user.base, 'POST', v3('/login'), {
            body: { type: 'm.login.password', identifier: identifier(user), password },
          })
        success('sets the password and ends the other sessions', async (server) => {
          const alice = await server.user('alice')
          const other = await logIn(alice)
          await alice.ok('POST', v3('/account/password'), {
            new_password: 'another good one',
            auth: auth(alice),
          })
          expect((await whoami(alice)).status).toBe(200)
          await refusal(whoami(other), 401, 'M_UNKNOWN_TOKEN')
          await refusal(login(alice, alice.password), 403, 'M_FORBIDDEN')
          expect((await login(alice, 'another good one')).status).toBe(200)
        })
        success('keeps the other sessions where asked', async (server) => {
          const alice = await server.user('alice')
          const other = await logIn(alice)
          const body = { new_password: 'another good one', logout_devices: false, auth: auth(alice) }
          await alice.ok('POST', v3('/account/password'), body)
          expect((await whoami(other)).status).toBe(200)
          await refusal(login(alice, alice.password), 403, 'M_FORBIDDEN')
        })
        authorisation('asks for the old password', async (server) => {
          const alice = await server.user('alice')
          const body = { new_password: 'another good one' }
          expect((await alice.call('POST', v3('/account/password'), { body })).status).toBe(401)
          const wrong = await alice.call('POST', v3('/account/password'), {
            body: { ...body, auth: auth(alice, 'x') },
          })
          expect([wrong.status, wrong.body.errcode]).toEqual([401, 'M_FORBIDDEN'])
          expect((await login(alice, alice.password)).status).toBe(200)
        })
      },
      { auth: 'none' },
    )
    operation(
      'deactivateAccount',
      'POST /_matrix/client/v3/account/deactivate',
      ({ success, authorisation }) => {
        success('closes the account for good', async (server) => {
          const alice = await server.user('alice')
          const auth = { type: 'm.login.password', identifier: identifier(alice), password: alice.password }
          const answer = await alice.ok('POST', v3('/account/deactivate'), { auth })
          expect(answer.id_server_unbind_result).toMatch(/^(success|no-support)$/)
          await refusal(whoami(alice), 401, 'M_UNKNOWN_TOKEN')
          const body = { type: 'm.login.password', identifier: identifier(alice), password: alice.password }
          await refusal(
            call(server.url, 'POST', v3('/login'), { body }),
            403,
            'M_FORBIDDEN',
            'M_USER_DEACTIVATED',
          )
        })
        authorisation('asks for the password', async (server) => {
          const alice = await server.user('alice')
          expect((await alice.call('POST', v3('/account/deactivate'), { body: {} })).status).toBe(401)
          expect((await whoami(alice)).status).toBe(200)
        })
      },
    )
    operation('getAccount3PIDs', 'GET /_matrix/client/v3/account/3pid', ({ success }) => {
      success('is empty for a new account', async (server) => {
        expect(await (await server.user()).ok('GET', v3('/account/3pid'))).toEqual({ threepids: [] })
      })
    })
  },
)
