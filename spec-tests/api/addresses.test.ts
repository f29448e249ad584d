import { expect } from '@jest/globals'
import {
  startMailServer,
  type ReceivedMail,
  type TestMailServer,
} from '../../src/services/mail/testing-smtp.js'
import { call, logIn } from '../harness/client.js'
import type { Homeserver } from '../harness/homeserver.js'
import { refusal, section, v3, type Answer, type User } from '../harness/section.js'

let mail: TestMailServer
const CLIENT_SECRET = 'the-secret-of-the-client'
const ownOnly = { ownOnly: true }
const everybody = { auth: 'none' } as const
let counter = 0
const freshAddress = (): string => `anne-${Date.now().toString(36)}-${counter++}@home.example`

/** The mails to an address, once there are so many. */
async function mailsTo(email: string, count: number): Promise<readonly ReceivedMail[]> {
  for (;;) {
    const found = mail.mails.filter(({ to }) => to.includes(email))
    if (found.length >= count) return found
    await mail.mail(mail.mails.length)
  }
}

const ask = (server: Homeserver, what: string, email: unknown, rest: object = {}): Promise<Answer> =>
  call(server.url, 'POST', v3(`/${what}/email/requestToken`), {
    body: { client_secret: CLIENT_SECRET, email, send_attempt: 1, ...rest },
  })

/** Opens the link of a mail, and presses the button there. */
async function confirm(received: ReceivedMail): Promise<void> {
  const page = await fetch(received.link!)
  const text = await page.text()
  const field = (name: string): string => new RegExp(`name="${name}" value="([^"]*)"`).exec(text)![1]!
  const body = new URLSearchParams({ sid: field('sid'), token: field('token') })
  expect((await fetch(received.link!.split('?')[0]!, { method: 'POST', body })).status).toBe(200)
}

interface Proof {
  readonly sid: string
  readonly client_secret: string
}
/** An address that somebody has proved to have. */
async function proved(server: Homeserver, what: string, email: string): Promise<Proof> {
  const { status, body } = await ask(server, what, email)
  expect([status, body]).toEqual([200, { sid: expect.any(String) }])
  await confirm((await mailsTo(email, 1)).at(-1)!)
  return { sid: body.sid, client_secret: CLIENT_SECRET }
}

const passwordOf = (user: User, session: unknown): object => ({
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user: user.userId },
  password: user.password,
  session,
})
/** With the password, as the server asks for it. */
async function add(user: User, proof: Proof): Promise<Answer> {
  const path = v3('/account/3pid/add')
  const first = await user.call('POST', path, { body: proof })
  if (first.status !== 401) return first
  return user.call('POST', path, { body: { ...proof, auth: passwordOf(user, first.body.session) } })
}
const addresses = async (user: User): Promise<string[]> =>
  (await user.ok('GET', v3('/account/3pid'))).threepids.map(({ address }: { address: string }) => address)

async function withAddress(server: Homeserver): Promise<{ user: User; email: string }> {
  const user = await server.user('anne')
  const email = freshAddress()
  const proof = await proved(server, 'account/3pid', email)
  expect((await add(user, proof)).status).toBe(200)
  return { user, email }
}

