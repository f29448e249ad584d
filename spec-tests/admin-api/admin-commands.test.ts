import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { nodeOperator } from '../../src/cli/node-operator.js'
import { authenticator, type Authenticator } from '../../src/platform/testing-authenticator.js'
import { call, createRoom, enc, eventually, register, sendText, v3, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'
import { refusal } from '../harness/section.js'
import { administrator, ADMIN_CONFIG } from './administrator.js'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const APPSERVICE = {
  id: 'bridge',
  url: null,
  as_token: 'the-token-of-the-bridge',
  hs_token: 'hs',
  sender_localpart: 'bridgebot',
  namespaces: { users: [{ regex: '@(bridged|administration|root-1)', exclusive: false }] },
}

let node: Node
let root: User
let app: Authenticator
const chancery = async (...args: string[]): Promise<string> => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [MAIN, ...args, '-c', join(node.folder, 'homeserver.yaml')],
    { env: { ...process.env, NODE_OPTIONS: '' } },
  )
  return stdout
}
async function enrolled(user: User): Promise<Authenticator> {
  const shown = await chancery('second-factor', 'enrol', user.userId)
  return authenticator(/^secret +([A-Z2-7]+)$/m.exec(shown)![1])
}

beforeAll(async () => {
  node = await startNode({
    config: {
      ...ADMIN_CONFIG,
      second_factor: { secret: 'a secret of more than thirty-two characters', guards_tools: true },
      admin_bot: { localpart: 'administration', people: [`@root-0:localhost`, '@root-1:localhost'] },
      server_notices: { localpart: 'notices' },
      audit: { enabled: true },
    },
    appservices: [APPSERVICE],
  })
  root = await administrator(node.url)
  app = await enrolled(root)
})
afterAll(() => node.dispose())

const path = (command: string): string => `/_chancery/admin/v1/${command}`
const command = (name: string, body: object = {}, code?: string, as = root) =>
  call(node.url, 'POST', path(name), {
    token: as.token,
    body,
    headers: code === undefined ? {} : { 'x-chancery-code': code },
  })

/** A code of a factor of its own, so that none has to wait for the next half minute. */
async function freshCode(): Promise<string> {
  const { secret } = await nodeOperator(join(node.folder, 'operator.sock')).secondFactor({
    do: 'enrol',
    user: root.userId,
    replace: true,
  })
  app = authenticator(secret)
  return app.code(Date.now())
}
/** A command with a code of its own. */
async function confirmed(name: string, body: object): Promise<Record<string, unknown>> {
  const answer = await command(name, body, await freshCode())
  expect([name, answer.status, answer.body]).toEqual([name, 200, expect.anything()])
  return answer.body as Record<string, unknown>
}
const logIn = (user: User, password: string) =>
  call(node.url, 'POST', v3('/login'), {
    body: { type: 'm.login.password', identifier: { type: 'm.id.user', user: user.userId }, password },
  })

