import { expect } from '@jest/globals'
import { call, type Answer, type User } from '../harness/client.js'
import { createRoom, enc, inRoom, refusal, section, v3 } from '../harness/section.js'

const unstable = (path: string): string => `/_matrix/client/unstable/${path}`
/** No server must have these. */
const ownOnly = { ownOnly: true }
const TRANSPORT = { type: 'livekit', livekit_service_url: 'https://rtc.example.org' }

section(
  'Proposals that clients use',
  'proposals/',
  (operation) => {
    for (const [id, rest] of [
      ['deleteAccountData', ''],
      ['deleteAccountDataPerRoom', '/rooms/{roomId}'],
    ] as const) {
      const template = unstable(`org.matrix.msc3391/user/{userId}${rest}/account_data/{type}`)
      const path = (user: User, roomId: string): string =>
        template
          .replace('{userId}', enc(user.userId))
          .replace('{roomId}', enc(roomId))
          .replace('{type}', 'org.example.note')
      const stable = (user: User, roomId: string): string =>
        v3(`/user/${enc(user.userId)}${rest.replace('{roomId}', enc(roomId))}/account_data/org.example.note`)
      operation(id, `DELETE ${template}`, ({ success, authorisation }) => {
        success(
          'takes what was kept away, and nothing else',
          async (server) => {
            const alice = await server.user('alice')
            const [roomId, other] = [await createRoom(alice), await createRoom(alice)]
            const kept = v3(`/user/${enc(alice.userId)}/account_data/org.example.other`)
            await alice.ok('PUT', kept, { n: 2 })
            await alice.ok('PUT', stable(alice, roomId), { n: 1 })
            if (rest !== '') await alice.ok('PUT', stable(alice, other), { n: 3 })
            expect(await alice.ok('DELETE', path(alice, roomId))).toEqual({})
            await refusal(alice.call('GET', stable(alice, roomId)), 404, 'M_NOT_FOUND')
            expect(await alice.ok('GET', kept)).toEqual({ n: 2 })
            if (rest !== '') expect(await alice.ok('GET', stable(alice, other))).toEqual({ n: 3 })
          },
          ownOnly,
        )
        authorisation(
          'is one’s own',
          async (server) => {
            const [alice, bob] = [await server.user('alice'), await server.user('bob')]
            const roomId = await createRoom(alice)
            await alice.ok('PUT', stable(alice, roomId), { n: 1 })
            await refusal(bob.call('DELETE', path(alice, roomId)), 403, 'M_FORBIDDEN')
            expect(await alice.ok('GET', stable(alice, roomId))).toEqual({ n: 1 })
          },
          ownOnly,
        )
      })
    }
    operation(
      'getPasswordPolicy',
      `GET ${v3('/password_policy')}`,
      ({ success }) => {
        success(
          'says before anybody registers what a password must be, and holds them to it',
          async (server) => {
            const { status, body } = await call(server.url, 'GET', v3('/password_policy'))
            expect([status, body]).toEqual([
              200,
              {
                'm.minimum_length': 9,
                'm.require_digit': false,
                'm.require_symbol': false,
                'm.require_lowercase': true,
                'm.require_uppercase': false,
              },
            ])
            const register = (password: string): Promise<Answer> =>
              call(server.url, 'POST', v3('/register'), {
                body: { username: `policy-${Date.now().toString(36)}`, password },
              })
            await refusal(register('short'), 400, 'M_PASSWORD_TOO_SHORT', 'M_WEAK_PASSWORD')
            await refusal(register('ONLY CAPITALS'), 400, 'M_PASSWORD_NO_LOWERCASE')
          },
          ownOnly,
        )
      },
      { auth: 'none' },
    )
    operation('getRtcTransports', `GET ${unstable('org.matrix.msc4143/rtc/transports')}`, ({ success }) => {
      success(
        'says how calls are carried',
        async (server) => {
          const alice = await server.user('alice')
          const answer = await alice.ok('GET', unstable('org.matrix.msc4143/rtc/transports'))
          expect(answer).toEqual({ rtc_transports: [TRANSPORT] })
        },
        ownOnly,
      )
    })
    operation(
      'getRoomSummaryUnstable',
      `GET ${unstable('im.nheko.summary/summary/{roomIdOrAlias}')}`,
      ({ success, authorisation }) => {
        const summary = (room: string): string => unstable(`im.nheko.summary/summary/${enc(room)}`)
        success(
          'tells what the specified one tells, by its older names too',
          async (server) => {
            const [alice, bob] = [await server.user('alice'), await server.user('bob')]
            const roomId = await createRoom(alice, {
              preset: 'public_chat',
              name: 'Hall',
              room_version: '11',
            })
            await alice.ok('PUT', inRoom(roomId, 'state/m.room.encryption/'), {
              algorithm: 'm.megolm.v1.aes-sha2',
            })
            for (const user of [alice, bob]) {
              const specified = await user.ok('GET', `/_matrix/client/v1/room_summary/${enc(roomId)}`)
              expect(specified).toMatchObject({ name: 'Hall', encryption: 'm.megolm.v1.aes-sha2' })
              expect(await user.ok('GET', summary(roomId))).toEqual({
                ...specified,
                'im.nheko.summary.room_version': '11',
                'im.nheko.summary.version': '11',
                'im.nheko.summary.encryption': 'm.megolm.v1.aes-sha2',
              })
            }
          },
          ownOnly,
        )
        authorisation(
          'tells one who may not see a room what it tells of none',
          async (server) => {
            const [alice, bob] = [await server.user('alice'), await server.user('bob')]
            const secret = await createRoom(alice, { preset: 'private_chat' })
            const refused = await refusal(bob.call('GET', summary(secret)), 404, 'M_NOT_FOUND')
            const unknown = bob.call('GET', summary(`!none:${server.serverName}`))
            expect(refused.body).toEqual((await refusal(unknown, 404, 'M_NOT_FOUND')).body)
            await refusal(call(server.url, 'GET', summary(secret)), 404, 'M_NOT_FOUND')
          },
          ownOnly,
        )
      },
      { auth: 'none' },
    )
  },
  {
    config: {
      rtc: { transports: [TRANSPORT] },
      passwords: { min_length: 9, require: ['lowercase'] },
    },
  },
)
