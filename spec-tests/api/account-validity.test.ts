import { expect } from '@jest/globals'
import {
  startMailServer,
  type ReceivedMail,
  type TestMailServer,
} from '../../src/services/mail/testing-smtp.js'
import { call, type Answer, type User } from '../harness/client.js'
import type { Homeserver } from '../harness/homeserver.js'
import { enc, refusal, section, v3 } from '../harness/section.js'

const SEND = '/_matrix/client/unstable/account_validity/send_mail'
const RENEW = '/_matrix/client/unstable/account_validity/renew'
const VALIDITY = '/_synapse/admin/v1/account_validity/validity'
const EXPIRED = 'ORG_MATRIX_EXPIRED_ACCOUNT'
const UNKNOWN = 'x'.repeat(32)
/** No server must have these. */
const ours = { ours: true } as const
const everybody = { auth: 'none', ...ours } as const

let mail: TestMailServer
let counter = 0
const newAddress = (): string => `anne-${Date.now().toString(36)}-${counter++}@home.example`

async function mailTo(address: string): Promise<ReceivedMail> {
  for (;;) {
    const found = mail.mails.find(({ to }) => to.includes(address))
    if (found !== undefined) return found
    await mail.mail(mail.mails.length)
  }
}

/** A user whose account ends at the time, with an address. */
async function userUntil(
  server: Homeserver,
  expiration_ts: number,
): Promise<{ readonly user: User; readonly address: string }> {
  const [user, admin] = [await server.user('anne'), await server.administrator()]
  const address = newAddress()
  const threepids = [{ medium: 'email', address }]
  await admin.ok('PUT', `/_synapse/admin/v2/users/${enc(user.userId)}`, { threepids })
  await admin.ok('POST', VALIDITY, { user_id: user.userId, expiration_ts })
  return { user, address }
}

/** What is in the link that somebody gets who asks for one. */
async function tokenOf(user: User, address: string): Promise<string> {
  expect(await user.ok('POST', SEND)).toEqual({})
  return new URL((await mailTo(address)).link!).searchParams.get('token')!
}

const whoami = (user: User): Promise<Answer> => user.call('GET', v3('/account/whoami'))
const look = (server: Homeserver, token: string): Promise<Answer> =>
  call(server.url, 'GET', RENEW, { query: { token } })
const press = (server: Homeserver, token: string): Promise<Answer> =>
  call(server.url, 'POST', RENEW, {
    body: new URLSearchParams({ token }).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
const day = (ts: number): string => new Date(ts).toISOString().slice(0, 10)
const YEAR = 365 * 24 * 3_600_000

// Not in the specification: accounts that expire, as the clients of the French administration know them.
section(
  'Accounts that expire',
  'client-server-api/#account-management',
  (operation) => {
    operation(
      'sendRenewalMail',
      `POST ${SEND}`,
      ({ success, error }) => {
        success(
          'sends a link to the address of the account, to who has expired too, once in a while',
          async (server) => {
            for (const [ts, subject] of [
              [1, 'has expired'],
              [Date.now() + YEAR, `expires on ${day(Date.now() + YEAR)}`],
            ] as const) {
              const { user, address } = await userUntil(server, ts)
              expect(await user.ok('POST', SEND)).toEqual({})
              const again = await refusal(user.call('POST', SEND), 429, 'M_LIMIT_EXCEEDED')
              expect(again.body.retry_after_ms).toBeGreaterThan(0)
              const { to, raw, text, link } = await mailTo(address)
              expect(to).toEqual([address])
              expect(raw).toContain(subject)
              expect(text).toContain(user.userId)
              const { origin, pathname, searchParams } = new URL(link!)
              expect(origin + pathname).toBe(server.publicUrl + RENEW)
              expect((await look(server, searchParams.get('token')!)).body).toContain(user.userId)
            }
          },
        )
        error('tells who has no address that no mail can be sent', async (server) => {
          const { body } = await refusal((await server.user('bob')).call('POST', SEND), 400, 'M_UNKNOWN')
          expect(body.error).toContain('ask an administrator')
        })
      },
      ours,
    )
    operation(
      'getRenewAccount',
      `GET ${RENEW}`,
      ({ success, error }) => {
        success('asks whether the account is still needed, and renews nothing', async (server) => {
          const { user, address } = await userUntil(server, 1)
          const token = await tokenOf(user, address)
          const { status, headers, body } = await look(server, token)
          expect([status, headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')])
          expect(body).toContain(user.userId)
          expect(body).toContain(`name="token" value="${token}"`)
          await refusal(whoami(user), 403, EXPIRED)
          await press(server, token)
          expect((await look(server, token)).body).toContain('renewed with this message')
        })
        error('knows no other links', async (server) => {
          for (const token of [UNKNOWN, '']) {
            const { status, headers, body } = await look(server, token)
            expect([status, headers.get('content-type')]).toEqual([404, expect.stringContaining('text/html')])
            expect(body).toContain('This link is not valid')
          }
        })
      },
      everybody,
    )
    operation(
      'postRenewAccount',
      `POST ${RENEW}`,
      ({ success, error }) => {
        success('renews the account of the link, once, and no other', async (server) => {
          const [anne, other] = [await userUntil(server, 1), await userUntil(server, 1)]
          const token = await tokenOf(anne.user, anne.address)
          await refusal(whoami(anne.user), 403, EXPIRED)
          const before = Date.now()
          const { status, headers, body } = await press(server, token)
          expect([status, headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')])
          const lasts = 42 * 24 * 3_600_000
          const days = [day(before + lasts), day(Date.now() + lasts)]
          expect(days.some((one) => (body as string).includes(`renewed until ${one}`))).toBe(true)
          expect((await whoami(anne.user)).body.user_id).toBe(anne.user.userId)
          await refusal(whoami(other.user), 403, EXPIRED)
          const admin = await server.administrator()
          await admin.ok('POST', VALIDITY, { user_id: anne.user.userId, expiration_ts: 1 })
          expect((await press(server, token)).body).toContain('renewed with this message')
          await refusal(whoami(anne.user), 403, EXPIRED)
        })
        error('knows no other links', async (server) => {
          const { status, body } = await press(server, UNKNOWN)
          expect([status, body]).toEqual([404, expect.stringContaining('This link is not valid')])
        })
      },
      everybody,
    )
  },
  async () => {
    mail = await startMailServer({ tls: 'off' })
    return {
      config: {
        mail: { host: '127.0.0.1', port: mail.port, tls: 'off', from: 'matrix@administration.example' },
        account_validity: { enabled: true, period: '42d', remind_before: [] },
      },
      dispose: () => mail.close(),
    }
  },
)