describe('a command by HTTP', () => {
  it('is an administrator’s', async () => {
    const alice = await register(node.url)
    await refusal(command('ping', {}, undefined, alice), 403, 'M_FORBIDDEN')
    expect((await call(node.url, 'POST', path('ping'), { body: {} })).status).toBe(401)
    const bridge = await call(node.url, 'POST', path('ping'), {
      token: APPSERVICE.as_token,
      query: { user_id: root.userId },
      body: {},
    })
    expect(bridge.status).toBe(403)
    expect((await command('ping')).body).toMatchObject({ server_name: 'localhost' })
    const { commands } = await root.ok('GET', path('commands'))
    expect(commands).toContainEqual(expect.objectContaining({ name: 'deactivate', confirmed: 'always' }))
    await refusal(command('shadow_ban'), 404, 'M_UNRECOGNIZED')
  })

  it('that only reads, or locks, wants no code', async () => {
    const alice = await register(node.url)
    const roomId = await createRoom(alice)
    expect((await command('user', { user: alice.userId })).body).toMatchObject({
      message: `${alice.userId} is in use.`,
      devices: 1,
      emails: [],
    })
    expect((await command('memberships', { user: alice.userId })).body.memberships).toEqual({
      [roomId]: 'join',
    })
    expect((await command('room_details', { room: roomId })).body).toMatchObject({ joined_members: 1 })
    const { state } = (await command('room_state', { room: roomId, type: 'm.room.create' })).body
    expect(state).toEqual([expect.objectContaining({ type: 'm.room.create', sender: alice.userId })])
    await command('lock', { user: alice.userId })
    await refusal(alice.call('GET', v3('/account/whoami')), 401, 'M_USER_LOCKED')
    await refusal(command('account_validity', { user: alice.userId }), 400, 'M_INVALID_PARAM')
    await refusal(command('lock', { user: root.userId }), 403, 'M_FORBIDDEN')
    await refusal(command('lock', {}), 400, 'M_MISSING_PARAM')
    await refusal(command('user', { user: '@nobody:localhost' }), 404, 'M_NOT_FOUND')
  })

  it('that is dangerous says what it would do, and does it with a code', async () => {
    const alice = await register(node.url)
    const body = { user: alice.userId }
    const missing = await refusal(command('deactivate', body), 403, 'M_FORBIDDEN')
    expect(missing.body).toMatchObject({
      reason: 'second_factor.missing',
      will: expect.stringMatching(/is closed: its sessions end/),
    })
    expect((await command('deactivate', { ...body, explain: true })).body).toEqual({
      will: missing.body.will,
    })
    const wrong = await refusal(command('deactivate', body, app.wrong(Date.now())), 403, 'M_FORBIDDEN')
    expect(wrong.body.reason).toBe('second_factor.wrong')
    expect((await alice.call('GET', v3('/account/whoami'))).status).toBe(200)

    const code = await freshCode()
    expect((await command('deactivate', body, code)).body).toMatchObject({ changed: true })
    expect((await alice.call('GET', v3('/account/whoami'))).status).toBe(401)
    const bob = await register(node.url)
    const replayed = await refusal(command('deactivate', { user: bob.userId }, code), 403, 'M_FORBIDDEN')
    // Much later it would be wrong only.
    expect(replayed.body.reason).toMatch(/^second_factor\.(used|wrong)$/)
    expect((await bob.call('GET', v3('/account/whoami'))).status).toBe(200)
  })

  it('opens what it has closed, and gives the password to the caller alone', async () => {
    const alice = await register(node.url)
    const roomId = await createRoom(alice)
    await sendText(alice, roomId, 'x')
    await confirmed('deactivate', { user: alice.userId })
    // It leaves its rooms first.
    const { password } = await eventually('the account may be opened', async () => {
      const answer = await command('reactivate', { user: alice.userId, explain: true })
      return answer.status === 200 ? await confirmed('reactivate', { user: alice.userId }) : undefined
    })
    expect((await command('memberships', { user: alice.userId })).body.memberships[roomId]).toBe('leave')
    expect((await logIn(alice, String(password))).status).toBe(200)
    const reset = await confirmed('reset_password', { user: alice.userId })
    expect((await logIn(alice, String(password))).status).toBe(403)
    expect((await logIn(alice, String(reset['password']))).status).toBe(200)
    const log = await chancery('audit', 'export', '--user', alice.userId)
    expect(log).toContain('"account.reactivated"')
    expect(log).not.toContain(String(reset['password']))
    expect(log).not.toContain(String(password))
  })

  it('changes addresses and names', async () => {
    const alice = await register(node.url)
    const user = alice.userId
    const added = await confirmed('add_email', { user, email: 'Alice@a.example' })
    expect(added['emails']).toEqual(['alice@a.example'])
    await refusal(command('add_email', { user: root.userId, email: 'x@a.example' }), 403, 'M_FORBIDDEN')
    const replaced = await confirmed('replace_email', {
      user,
      old: 'alice@a.example',
      new: 'alice@b.example',
    })
    expect(replaced['emails']).toEqual(['alice@b.example'])
    // The address names the account from then on.
    await confirmed('replace_displayname', { user: 'alice@b.example', name: 'Alice [Finances]' })
    expect((await alice.ok('GET', v3(`/profile/${enc(user)}`))).displayname).toBe('Alice [Finances]')
    await confirmed('remove_email', { user, email: 'alice@b.example' })
    expect((await command('user', { user })).body.emails).toEqual([])
    await refusal(command('remove_email', { user, email: 'alice@b.example' }), 400, 'M_THREEPID_NOT_FOUND')
  })

  it('ends sessions, unlocks, tells people something and closes rooms', async () => {
    const alice = await register(node.url)
    const roomId = await createRoom(alice)
    const told = await confirmed('server_notice', { to: alice.userId, text: 'At noon' })
    expect(told).toMatchObject({ told: 1, failed: 0 })
    expect(Object.keys((await alice.ok('GET', v3('/sync'))).rooms.invite)).toHaveLength(1)
    await confirmed('remove_room', { room: roomId })
    await eventually('the room is left', async () => {
      const { joined_rooms: joined } = await alice.ok('GET', v3('/joined_rooms'))
      return joined.includes(roomId) ? undefined : true
    })
    await command('lock', { user: alice.userId })
    await confirmed('unlock', { user: alice.userId })
    expect((await alice.call('GET', v3('/account/whoami'))).status).toBe(200)
    await confirmed('log_out', { user: alice.userId })
    expect((await alice.call('GET', v3('/account/whoami'))).status).toBe(401)
  })

  it('is guarded for tools of other servers too, where that is configured', async () => {
    const alice = await register(node.url)
    const lock = `/_synapse/admin/v1/suspend/${enc(alice.userId)}`
    const body = { suspend: true }
    const without = await refusal(root.call('PUT', lock, { body }), 403, 'M_FORBIDDEN')
    expect(without.body.reason).toBe('second_factor.missing')
    const specified = `/_matrix/client/v1/admin/lock/${enc(alice.userId)}`
    await refusal(root.call('PUT', specified, { body: { locked: true } }), 403, 'M_FORBIDDEN')
    expect(await root.ok('GET', specified)).toEqual({ locked: false })
    const code = await freshCode()
    const sent = await call(node.url, 'PUT', lock, {
      token: root.token,
      body,
      headers: { 'x-chancery-code': code },
    })
    expect(sent.status).toBe(200)
    expect((await root.call('GET', `/_synapse/admin/v2/users/${enc(alice.userId)}`)).status).toBe(200)
  })
})