section(
  'Addresses of accounts',
  'client-server-api/#adding-account-administrative-contact-information',
  (operation) => {
    for (const [id, what] of [
      ['requestTokenTo3PIDEmail', 'account/3pid'],
      ['requestTokenToRegisterEmail', 'register'],
      ['requestTokenToResetPasswordEmail', 'account/password'],
    ] as const) {
      operation(
        id,
        `POST /_matrix/client/v3/${what}/email/requestToken`,
        ({ success, error }) => {
          success(
            'sends a link to the address, once for each attempt',
            async (server) => {
              const email = what === 'account/password' ? (await withAddress(server)).email : freshAddress()
              const before = (await mailsTo(email, 0)).length
              const { body } = await ask(server, what, email)
              expect((await ask(server, what, email)).body).toEqual(body)
              expect((await ask(server, what, email, { send_attempt: 2 })).body).toEqual(body)
              const mails = await mailsTo(email, before + 2)
              expect(mails).toHaveLength(before + 2)
              for (const { link } of mails.slice(before))
                expect(new URL(link!).searchParams.get('sid')).toBe(body.sid)
              await confirm(mails.at(-1)!)
            },
            ownOnly,
          )
          error(
            'refuses what is no address, and secrets that are none',
            async (server) => {
              await refusal(
                ask(server, what, 'no address'),
                400,
                'M_INVALID_PARAM',
                'M_INVALID_EMAIL',
                'M_BAD_JSON',
              )
              await refusal(ask(server, what, freshAddress(), { client_secret: '' }), 400, 'M_INVALID_PARAM')
              await refusal(ask(server, what, undefined), 400, 'M_MISSING_PARAM', 'M_BAD_JSON')
            },
            ownOnly,
          )
        },
        everybody,
      )
    }
    operation('add3PID', 'POST /_matrix/client/v3/account/3pid/add', ({ success, error, authorisation }) => {
      success(
        'gives the account an address that was proved, which finds it at log-in',
        async (server) => {
          const { user, email } = await withAddress(server)
          const { threepids } = await user.ok('GET', v3('/account/3pid'))
          expect(threepids).toEqual([
            {
              medium: 'email',
              address: email,
              added_at: expect.any(Number),
              validated_at: expect.any(Number),
            },
          ])
          const { status, body } = await call(server.url, 'POST', v3('/login'), {
            body: {
              type: 'm.login.password',
              identifier: { type: 'm.id.thirdparty', medium: 'email', address: email },
              password: user.password,
            },
          })
          expect([status, body.user_id]).toEqual([200, user.userId])
        },
        ownOnly,
      )
      error(
        'wants a proof',
        async (server) => {
          const user = await server.user('anne')
          const { body } = await ask(server, 'account/3pid', freshAddress())
          await refusal(
            add(user, { sid: body.sid, client_secret: CLIENT_SECRET }),
            403,
            'M_THREEPID_AUTH_FAILED',
          )
          await refusal(
            add(user, { sid: 'none', client_secret: CLIENT_SECRET }),
            403,
            'M_THREEPID_AUTH_FAILED',
          )
          expect(await addresses(user)).toEqual([])
        },
        ownOnly,
      )
      authorisation(
        'asks for the password, and takes no address that somebody has',
        async (server) => {
          const [anne, bob] = [await server.user('anne'), await server.user('bob')]
          const email = freshAddress()
          const proof = await proved(server, 'account/3pid', email)
          const { status, body } = await anne.call('POST', v3('/account/3pid/add'), { body: proof })
          expect([status, body.flows]).toEqual([401, [{ stages: ['m.login.password'] }]])
          const wrong = { ...passwordOf(anne, body.session), password: 'wrong' }
          const refused = await anne.call('POST', v3('/account/3pid/add'), {
            body: { ...proof, auth: wrong },
          })
          expect([refused.status, refused.body.errcode]).toEqual([401, 'M_FORBIDDEN'])
          expect(await addresses(anne)).toEqual([])
          expect((await add(anne, proof)).status).toBe(200)
          expect((await add(bob, proof)).status).toBeGreaterThanOrEqual(400)
          expect(await addresses(bob)).toEqual([])
        },
        ownOnly,
      )
    })
    operation(
      'delete3pidFromAccount',
      'POST /_matrix/client/v3/account/3pid/delete',
      ({ success, error, authorisation }) => {
        const remove = (user: User, address: unknown): Promise<Answer> =>
          user.call('POST', v3('/account/3pid/delete'), { body: { medium: 'email', address } })
        success(
          'takes an address from the account',
          async (server) => {
            const { user, email } = await withAddress(server)
            const { status, body } = await remove(user, email)
            expect([status, body]).toEqual([
              200,
              { id_server_unbind_result: expect.stringMatching(/^(no-support|success)$/) },
            ])
            expect(await addresses(user)).toEqual([])
          },
          ownOnly,
        )
        error(
          'wants an address',
          async (server) => {
            await refusal(remove(await server.user(), undefined), 400, 'M_MISSING_PARAM', 'M_BAD_JSON')
          },
          ownOnly,
        )
        authorisation(
          'leaves those of others',
          async (server) => {
            const { user, email } = await withAddress(server)
            const bob = await server.user('bob')
            await remove(bob, email)
            expect(await addresses(user)).toEqual([email])
            const gone = await logIn(user)
            await gone.ok('POST', v3('/logout'))
            await refusal(remove(gone, email), 401, 'M_UNKNOWN_TOKEN')
            expect(await addresses(user)).toEqual([email])
          },
          ownOnly,
        )
      },
      { sample: { body: { medium: 'email', address: 'a@example.org' } } },
    )
    operation(
      'unbind3pidFromAccount',
      'POST /_matrix/client/v3/account/3pid/unbind',
      ({ success, error }) => {
        const unbind = (user: User, address: unknown): Promise<Answer> =>
          user.call('POST', v3('/account/3pid/unbind'), { body: { medium: 'email', address } })
        success(
          'says that no identity server has it from here, and leaves it with the account',
          async (server) => {
            const { user, email } = await withAddress(server)
            expect((await unbind(user, email)).body).toEqual({ id_server_unbind_result: 'no-support' })
            expect(await addresses(user)).toEqual([email])
          },
          ownOnly,
        )
        error(
          'wants an address',
          async (server) => {
            await refusal(unbind(await server.user(), undefined), 400, 'M_MISSING_PARAM', 'M_BAD_JSON')
          },
          ownOnly,
        )
      },
      { sample: { body: { medium: 'email', address: 'a@example.org' } } },
    )
    const credentials = {
      id_server: 'id.example',
      id_access_token: 'x',
      sid: 's',
      client_secret: CLIENT_SECRET,
    }
    operation(
      'bind3PID',
      'POST /_matrix/client/v3/account/3pid/bind',
      ({ notOffered }) => {
        notOffered(
          'works with no identity server',
          async (server) => {
            const user = await server.user()
            await refusal(
              user.call('POST', v3('/account/3pid/bind'), { body: credentials }),
              403,
              'M_SERVER_NOT_TRUSTED',
            )
          },
          ownOnly,
        )
      },
      {
        sample: {
          body: { client_secret: 's', sid: '1', id_server: 'identity.example', id_access_token: 't' },
        },
      },
    )
    operation('post3PIDs', 'POST /_matrix/client/v3/account/3pid', ({ notOffered }) => {
      notOffered(
        'works with no identity server',
        async (server) => {
          const user = await server.user()
          const body = { three_pid_creds: credentials }
          await refusal(user.call('POST', v3('/account/3pid'), { body }), 403, 'M_SERVER_NOT_TRUSTED')
          expect(await addresses(user)).toEqual([])
        },
        ownOnly,
      )
    })
  },
  async () => {
    mail = await startMailServer({ tls: 'off' })
    const { port } = mail
    return {
      config: {
        registration: { email: 'optional' },
        mail: { host: '127.0.0.1', port, tls: 'off', from: 'matrix@ministry.example', hide_addresses: false },
      },
      dispose: () => mail.close(),
    }
  },
)
