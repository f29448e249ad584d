import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { signaturesOf, signingInput } from '../core/event/sign.js'
import type { JsonObject } from '../core/json/value.js'
import { publicKey, verifySignature } from '../platform/ed25519.js'
import { until } from '../platform/testing-until.js'
import { openSqlite } from '../storage/sqlite-store.js'
import { SqliteDatabase } from '../storage/sqlite-driver.js'
import { userById, type UserRow } from '../storage/tables/users.js'
import { startNodeIn, type Answer, type NodeUnderTest } from './testing-node-client.js'
import { workplace, type Finished, type Workplace } from './testing.js'

const CONFIG = `server_name: ministry.example
listeners: [{ address: 127.0.0.1, port: 0 }]
passwords: { memory_kib: 64, iterations: 1 }
registration: { enabled: true, flow: token }
rate_limits: { login: false, registration: false }
`
const PASSWORD = 'a first password'

let place: Workplace
let node: NodeUnderTest | undefined

beforeEach(async () => {
  place = workplace()
  writeFileSync(join(place.folder, 'homeserver.yaml'), CONFIG)
  await place.run(['generate-key'])
})
afterEach(async () => {
  await node?.close()
  node = undefined
  place.remove()
})

async function startNode(): Promise<void> {
  node = await startNodeIn(place.folder)
}
const call = (...args: Parameters<NodeUnderTest['call']>): Promise<Answer> => node!.call(...args)
const login = (user: string, password: string): Promise<Answer> => node!.login(user, password)
const whoAmI = (token: string): Promise<Answer> => call('GET', 'v3/account/whoami', token)

const make = (user: string, ...options: string[]): Promise<Finished> =>
  place.run(['register-user', '--user', user, ...options], { input: `${PASSWORD}\n` })

async function row(user: string): Promise<UserRow | undefined> {
  const store = await openSqlite({ path: join(place.folder, 'homeserver.db') })
  try {
    return await store.read('test', () => userById(`@${user}:ministry.example`))
  } finally {
    await store.close()
  }
}

function verifiedBy(document: JsonObject, keyId: string, key: string): boolean {
  const signature = signaturesOf(document, 'ministry.example').get(keyId)
  return signature !== undefined && verifySignature(publicKey(key)!, signingInput(document), signature)
}

