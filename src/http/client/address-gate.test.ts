import { afterEach, describe, expect, it } from '@jest/globals'
import { emailRouting } from '../../core/node-list/route-email.js'
import { until } from '../../platform/testing-until.js'
import type { OutgoingMail } from '../../platform/smtp.js'
import { createAddressGate } from '../../services/address-gate/address-gate.js'
import { PASSWORD, SERVER_NAME } from '../../services/accounts/testing.js'
import type { TestResponse } from '../testing.js'
import { startAccountsServer, type AccountsServer, type AccountsServerOptions } from './testing.js'

let server: AccountsServer
let sent: OutgoingMail[]
let invited: Set<string>
let takesInvitation: boolean
let own: string[]

const email = (domains: string[]) => ({ domains, patterns: [], fallback: false })
afterEach(() => server.close())

interface Wish extends Pick<AccountsServerOptions, 'profile' | 'serverInfo'> {
  readonly hideAddresses?: boolean
  readonly locked?: boolean
  readonly accounts?: AccountsServerOptions['accounts']
}

async function start({ hideAddresses = true, locked = false, accounts, ...rest }: Wish = {}): Promise<void> {
  const box: OutgoingMail[] = []
  sent = box
  invited = new Set()
  takesInvitation = false
  own = ['finances.example']
  const gate = createAddressGate({
    serverName: SERVER_NAME,
    allowTags: false,
    homeOf: (address) =>
      emailRouting([
        { serverName: SERVER_NAME, leftAt: undefined, email: email(own) },
        { serverName: 'interieur.example', leftAt: undefined, email: email(['gov.example']) },
      ]).memberOf(address, 0),
    takesInvitation: () => takesInvitation,
    // oxlint-disable-next-line require-yield
    hasInvitation: function* (address) {
      return invited.has(address)
    },
  })
  server = await startAccountsServer({
    ...rest,
    accounts: {
      ...accounts,
      registration: { enabled: true, requireToken: false, email: 'required' },
    },
    deps: {
      rules: { gate, locked },
      mail: {
        transport: { send: (mail) => Promise.resolve(void box.push(mail)), close: () => undefined },
        options: { hideAddresses },
      },
    },
  })
}

let attempts = 0
const post = (path: string, body: object, token?: string): Promise<TestResponse> =>
  server.request('POST', path, { body, ...(token === undefined ? {} : { token }) })
const ask = (address: string, what = 'register'): Promise<TestResponse> =>
  post(`${what}/email/requestToken`, { client_secret: 's', email: address, send_attempt: ++attempts })

async function newMail(before: number): Promise<OutgoingMail> {
  await until(() => sent.length > before)
  return sent[before]!
}

async function prove(address: string): Promise<{ sid: string; client_secret: string }> {
  const before = sent.length
  const { body } = await ask(address)
  const link = new URL(/https:\S+/.exec((await newMail(before)).text)![0])
  await server.fixture.threepids.confirm(link.searchParams.get('sid')!, link.searchParams.get('token')!)
  return { sid: body.sid as string, client_secret: 's' }
}

const register = (threepid_creds: object, more: object = {}): Promise<TestResponse> =>
  post('register', {
    password: PASSWORD,
    auth: { type: 'm.login.email.identity', threepid_creds },
    ...more,
  })
const refused = ({ status, body }: TestResponse): unknown[] => [status, body.errcode, body.reason]

describe('a node for the addresses of one administration', () => {
  it.each([
    ['anne@gov.example', 'address.elsewhere'],
    ['anne@home.example', 'address.nobody'],
    ['anne+x@finances.example', 'address.tag'],
  ])('sends no mail to %s, and says why: %s', async (address, reason) => {
    await start()
    expect(refused(await ask(address))).toEqual([403, 'M_THREEPID_DENIED', reason])
    expect(refused(await ask(address, 'account/3pid'))).toEqual([403, 'M_THREEPID_DENIED', reason])
    expect(sent).toEqual([])
  })

  it('says where the address belongs', async () => {
    await start()
    expect((await ask('anne@gov.example')).body).toMatchObject({ home: 'interieur.example' })
  })

  it.each([
    'anne@gov.example@finances.example',
    '"anne@gov.example"@finances.example',
    'a b@finances.example',
  ])('takes %s for no address', async (address) => {
    await start()
    expect((await ask(address)).body.errcode).toBe('M_INVALID_PARAM')
  })

  it('lets nobody register without a proved address', async () => {
    await start()
    expect((await post('register', { password: PASSWORD, username: 'anne' })).body.flows).toEqual([
      { stages: ['m.login.email.identity'] },
    ])
    const dummy = await post('register', { password: PASSWORD, auth: { type: 'm.login.dummy' } })
    expect(dummy.status).toBe(401)
    const proof = await prove('Anne@Finances.example')
    expect((await register(proof)).status).toBe(200)
    expect((await register(proof)).status).toBe(401)
  })

  it('looks again when the account is made: the list may have changed since the mail', async () => {
    await start()
    const proof = await prove('anne@finances.example')
    own = []
    expect(refused(await register(proof))).toEqual([403, 'M_THREEPID_DENIED', 'address.nobody'])
  })

  it('tells nobody but the mailbox that an address was not invited', async () => {
    await start()
    takesInvitation = true
    invited.add('zoe@finances.example')
    const answers = [await ask('anne@finances.example'), await ask('zoe@finances.example')]
    expect(answers.map(({ status, body }) => [status, Object.keys(body as object)])).toEqual([
      [200, ['sid']],
      [200, ['sid']],
    ])
    await until(() => sent.length === 2)
    const to = (address: string): string => sent.find((mail) => mail.to === address)!.text
    expect(to('anne@finances.example')).not.toContain('https:')
    expect(to('anne@finances.example')).toContain('was not invited')
    expect(to('zoe@finances.example')).toContain('https:')
  })

  it('says so where addresses are not hidden', async () => {
    await start({ hideAddresses: false })
    takesInvitation = true
    expect(refused(await ask('anne@finances.example'))).toEqual([
      403,
      'M_THREEPID_DENIED',
      'address.invitation',
    ])
  })

  it('makes no account once the invitation has run out', async () => {
    await start()
    takesInvitation = true
    invited.add('anne@finances.example')
    const proof = await prove('anne@finances.example')
    invited.clear()
    expect(refused(await register(proof))).toEqual([403, 'M_THREEPID_DENIED', 'address.invitation'])
  })
})

