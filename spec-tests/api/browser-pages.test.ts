import { expect } from '@jest/globals'
import { call, type Answer } from '../harness/client.js'
import type { Homeserver } from '../harness/homeserver.js'
import { section, v3 } from '../harness/section.js'

const PAGE = v3('/auth/m.login.registration_token/fallback/web')
const PASSWORD = 'a good password'
let counter = 0

/** A registration that waits for a token, and a token. */
async function begun(server: Homeserver): Promise<{
  session: string
  token: string
  register(): Promise<Answer>
}> {
  const admin = await server.administrator()
  const { token } = await admin.ok('POST', '/_synapse/admin/v1/registration_tokens/new', {})
  const wish = { username: `page-${Date.now().toString(36)}-${counter++}`, password: PASSWORD }
  const register = (auth?: object): Promise<Answer> =>
    call(server.url, 'POST', v3('/register'), { body: { ...wish, ...(auth && { auth }) } })
  const { session } = (await register()).body as { session: string }
  return { session, token, register: () => register({ session }) }
}
const submit = (server: Homeserver, fields: Record<string, string>): Promise<Answer> =>
  call(server.url, 'POST', PAGE, {
    body: new URLSearchParams(fields).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
const isPage = ({ headers }: Answer): boolean =>
  (headers.get('content-type') ?? '').startsWith('text/html') && headers.has('content-security-policy')

/** Which stages have a page that can be used without a browser is a server's own. */
const ownOnly = { ownOnly: true }

section(
  'Pages for browsers',
  'client-server-api/#fallback',
  (operation) => {
    operation(
      'getAuthFallback',
      `GET ${v3('/auth/{authType}/fallback/web')}`,
      ({ success, error }) => {
        success(
          'is a form for the stage of a session',
          async (server) => {
            const { session } = await begun(server)
            const answer = await call(server.url, 'GET', PAGE, { query: { session } })
            expect([answer.status, isPage(answer)]).toEqual([200, true])
            expect(answer.body).toContain(`value="${session}"`)
            expect(answer.body).toContain('name="token"')
          },
          ownOnly,
        )
        error(
          'has none for sessions and stages that are not there, and repeats nothing',
          async (server) => {
            const { session } = await begun(server)
            const hostile = '"><script>alert(1)</script>'
            const unknown = await call(server.url, 'GET', PAGE, { query: { session: hostile } })
            expect([unknown.status, isPage(unknown)]).toEqual([400, true])
            expect(unknown.body).not.toContain('<script>alert')
            const path = v3('/auth/m.login.password/fallback/web')
            expect((await call(server.url, 'GET', path, { query: { session } })).status).toBe(400)
          },
          ownOnly,
        )
      },
      { auth: 'none' },
    )
    operation(
      'postAuthFallback',
      `POST ${v3('/auth/{authType}/fallback/web')}`,
      ({ success, error }) => {
        success(
          'passes the stage, and says so to the client that shows the page',
          async (server) => {
            const { session, token, register } = await begun(server)
            expect((await register()).status).toBe(401)
            const answer = await submit(server, { session, token })
            expect([answer.status, isPage(answer)]).toEqual([200, true])
            expect(answer.body).toContain('onAuthDone')
            expect((await register()).status).toBe(200)
          },
          ownOnly,
        )
        error(
          'passes no stage with a token that is none',
          async (server) => {
            const { session, register } = await begun(server)
            const answer = await submit(server, { session, token: 'none' })
            expect([answer.status, isPage(answer)]).toEqual([401, true])
            expect(answer.body).not.toContain('onAuthDone')
            expect((await register()).status).toBe(401)
          },
          ownOnly,
        )
      },
      { auth: 'none' },
    )
    operation(
      'getLoginPage',
      'GET /_matrix/static/client/login/',
      ({ success }) => {
        success(
          'is a page that logs in and tells the client that shows it',
          async (server) => {
            const answer = await call(server.url, 'GET', '/_matrix/static/client/login/')
            expect([answer.status, isPage(answer)]).toEqual([200, true])
            expect(answer.body).toContain('matrixLogin.onLogin')
          },
          ownOnly,
        )
      },
      { auth: 'none' },
    )
  },
  { config: { registration: { flow: 'token' } } },
)
