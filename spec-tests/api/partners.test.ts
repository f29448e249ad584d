import { expect } from '@jest/globals'
import { call } from '../harness/client.js'
import { refusal, section, v3 } from '../harness/section.js'

section(
  'Third-party networks and sign-on that need a partner',
  'client-server-api/#third-party-networks',
  (operation) => {
    for (const [id, rest] of [
      ['getProtocolMetadata', 'protocol/{protocol}'],
      ['queryLocationByProtocol', 'location/{protocol}'],
      ['queryUserByProtocol', 'user/{protocol}'],
    ] as const) {
      operation(id, `GET /_matrix/client/v3/thirdparty/${rest}`, ({ notOffered }) => {
        notOffered('knows no network without a bridge', async (server) => {
          const alice = await server.user('alice')
          await refusal(
            alice.call('GET', v3(`/thirdparty/${rest.replace('{protocol}', 'irc')}`)),
            404,
            'M_NOT_FOUND',
          )
        })
      })
    }
    const needless = { auth: 'none' } as const
    operation(
      'getAuthMetadata',
      'GET /_matrix/client/v1/auth_metadata',
      ({ notOffered }) => {
        notOffered(
          'says that there is no OAuth here',
          async (server) => {
            await refusal(call(server.url, 'GET', '/_matrix/client/v1/auth_metadata'), 404, 'M_UNRECOGNIZED')
          },
          { ownOnly: true },
        )
      },
      needless,
    )
    for (const [id, rest] of [
      ['requestTokenTo3PIDMSISDN', 'account/3pid/msisdn/requestToken'],
      ['requestTokenToRegisterMSISDN', 'register/msisdn/requestToken'],
      ['requestTokenToResetPasswordMSISDN', 'account/password/msisdn/requestToken'],
    ] as const) {
      operation(
        id,
        `POST /_matrix/client/v3/${rest}`,
        ({ notOffered }) => {
          notOffered(
            'says that telephone numbers are not supported',
            async (server) => {
              const body = {
                client_secret: 'secret',
                country: 'DE',
                phone_number: '030123456',
                send_attempt: 1,
              }
              const { status, body: answer } = await call(server.url, 'POST', v3(`/${rest}`), { body })
              expect([status, answer.errcode]).toEqual([
                expect.any(Number),
                expect.stringMatching(/^M_THREEPID_(MEDIUM_NOT_SUPPORTED|DENIED)$/),
              ])
            },
            { ownOnly: true },
          )
        },
        needless,
      )
    }
    for (const [id, rest] of [
      ['redirectToSSO', ''],
      ['redirectToIdP', '/{idpId}'],
    ] as const) {
      operation(
        id,
        `GET /_matrix/client/v3/login/sso/redirect${rest}`,
        ({ notOffered }) => {
          notOffered(
            'redirects nowhere without a provider',
            async (server) => {
              const path = v3(`/login/sso/redirect${rest.replace('{idpId}', 'provider')}`)
              const { status, body } = await call(server.url, 'GET', path, {
                query: { redirectUrl: 'https://client.example/' },
                uncheckedBecause: 'a browser is sent there, and shown a page',
              })
              expect([status, String(body)]).toEqual([404, expect.stringContaining('Not offered')])
            },
            { ownOnly: true },
          )
        },
        needless,
      )
    }
  },
)
