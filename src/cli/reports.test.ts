import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { startMailServer, type TestMailServer } from '../services/mail/testing-smtp.js'
import { reportLines } from './reports.js'
import { startNodeIn, type Answer, type NodeUnderTest } from './testing-node-client.js'
import { workplace, type Workplace } from './testing.js'

const PASSWORD = 'a first password'

let place: Workplace
let mail: TestMailServer
let node: NodeUnderTest | undefined

beforeEach(async () => {
  place = workplace()
  mail = await startMailServer()
  writeFileSync(join(place.folder, 'mail-ca.pem'), mail.ca)
  writeFileSync(
    join(place.folder, 'homeserver.yaml'),
    `server_name: ministry.example
public_baseurl: https://matrix.ministry.example
listeners: [{ address: 127.0.0.1, port: 0 }]
passwords: { memory_kib: 64, iterations: 1 }
registration: { enabled: true, flow: dummy, email: required, email_domains: [home.example] }
mail: { host: localhost, port: ${mail.port}, ca_files: [mail-ca.pem], from: matrix@ministry.example }
rate_limits: { login: false, registration: false }
`,
  )
  await place.run(['generate-key'])
  node = await startNodeIn(place.folder)
})
afterEach(async () => {
  await node?.close()
  await mail.close()
  place.remove()
})

const call = (...args: Parameters<NodeUnderTest['call']>): Promise<Answer> => node!.call(...args)

/** Opens the link of mail `index` as a browser does, and presses the button. */
async function press(index: number): Promise<number> {
  const { pathname, searchParams } = new URL((await mail.mail(index)).link!)
  // oxlint-disable-next-line no-restricted-globals -- a browser on loopback
  const answer = await fetch(node!.url + pathname, { method: 'POST', body: searchParams })
  return answer.status
}

async function register(username: string, email: string): Promise<Answer> {
  const asked = await call('POST', 'v3/register/email/requestToken', undefined, {
    client_secret: 'secret',
    email,
    send_attempt: 1,
  })
  expect(asked.status).toBe(200)
  expect(await press(mail.mails.length === 0 ? 0 : mail.mails.length - 1)).toBe(200)
  const threepid_creds = { sid: asked.body['sid'] as string, client_secret: 'secret' }
  return await call('POST', 'v3/register', undefined, {
    username,
    password: PASSWORD,
    auth: { type: 'm.login.email.identity', threepid_creds },
  })
}

describe('a node with a mail server', () => {
  it('makes an account for whoever proves an address, and gives a new password by mail', async () => {
    const made = await register('anne', 'anne@home.example')
    expect([made.status, made.body['user_id']]).toEqual([200, '@anne:ministry.example'])
    expect(mail.mails[0]).toMatchObject({ to: ['anne@home.example'], secure: true })
    const { body } = await call('POST', 'v3/account/password/email/requestToken', undefined, {
      client_secret: 'secret',
      email: 'ANNE@home.example',
      send_attempt: 1,
    })
    expect(await press(1)).toBe(200)
    const threepid_creds = { sid: body['sid'] as string, client_secret: 'secret' }
    const reset = await call('POST', 'v3/account/password', undefined, {
      new_password: 'a second password',
      auth: { type: 'm.login.email.identity', threepid_creds },
    })
    expect(reset.status).toBe(200)
    expect((await node!.login('anne', PASSWORD)).status).toBe(403)
    expect((await node!.login('anne', 'a second password')).status).toBe(200)
  })
})

describe('chancery reports', () => {
  it('lists what was reported, in pages, and deletes it', async () => {
    const token = (await register('anne', 'anne@home.example')).body['access_token'] as string
    expect((await place.run(['reports', 'list'])).out).toBe('nothing was reported\n')
    const path = (user: string): string => `v3/users/${encodeURIComponent(user)}/report`
    for (const user of ['@one:x.example', '@two:x.example'])
      expect((await call('POST', path(user), token, { reason: `bad\n\u001b[2J` })).status).toBe(200)
    const listed = await place.run(['reports', 'list'])
    expect(listed.out.split('\n')).toEqual([
      expect.stringMatching(/^2 {2}\d{4}-.*Z {2}@anne:ministry\.example reported user @two:x\.example$/),
      String.raw`    reason: "bad\n\u001b[2J"`,
      expect.stringMatching(/^1 {2}.* reported user @one:x\.example$/),
      String.raw`    reason: "bad\n\u001b[2J"`,
      '',
    ])
    expect((await place.run(['reports', 'list', '--before', '2'])).out).not.toContain('@two')
    expect((await place.run(['reports', 'delete', '2'])).out).toContain('report 2 is deleted')
    const gone = await place.run(['reports', 'delete', '2'])
    expect([gone.code, gone.err]).toEqual([1, expect.stringContaining('There is no report 2')])
    expect((await place.run(['reports', 'list', '--limit', 'x'])).code).toBe(2)
    expect((await place.run(['reports', 'burn'])).code).toBe(2)
  })

  it('shows nothing that turns text around or ends a line', () => {
    const lines = reportLines({
      id: 1,
      kind: 'event',
      reporter: '@anne:x.example',
      roomId: '!r:x.example',
      eventId: '$e',
      userId: '@b\u202e:x.example',
      reason: '',
      event: '{"body":"a\u009bb"}',
      createdTs: 0,
    })
    expect(lines).toEqual([
      '1  1970-01-01T00:00:00.000Z  @anne:x.example reported event !r:x.example $e @b?:x.example',
      '    event: {"body":"a?b"}',
    ])
  })
})