describe('the administration bot', () => {
  const BOT = '@administration:localhost'
  let roomId: string

  interface Shown {
    readonly event_id: string
    readonly sender: string
    readonly content: Record<string, any> // oxlint-disable-line typescript/no-explicit-any
  }
  const timeline = async (as = root): Promise<readonly Shown[]> =>
    (await as.ok('GET', v3(`/rooms/${enc(roomId)}/messages`), undefined, { dir: 'b', limit: 100 })).chunk
  const answers = async (eventId: string): Promise<string[]> =>
    (await timeline())
      .filter(
        (event) =>
          event.sender === BOT && event.content['m.relates_to']?.['m.in_reply_to']?.event_id === eventId,
      )
      .map((event) => event.content['body'] as string)
      .toReversed()
  /** Says something; gives what the bot answers first. */
  async function say(body: string): Promise<{ id: string; answer: string }> {
    const id = await sendText(root, roomId, body)
    const answer = await eventually(`an answer to ${body}`, async () => (await answers(id))[0])
    return { id, answer }
  }

  it('calls its people in, and takes commands there', async () => {
    roomId = await eventually('an invite', async () => {
      const { rooms } = await root.ok('GET', v3('/sync'))
      return Object.keys(rooms?.invite ?? {})[0]
    })
    await root.ok('POST', v3(`/join/${enc(roomId)}`), {})
    const { answer } = await say('!ping')
    expect(answer).toMatch(/^localhost is there\.\n\n```\nserver_name: localhost/)
  })

  it('carries out what a code confirms, and takes the code back', async () => {
    const alice = await register(node.url)
    const { id, answer } = await say(`!deactivate ${alice.userId}`)
    expect(answer).toMatch(/is closed: its sessions end/)
    const wrong = await say(app.wrong(Date.now()))
    expect(wrong.answer).toMatch(/The code is wrong/)
    expect((await alice.call('GET', v3('/account/whoami'))).status).toBe(200)
    const code = await freshCode()
    const codeId = await sendText(root, roomId, code)
    await eventually('the end of the session', async () =>
      (await alice.call('GET', v3('/account/whoami'))).status === 401 ? true : undefined,
    )
    await eventually('the answer', async () =>
      (await answers(id)).some((text) => /is closed now/.test(text)) ? true : undefined,
    )
    for (const taken of [codeId, wrong.id])
      await eventually('the code is taken back', async () => {
        const event = (await timeline()).find((one) => one.event_id === taken)
        return event !== undefined && Object.keys(event.content).length === 0 ? true : undefined
      })
    const bob = await register(node.url)
    await say(`!deactivate ${bob.userId}`)
    expect((await say(code)).answer).toMatch(/used before|wrong/)
    expect((await bob.call('GET', v3('/account/whoami'))).status).toBe(200)
  })

  it('is nobody’s to log in to, to act as, or to invite', async () => {
    await refusal(
      call(node.url, 'GET', v3('/account/whoami'), {
        token: APPSERVICE.as_token,
        query: { user_id: BOT },
      }),
      403,
      'M_FORBIDDEN',
    )
    await refusal(
      call(node.url, 'POST', v3('/register'), {
        body: { username: 'administration', password: 'x', auth: { type: 'm.login.dummy' } },
      }),
      400,
      'M_USER_IN_USE',
    )
    const other = await createRoom(root)
    await refusal(
      root.call('POST', v3(`/rooms/${enc(other)}/invite`), { body: { user_id: BOT } }),
      403,
      'M_FORBIDDEN',
    )
  })

  it('does not listen to an administrator as whom an application service may act, nor to one whom it is not for', async () => {
    const bridged = await administrator(node.url)
    const unnamed = await administrator(node.url)
    expect([bridged.userId, unnamed.userId]).toEqual(['@root-1:localhost', '@root-2:localhost'])
    await say('!ping')
    for (const user of [bridged, unnamed]) {
      expect((await user.ok('GET', v3('/sync'))).rooms?.invite ?? {}).toEqual({})
      await refusal(user.call('POST', v3(`/join/${enc(roomId)}`), { body: {} }), 403, 'M_FORBIDDEN')
    }
  })

  it('answers once what it was told before it was killed', async () => {
    const alice = await register(node.url)
    const id = await sendText(root, roomId, `!lock ${alice.userId}`)
    await node.kill()
    await node.start()
    const said = await eventually('an answer', async () => {
      const found = await answers(id)
      return found.length > 0 ? found : undefined
    })
    expect(said).toEqual([expect.stringMatching(/is locked (now|already)/)])
    await say('!ping')
    expect(await answers(id)).toEqual(said)
    await refusal(alice.call('GET', v3('/account/whoami')), 401, 'M_USER_LOCKED')
  })
})