describe('the command line beside a running node', () => {
  beforeEach(startNode)

  it('makes accounts without a shared secret', async () => {
    const made = await make('anne')
    expect([made.code, made.out]).toEqual([0, 'made @anne:ministry.example through the running node\n'])
    expect((await login('anne', PASSWORD)).status).toBe(200)
  })

  it('gives a new password: cached access tokens, refresh tokens, devices and the old password end at once', async () => {
    await make('anne')
    const { body: session } = await login('anne', PASSWORD)
    // Used, so that the node has it in its cache.
    expect((await whoAmI(session['access_token'])).status).toBe(200)
    const done = await place.run(['reset-password', 'anne'], { input: 'a second password\n' })
    expect([done.code, done.err]).toEqual([0, ''])
    expect(done.out).toContain('through the running node')
    expect(await whoAmI(session['access_token'])).toMatchObject({
      status: 401,
      body: { errcode: 'M_UNKNOWN_TOKEN' },
    })
    const refreshed = await call('POST', 'v3/refresh', undefined, { refresh_token: session['refresh_token'] })
    expect(refreshed.status).toBe(401)
    expect((await login('anne', PASSWORD)).status).toBe(403)
    const again = await login('@anne:ministry.example', 'a second password')
    const { body: devices } = await call('GET', 'v3/devices', again.body['access_token'])
    expect(devices['devices']).toHaveLength(1)
  })

  it('gives and takes the rights of an administrator at once', async () => {
    await make('anne')
    await make('bob')
    const { body: session } = await login('anne', PASSWORD)
    const ask = (): Promise<Answer> =>
      call('GET', 'v3/admin/whois/%40bob%3Aministry.example', session['access_token'])
    expect((await ask()).status).toBe(403)
    expect((await place.run(['set-admin', 'anne', 'on'])).out).toContain('is an administrator now')
    expect((await ask()).status).toBe(200)
    expect((await place.run(['set-admin', '@anne:ministry.example', 'off'])).code).toBe(0)
    expect((await ask()).status).toBe(403)
  })

  it('closes an account: its session ends, its rooms are left, its name stays taken', async () => {
    await make('anne')
    await make('bob')
    const anne = (await login('anne', PASSWORD)).body['access_token'] as string
    const bob = (await login('bob', PASSWORD)).body['access_token'] as string
    const { body: room } = await call('POST', 'v3/createRoom', bob, { preset: 'public_chat' })
    await call('POST', `v3/join/${encodeURIComponent(room['room_id'])}`, anne, {})
    const done = await place.run(['deactivate', 'anne', '--yes'])
    expect([done.code, done.out]).toEqual([
      0,
      '@anne:ministry.example is deactivated (through the running node)\n',
    ])
    expect((await whoAmI(anne)).status).toBe(401)
    expect((await login('anne', PASSWORD)).status).toBe(403)
    const membership = async (): Promise<string> => {
      const path = `v3/rooms/${encodeURIComponent(room['room_id'])}/state/m.room.member/@anne:ministry.example`
      return (await call('GET', path, bob)).body['membership'] as string
    }
    await until(async () => (await membership()) === 'leave')
    expect((await make('anne')).err).toContain('taken')
  })

  it('makes registration tokens that work as often as was said, and not after they are revoked', async () => {
    const made = await place.run(['registration-token', 'create', '--uses', '1', '--expires', '2h'])
    const token = made.out.trim()
    expect([made.code, token.length]).toEqual([0, 16])
    const register = async (username: string, with_: string): Promise<number> => {
      const first = await call('POST', 'v3/register', undefined, { username, password: PASSWORD })
      const auth = { type: 'm.login.registration_token', token: with_, session: first.body['session'] }
      const answer = await call('POST', 'v3/register', undefined, { username, password: PASSWORD, auth })
      return answer.status
    }
    expect(await register('anne', token)).toBe(200)
    expect(await register('bob', token)).toBe(401)
    expect((await place.run(['registration-token', 'list'])).out).toMatch(
      new RegExp(`^${token}  1 of 1 used, until \\d{4}-`),
    )
    await place.run(['registration-token', 'create', '--token', 'ours'])
    expect((await place.run(['registration-token', 'revoke', 'ours'])).out).toBe('revoked ours\n')
    expect(await register('carl', 'ours')).toBe(401)
    expect((await place.run(['registration-token', 'revoke', 'ours'])).err).toContain(
      'no such registration token',
    )
  })

  it('rotates the key: the node signs with the new one, and publishes the old one as one of before', async () => {
    const published = async (): Promise<Answer['body']> => {
      const answer = await fetch(`${node!.url}/_matrix/key/v2/server`)
      return (await answer.json()) as Answer['body']
    }
    const [[oldId, oldKey]] = Object.entries<{ key: string }>((await published())['verify_keys']) as [
      [string, { key: string }],
    ]
    const done = await place.run(['rotate-key'])
    expect([done.code, done.err]).toEqual([0, ''])
    expect(done.out).toContain(`retired: ${oldId}\n`)
    const newId = /^key id: (.*)$/m.exec(done.out)![1]!
    const newKey = /^public key: (.*)$/m.exec(done.out)![1]!
    const document = await published()
    expect(document).toMatchObject({
      verify_keys: { [newId]: { key: newKey } },
      old_verify_keys: { [oldId]: { key: oldKey.key, expired_ts: expect.any(Number) } },
    })
    expect(Object.keys(document['verify_keys'])).toEqual([newId])
    expect(verifiedBy(document as JsonObject, newId, newKey)).toBe(true)
    // A restart changes nothing.
    await node!.close()
    await startNode()
    const { verify_keys: keys, old_verify_keys: old } = await published()
    expect([keys, old]).toEqual([document['verify_keys'], document['old_verify_keys']])
  })

  it('serves the socket to its own user alone, and no listener of the network serves what it serves', async () => {
    const answer = await fetch(`${node!.url}/operator/set-admin`, {
      method: 'POST',
      body: '{"user":"anne","admin":true}',
    })
    expect(answer.status).toBe(404)
    await node!.close()
    node = undefined
    expect(existsSync(join(place.folder, 'operator.sock'))).toBe(false)
  })
})