describe('a node that names accounts', () => {
  const names = {
    userId: '{local}-{domain}',
    displayName: '{name} [{organisation}]',
    publicSuffixes: [],
    label: () => 'Finances',
  }

  it('makes names from the address, whatever is wished, and counts those of one name', async () => {
    await start({ accounts: { names } })
    await server.fixture.user('anne-marie.dupont-finances.example')
    const first = await register(await prove('anne-marie.dupont@finances.example'), { username: 'boss' })
    expect(first.body.user_id).toBe(`@anne-marie.dupont-finances.example-2:${SERVER_NAME}`)
    const userId = first.body.user_id as string
    const { body } = await server.request('GET', `profile/${encodeURIComponent(userId)}/displayname`)
    expect(body).toEqual({ displayname: 'Anne-Marie Dupont [Finances]' })
  })

  it('gives people of one name different accounts when they come in the same moment', async () => {
    await start({ accounts: { names: { ...names, userId: '{organisation}' } } })
    const proofs = []
    for (const name of ['a', 'b', 'c']) proofs.push(await prove(`${name}@finances.example`))
    const answers = await Promise.all(proofs.map((proof) => register(proof)))
    expect(new Set(answers.map(({ body }) => body.user_id as string))).toEqual(
      new Set(['finances', 'finances-2', 'finances-3'].map((name) => `@${name}:${SERVER_NAME}`)),
    )
  })

  it('tells a stranger of no name whether somebody has it', async () => {
    await start({ accounts: { names } })
    await server.fixture.user('anne')
    for (const username of ['anne', 'nobody']) {
      const asked = await server.request('GET', `register/available?username=${username}`)
      expect([asked.status, asked.body.errcode]).toEqual([400, 'M_INVALID_USERNAME'])
      expect((await post('register', { username, password: PASSWORD })).status).toBe(401)
    }
  })
})

describe('what the administration manages', () => {
  const managed = ['displayname', 'avatar_url']
  it('users cannot change, and clients are told', async () => {
    await start({
      locked: true,
      profile: { managed },
      serverInfo: { managedProfileFields: managed, changeThreepids: false },
    })
    const { access_token: token, user_id: userId } = await server.fixture.user('anne')
    const { capabilities } = (await server.request('GET', 'capabilities', { token })).body
    expect(capabilities).toMatchObject({
      'm.set_displayname': { enabled: false },
      'm.set_avatar_url': { enabled: false },
      'm.3pid_changes': { enabled: false },
      'm.profile_fields': { enabled: true, disallowed: managed },
    })
    const path = `profile/${encodeURIComponent(userId)}`
    for (const field of managed) {
      const set = await server.request('PUT', `${path}/${field}`, { token, body: { [field]: 'x' } })
      expect([set.status, set.body.errcode]).toEqual([403, 'M_FORBIDDEN'])
    }
    expect((await server.request('PUT', `${path}/m.tz`, { token, body: { 'm.tz': 'x' } })).status).toBe(200)
    const locked = [403, 'M_FORBIDDEN', 'address.locked']
    expect(refused(await ask('anne@finances.example', 'account/3pid'))).toEqual(locked)
    const gone = { medium: 'email', address: 'anne@finances.example' }
    expect(refused(await post('account/3pid/delete', gone, token))).toEqual(locked)
  })

  it('administrators can change', async () => {
    await start({ locked: true, profile: { managed } })
    const { user_id: userId } = await server.fixture.user('anne')
    await server.fixture.threepids.replace(userId, ['other@elsewhere.example'])
    expect(await server.fixture.threepids.ownerOf('other@elsewhere.example')).toBe(userId)
  })
})

describe('the policy of passwords', () => {
  it('is told to whoever asks, and held', async () => {
    await start({ accounts: { passwords: { minLength: 10, require: ['digit', 'symbol'] } } })
    const { status, body } = await server.request('GET', '/_matrix/client/r0/password_policy')
    expect([status, body]).toEqual([
      200,
      {
        'm.minimum_length': 10,
        'm.require_digit': true,
        'm.require_symbol': true,
        'm.require_lowercase': false,
        'm.require_uppercase': false,
      },
    ])
    for (const [password, errcode] of [
      ['a1-', 'M_PASSWORD_TOO_SHORT'],
      ['correct-horse', 'M_PASSWORD_NO_DIGIT'],
      ['correct4horse', 'M_PASSWORD_NO_SYMBOL'],
    ] as const)
      expect((await post('register', { password })).body.errcode).toBe(errcode)
    expect((await post('register', { password: 'correct-4-horse' })).status).toBe(401)
  })
})