describe('the command line without a node', () => {
  it('does the same in the database, and devices go with their keys', async () => {
    await startNode()
    await make('anne')
    const { body: session } = await login('anne', PASSWORD)
    await node!.close()
    node = undefined
    const done = await place.run(['reset-password', 'anne', '--generate-password'])
    expect(done.err).toBe('')
    expect(done.out).toContain('has a new password and no session any more (in the database)')
    await place.run(['set-admin', 'anne', 'on'])
    expect(await row('anne')).toMatchObject({ is_admin: 1 })
    await startNode()
    expect((await whoAmI(session['access_token'])).status).toBe(401)
    const password = /^password: (.*)$/m.exec(done.out)![1]!
    expect((await login('anne', password)).status).toBe(200)
  })

  it('rotates to a key that was made beforehand, and refuses it a second time', async () => {
    const made = await place.run(['generate-key', '--output', 'next.key'])
    const keyId = /^key id: (.*)$/m.exec(made.out)![1]!
    const done = await place.run(['rotate-key', '--key', 'next.key'])
    expect([done.code, done.err]).toEqual([0, ''])
    expect(done.out).toContain('from the next start of the node')
    expect(done.out).toContain(`key id: ${keyId}\n`)
    expect(statSync(join(place.folder, 'signing.key')).mode & 0o777).toBe(0o600)
    const again = await place.run(['rotate-key', '--key', 'next.key'])
    expect([again.code, again.err]).toEqual([1, expect.stringContaining('has signed before')])
    expect((await place.run(['rotate-key', '--key', 'none.key'])).err).toContain('is not there')
    await startNode()
    const answer = await fetch(`${node!.url}/_matrix/key/v2/server`)
    expect(Object.keys(((await answer.json()) as Answer['body'])['verify_keys'])).toEqual([keyId])
  })

  it('leaves the rooms of a closed account at the next start', async () => {
    await startNode()
    await make('anne')
    const token = (await login('anne', PASSWORD)).body['access_token'] as string
    await call('POST', 'v3/createRoom', token, {})
    await node!.close()
    node = undefined
    expect((await place.run(['deactivate', 'anne', '--yes', '--erase'])).out).toContain('in the database')
    expect(await row('anne')).toMatchObject({ deactivated: 1, erased: 1, password_hash: null })
    await startNode()
    const database = new SqliteDatabase(join(place.folder, 'homeserver.db'), { readonly: true })
    try {
      const pending = database.prepare('SELECT COUNT(*) AS n FROM users WHERE cleanup_pending = 1')
      await until(() => (pending.get() as { n: number }).n === 0)
    } finally {
      database.close()
    }
  })

  it('refuses what makes no sense, in a sentence, and changes nothing', async () => {
    await make('anne')
    const cases: [string[], number, RegExp][] = [
      [['reset-password'], 2, /USER is missing\. Usage: chancery reset-password USER/],
      [['reset-password', 'nobody', '--generate-password'], 1, /no account @nobody:ministry\.example/],
      [
        ['reset-password', '@anne:elsewhere.example', '--generate-password'],
        1,
        /is no user of ministry\.example/,
      ],
      [['reset-password', 'anne', 'extra'], 2, /Unexpected argument 'extra'/],
      [['set-admin', 'anne'], 2, /on\|off is missing/],
      [['set-admin', 'anne', 'yes'], 2, /neither `on` nor `off`/],
      [['deactivate', 'anne'], 2, /say `--yes`/],
      [['registration-token', 'make'], 2, /none of `create`, `list` and `revoke`/],
      [['registration-token', 'create', '--uses', '0'], 2, /whole number from 1 on/],
      [['registration-token', 'create', '--expires', 'soon'], 2, /is no expiry/],
      [['registration-token', 'create', '--expires', '2020-01-01'], 2, /has passed/],
      [['registration-token', 'create', '--token', 'a b'], 1, /1 to 64 characters/],
      [['registration-token', 'revoke'], 2, /TOKEN is missing/],
      [['registration-token', 'list', '--uses', '3'], 2, /takes no `--uses`/],
      [['registration-token', 'list', 'x'], 2, /takes nothing after it/],
    ]
    for (const [args, code, message] of cases) {
      const done = await place.run(args)
      expect([args, done.code]).toEqual([args, code])
      expect(done.err).toMatch(message)
    }
    const weak = await place.run(['reset-password', 'anne'], { input: 'short\n' })
    expect([weak.code, weak.err]).toEqual([1, expect.stringMatching(/12/)])
    expect(await row('anne')).toMatchObject({ is_admin: 0, deactivated: 0 })
  })

  it('says who has the database when that is no node', async () => {
    await place.run(['migrate'])
    const store = await openSqlite({ path: join(place.folder, 'homeserver.db') })
    const done = await place.run(['set-admin', 'anne', 'on'])
    await store.close()
    expect([done.code, done.err]).toEqual([1, expect.stringMatching(/nobody answers at .*operator\.sock/)])
  })

  it('needs the key, since a closed account signs that it leaves', async () => {
    await make('anne')
    rmSync(join(place.folder, 'signing.key'))
    expect((await place.run(['deactivate', 'anne', '--yes'])).err).toContain(
      'make it with `chancery generate-key`',
    )
    expect(readFileSync(join(place.folder, 'homeserver.yaml'), 'utf8')).toBe(CONFIG)
  })
})
