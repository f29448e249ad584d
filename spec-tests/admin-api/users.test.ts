import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { call, createRoom, enc, eventually, register, v3, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'
import { refusal } from '../harness/section.js'
import { administrator, ADMIN_CONFIG } from './administrator.js'

const APPSERVICE = {
  id: 'bridge',
  url: null,
  as_token: 'the-token-of-the-bridge',
  hs_token: 'hs',
  sender_localpart: 'bridgebot',
  namespaces: { users: [{ regex: '@.*', exclusive: false }] },
}
const admin = (path: string): string => `/_synapse/admin${path}`
const id = (node: Node, localpart: string): string => `@${localpart}:${node.serverName}`
const logIn = (node: Node, user: string, password: string) =>
  call(node.url, 'POST', v3('/login'), {
    body: { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password },
  })

let node: Node
let root: User
beforeAll(async () => {
  node = await startNode({ config: ADMIN_CONFIG, appservices: [APPSERVICE] })
  root = await administrator(node.url)
})
afterAll(() => node.dispose())

const put = (userId: string, body: object) => root.call('PUT', admin(`/v2/users/${enc(userId)}`), { body })

describe('who may call', () => {
  it('is no bridge that acts as an administrator', async () => {
    const answer = await call(node.url, 'GET', admin('/v2/users'), {
      token: APPSERVICE.as_token,
      query: { user_id: root.userId },
    })
    expect([answer.status, answer.body.errcode]).toEqual([403, 'M_FORBIDDEN'])
    const whois = await call(node.url, 'GET', v3(`/admin/whois/${enc(root.userId)}`), {
      token: APPSERVICE.as_token,
      query: { user_id: (await register(node.url)).userId },
    })
    expect(whois.status).toBe(403)
  })

  it('is nobody whose rights were taken away', async () => {
    const second = await administrator(node.url)
    await second.ok('GET', admin('/v2/users'))
    await root.ok('PUT', admin(`/v1/users/${enc(second.userId)}/admin`), { admin: false })
    await refusal(second.call('GET', admin('/v2/users')), 403, 'M_FORBIDDEN')
  })

  it('is answered 404 for what this server does not have', async () => {
    await refusal(
      root.call('POST', admin(`/v1/users/${enc(root.userId)}/shadow_ban`), { body: {} }),
      404,
      'M_UNRECOGNIZED',
    )
  })

  it('leaves a line in the log for each act and each refusal, with no secret in it', async () => {
    const alice = await register(node.url)
    await root.ok('POST', admin(`/v1/reset_password/${enc(alice.userId)}`), {
      new_password: 'a quite secret one',
    })
    await refusal(put(id(node, 'nobody-at-all'), { user_type: 'bot' }), 400, 'M_INVALID_PARAM')
    await refusal(root.call('GET', admin('/v1/registration_tokens/opensesame')), 404, 'M_NOT_FOUND')
    const acts = await eventually('three acts in the log', async () => {
      const log = await readFile(join(node.folder, 'log.txt'), 'utf8')
      const lines = log.split('\n').filter((line) => line.includes('act of an administrator'))
      // The last of the three.
      return lines.some((line) => line.includes('adminGetRegistrationToken'))
        ? lines.map((line) => JSON.parse(line) as Record<string, unknown>)
        : undefined
    })
    const of = (act: string) => acts.filter((line) => line['act'] === act)
    expect(of('adminResetPassword')).toEqual([
      expect.objectContaining({ by: root.userId, on: { userId: alice.userId }, outcome: 'done' }),
    ])
    expect(of('adminPutUser')).toContainEqual(
      expect.objectContaining({ on: { userId: id(node, 'nobody-at-all') }, outcome: 'M_INVALID_PARAM' }),
    )
    expect(of('adminGetRegistrationToken')).toContainEqual(
      expect.objectContaining({ on: {}, outcome: 'M_NOT_FOUND' }),
    )
    expect(JSON.stringify(acts)).not.toContain('secret')
    expect(JSON.stringify(acts)).not.toContain('opensesame')
  })
})

describe('an account', () => {
  it('is made, shown, changed and closed', async () => {
    const userId = id(node, 'made')
    const made = await put(userId, {
      password: 'a good password',
      displayname: 'Made, by hand',
      threepids: [{ medium: 'email', address: 'Made@Example.org' }],
    })
    expect(made.status).toBe(201)
    expect(made.body).toMatchObject({
      name: userId,
      displayname: 'Made, by hand',
      admin: false,
      deactivated: false,
      locked: false,
      threepids: [{ medium: 'email', address: 'made@example.org' }],
      external_ids: [],
    })
    expect(Math.abs(made.body.creation_ts - Date.now() / 1000)).toBeLessThan(600)
    const session = await logIn(node, 'made', 'a good password')
    expect(session.status).toBe(200)
    expect(await root.ok('GET', admin(`/v1/threepid/email/users/${enc('made@example.org')}`))).toEqual({
      user_id: userId,
    })

    const changed = await put(userId, {
      password: 'another good password',
      displayname: '',
      avatar_url: 'mxc://example.org/abc',
      threepids: [],
      admin: true,
    })
    expect(changed.status).toBe(200)
    expect(changed.body).toMatchObject({
      displayname: null,
      avatar_url: 'mxc://example.org/abc',
      threepids: [],
      admin: true,
    })
    const whoami = (token: string) => call(node.url, 'GET', v3('/account/whoami'), { token })
    expect((await whoami(session.body.access_token)).status).toBe(401)
    const again = await logIn(node, 'made', 'another good password')
    await put(userId, { password: 'a third good password', logout_devices: false })
    expect((await whoami(again.body.access_token)).status).toBe(200)

    expect((await put(userId, { admin: false, locked: true })).body).toMatchObject({ locked: true })
    expect((await whoami(again.body.access_token)).body.errcode).toBe('M_USER_LOCKED')
    expect((await put(userId, { locked: false, suspended: true })).body).toMatchObject({
      locked: false,
      suspended: true,
    })
    expect((await put(userId, { deactivated: true })).body).toMatchObject({ deactivated: true })
    expect((await whoami(again.body.access_token)).status).toBe(401)
    await refusal(put(userId, { deactivated: false }), 400, 'M_INVALID_PARAM')
    expect((await put(userId, { deactivated: true })).status).toBe(200)
  })

  it('may be without a password, so that nobody logs in to it', async () => {
    expect((await put(id(node, 'machine'), {})).status).toBe(201)
    expect((await logIn(node, 'machine', '')).status).toBe(403)
  })

  it('is refused where it is malformed, of another server or what this server has nothing for', async () => {
    await refusal(put('@x:elsewhere.example', { password: 'a good password' }), 400, 'M_INVALID_PARAM')
    await refusal(put('nonsense', { password: 'a good password' }), 400, 'M_INVALID_PARAM')
    await refusal(put(id(node, 'Upper'), { password: 'a good password' }), 400, 'M_INVALID_USERNAME')
    await refusal(put(id(node, 'typed'), { user_type: 'bot' }), 400, 'M_INVALID_PARAM')
    await refusal(
      put(id(node, 'typed'), { external_ids: [{ auth_provider: 'x', external_id: 'y' }] }),
      400,
      'M_INVALID_PARAM',
    )
    await refusal(
      put(id(node, 'typed'), { threepids: [{ medium: 'msisdn', address: '4912345' }] }),
      400,
      'M_THREEPID_MEDIUM_NOT_SUPPORTED',
    )
    await refusal(
      put(id(node, 'typed'), { threepids: [{ medium: 'email', address: 'x' }] }),
      400,
      'M_INVALID_PARAM',
    )
    await refusal(put(id(node, 'typed'), { deactivated: true }), 400, 'M_INVALID_PARAM')
    await refusal(root.call('GET', admin(`/v2/users/${enc(id(node, 'typed'))}`)), 404, 'M_NOT_FOUND')
  })

  it('keeps an address that another one has', async () => {
    const threepids = [{ medium: 'email', address: 'one@example.org' }]
    expect((await put(id(node, 'one'), { threepids })).status).toBe(201)
    await refusal(put((await register(node.url)).userId, { threepids }), 400, 'M_THREEPID_IN_USE')
  })

  it('of one’s own keeps its rights, and is not closed', async () => {
    await refusal(put(root.userId, { admin: false }), 403, 'M_FORBIDDEN')
    await refusal(put(root.userId, { deactivated: true }), 403, 'M_FORBIDDEN')
    await refusal(
      root.call('POST', admin(`/v1/deactivate/${enc(root.userId)}`), { body: {} }),
      403,
      'M_FORBIDDEN',
    )
  })

  it('is closed by a request of its own, and erased', async () => {
    const alice = await register(node.url)
    expect(await root.ok('POST', admin(`/v1/deactivate/${enc(alice.userId)}`), { erase: true })).toEqual({
      id_server_unbind_result: 'success',
    })
    expect(await root.ok('GET', admin(`/v2/users/${enc(alice.userId)}`))).toMatchObject({
      deactivated: true,
      erased: true,
      displayname: null,
    })
  })

  it('is suspended', async () => {
    const alice = await register(node.url)
    const path = admin(`/v1/suspend/${enc(alice.userId)}`)
    await root.ok('PUT', path, { suspend: true })
    await refusal(alice.call('POST', v3('/createRoom'), { body: {} }), 403, 'M_USER_SUSPENDED')
    await root.ok('PUT', path, { suspend: false })
    await createRoom(alice)
  })

  it('has rights that can be asked for', async () => {
    expect(await root.ok('GET', admin(`/v1/users/${enc(root.userId)}/admin`))).toEqual({ admin: true })
    const alice = await register(node.url)
    expect(await root.ok('GET', admin(`/v1/users/${enc(alice.userId)}/admin`))).toEqual({ admin: false })
    const path = admin(`/v1/users/${enc(id(node, 'nobody'))}/admin`)
    await refusal(root.call('GET', path), 404, 'M_NOT_FOUND')
    await refusal(root.call('PUT', path, { body: { admin: true } }), 404, 'M_NOT_FOUND')
  })

  it('has a name that may be free', async () => {
    const path = admin('/v1/username_available')
    expect(await root.ok('GET', path, undefined, { username: 'quite-free' })).toEqual({ available: true })
    const taken = root.userId.slice(1, root.userId.indexOf(':'))
    await refusal(root.call('GET', path, { query: { username: taken } }), 400, 'M_USER_IN_USE')
  })
})

describe('a session as somebody else', () => {
  it('is theirs, and they see its device and can end it', async () => {
    const alice = await register(node.url)
    const session = await root.ok('POST', admin(`/v1/users/${enc(alice.userId)}/login`), {
      valid_until_ms: Date.now() + 3_600_000,
    })
    const whoami = () => call(node.url, 'GET', v3('/account/whoami'), { token: session.access_token })
    expect((await whoami()).body.user_id).toBe(alice.userId)
    const { devices } = await alice.ok('GET', v3('/devices'))
    expect(devices.map((device: { display_name: string }) => device.display_name)).toContain('Administrator')
    await call(node.url, 'POST', v3('/logout'), { token: session.access_token, body: {} })
    expect((await whoami()).status).toBe(401)
  })

  it('is not had of administrators, of who is locked or closed, nor in the past', async () => {
    const second = await administrator(node.url)
    const login = (userId: string, body: object = {}) =>
      root.call('POST', admin(`/v1/users/${enc(userId)}/login`), { body })
    await refusal(login(second.userId), 403, 'M_FORBIDDEN')
    const alice = await register(node.url)
    await refusal(login(alice.userId, { valid_until_ms: 1 }), 400, 'M_INVALID_PARAM')
    await put(alice.userId, { locked: true })
    await refusal(login(alice.userId), 403, 'M_FORBIDDEN')
    await put(alice.userId, { deactivated: true })
    await refusal(login(alice.userId), 403, 'M_USER_DEACTIVATED')
    await refusal(login(id(node, 'nobody')), 404, 'M_NOT_FOUND')
  })
})

describe('the list of accounts', () => {
  const names = (body: { users: { name: string }[] }): string[] => body.users.map(({ name }) => name)

  it('goes page by page, in the order that is asked for', async () => {
    for (const [localpart, displayname] of [
      ['paged-a', 'Zoé'],
      ['paged-b', 'Anna 100%'],
      ['paged-c', 'Max_Muster'],
    ] as const)
      expect((await put(id(node, localpart), { displayname })).status).toBe(201)
    const all = ['paged-a', 'paged-b', 'paged-c'].map((localpart) => id(node, localpart))
    const list = (query: Record<string, string | number | boolean>) =>
      root.ok('GET', admin('/v2/users'), undefined, query)
    const first = await list({ name: 'paged-', limit: 2 })
    expect(names(first)).toEqual(all.slice(0, 2))
    expect(first).toMatchObject({ total: 3, next_token: '2' })
    const rest = await list({ name: 'paged-', limit: 2, from: Number(first.next_token) })
    expect(names(rest)).toEqual(all.slice(2))
    expect(rest.next_token).toBeUndefined()
    expect(names(await list({ user_id: 'PAGED-', order_by: 'displayname' }))).toEqual([
      all[1],
      all[2],
      all[0],
    ])
    expect(names(await list({ name: 'paged-', dir: 'b' }))).toEqual(all.toReversed())
    expect(names(await list({ name: '100%' }))).toEqual([all[1]])
    expect(names(await list({ name: 'x_m' }))).toEqual([all[2]])
    expect(names(await list({ name: node.serverName }))).toEqual([])
    for (const order of ['is_guest', 'admin', 'creation_ts', 'last_seen_ts', 'avatar_url', 'user_type'])
      expect(names(await list({ name: 'paged-', order_by: order })).toSorted()).toEqual(all)
  })

  it('has whom the flags want', async () => {
    const [open, locked, closed] = ['flag-open', 'flag-locked', 'flag-closed'].map((name) => id(node, name))
    for (const userId of [open!, locked!, closed!]) await put(userId, {})
    await put(locked!, { locked: true })
    await put(closed!, { deactivated: true })
    const of = async (version: string, query: object) =>
      names(await root.ok('GET', admin(`/${version}/users`), undefined, { name: 'flag-', ...query }))
    expect(await of('v2', {})).toEqual([open])
    expect(await of('v2', { locked: true })).toEqual([locked, open])
    expect(await of('v2', { deactivated: true })).toEqual([closed, open])
    expect(await of('v3', { locked: true })).toEqual([closed, locked, open])
    expect(await of('v3', { deactivated: true })).toEqual([closed])
    expect(await of('v3', { deactivated: false })).toEqual([open])
    expect(await of('v3', { admins: true })).toEqual([])
  })

  it('refuses what is no page', async () => {
    for (const query of ['from=-1', 'limit=x', 'order_by=shoe_size', 'dir=up', 'guests=maybe'])
      await refusal(root.call('GET', admin(`/v2/users?${query}`)), 400, 'M_INVALID_PARAM')
  })
})

describe('what an account has', () => {
  it('are rooms, pushers and data', async () => {
    const alice = await register(node.url)
    const user = enc(alice.userId)
    const roomId = await createRoom(alice)
    const left = await createRoom(alice)
    await alice.ok('POST', v3(`/rooms/${enc(left)}/leave`))
    expect(await root.ok('GET', admin(`/v1/users/${user}/joined_rooms`))).toEqual({
      joined_rooms: [roomId],
      total: 1,
    })
    expect(await root.ok('GET', admin(`/v1/users/${user}/memberships`))).toEqual({
      memberships: { [roomId]: 'join', [left]: 'leave' },
    })
    await alice.ok('PUT', v3(`/user/${user}/account_data/org.example.thing`), { a: 1 })
    await alice.ok('PUT', v3(`/user/${user}/rooms/${enc(roomId)}/account_data/__proto__`), { b: 2 })
    const { account_data: data } = await root.ok('GET', admin(`/v1/users/${user}/accountdata`))
    expect(data.global['org.example.thing']).toEqual({ a: 1 })
    expect(Object.entries(data.rooms[roomId])).toEqual([['__proto__', { b: 2 }]])
    expect(await root.ok('GET', admin(`/v1/users/${user}/pushers`))).toEqual({ pushers: [], total: 0 })
    expect((await root.ok('GET', admin(`/v1/whois/${user}`))).user_id).toBe(alice.userId)
    for (const path of ['joined_rooms', 'memberships', 'accountdata', 'pushers'])
      await refusal(
        root.call('GET', admin(`/v1/users/${enc(id(node, 'nobody'))}/${path}`)),
        404,
        'M_NOT_FOUND',
      )
  })

  it('are devices, which are named and ended', async () => {
    const alice = await register(node.url)
    const devices = admin(`/v2/users/${enc(alice.userId)}/devices`)
    expect((await root.ok('GET', devices)).total).toBe(1)
    expect((await root.call('POST', devices, { body: { device_id: 'EXTRA' } })).status).toBe(201)
    await root.ok('PUT', `${devices}/EXTRA`, { display_name: 'Spare' })
    expect(await root.ok('GET', `${devices}/EXTRA`)).toMatchObject({
      device_id: 'EXTRA',
      display_name: 'Spare',
      user_id: alice.userId,
    })
    await root.ok('DELETE', `${devices}/EXTRA`)
    await refusal(root.call('GET', `${devices}/EXTRA`), 404, 'M_NOT_FOUND')
    await refusal(root.call('PUT', `${devices}/EXTRA`, { body: { display_name: 'x' } }), 404, 'M_NOT_FOUND')
    await root.ok('POST', admin(`/v2/users/${enc(alice.userId)}/delete_devices`), {
      devices: [alice.deviceId],
    })
    await refusal(alice.call('GET', v3('/account/whoami')), 401, 'M_UNKNOWN_TOKEN')
    const nobody = admin(`/v2/users/${enc(id(node, 'nobody'))}/devices`)
    await refusal(root.call('GET', nobody), 404, 'M_NOT_FOUND')
    await refusal(root.call('POST', nobody, { body: { device_id: 'X' } }), 404, 'M_NOT_FOUND')
  })
})

describe('messages of a user', () => {
  it('have a budget of their own, if an administrator gives one', async () => {
    const limited = await startNode({
      config: {
        ...ADMIN_CONFIG,
        rate_limits: { enabled: true, message: { per_second: 0.001, burst: 1 } },
      },
    })
    try {
      const chief = await administrator(limited.url)
      const alice = await register(limited.url)
      const roomId = await createRoom(alice)
      let sent = 0
      const send = async () =>
        (
          await alice.call('PUT', v3(`/rooms/${enc(roomId)}/send/m.room.message/${sent++}`), {
            body: { msgtype: 'm.text', body: 'x' },
          })
        ).status
      const path = admin(`/v1/users/${enc(alice.userId)}/override_ratelimit`)
      expect(await chief.ok('GET', path)).toEqual({})
      expect([await send(), await send()]).toEqual([200, 429])
      const none = { messages_per_second: 0, burst_count: 0 }
      expect(await chief.ok('POST', path, none)).toEqual(none)
      expect(await chief.ok('GET', path)).toEqual(none)
      expect([await send(), await send(), await send()]).toEqual([200, 200, 200])
      expect(await chief.ok('DELETE', path)).toEqual({})
      expect(await send()).toBe(429)
      await refusal(chief.call('POST', path, { body: { burst_count: -1 } }), 400, 'M_BAD_JSON')
      const nobody = admin(`/v1/users/${enc(id(limited, 'nobody'))}/override_ratelimit`)
      for (const method of ['GET', 'POST', 'DELETE'])
        await refusal(chief.call(method, nobody, method === 'POST' ? { body: {} } : {}), 404, 'M_NOT_FOUND')
    } finally {
      await limited.dispose()
    }
  })
})

describe('a registration token', () => {
  const path = admin('/v1/registration_tokens')

  it('is made, listed, changed and taken back', async () => {
    const made = await root.ok('POST', `${path}/new`, { token: 'welcome', uses_allowed: 2 })
    expect(made).toEqual({ token: 'welcome', uses_allowed: 2, pending: 0, completed: 0, expiry_time: null })
    expect(await root.ok('GET', `${path}/welcome`)).toEqual(made)
    const chosen = await root.ok('POST', `${path}/new`, { length: 30, expiry_time: 1 })
    expect(chosen.token).toHaveLength(30)
    const listed = async (query = {}) =>
      (await root.ok('GET', path, undefined, query)).registration_tokens.map(
        ({ token }: { token: string }) => token,
      )
    expect(new Set(await listed())).toEqual(new Set([chosen.token, 'welcome']))
    expect(await listed({ valid: true })).toEqual(['welcome'])
    expect(await listed({ valid: false })).toEqual([chosen.token])
    const later = Date.now() + 60_000
    expect(await root.ok('PUT', `${path}/welcome`, { uses_allowed: null, expiry_time: later })).toMatchObject(
      {
        uses_allowed: null,
        expiry_time: later,
      },
    )
    await root.ok('DELETE', `${path}/welcome`)
    for (const method of ['GET', 'PUT', 'DELETE'])
      await refusal(
        root.call(method, `${path}/welcome`, method === 'PUT' ? { body: {} } : {}),
        404,
        'M_NOT_FOUND',
      )
  })

  it('is refused with a name or numbers that serve nothing, and where it is there already', async () => {
    const create = (body: object) => root.call('POST', `${path}/new`, { body })
    await refusal(create({ token: 'not a token' }), 400, 'M_INVALID_PARAM')
    await refusal(create({ uses_allowed: -1 }), 400, 'M_BAD_JSON')
    await refusal(create({ length: 65 }), 400, 'M_BAD_JSON')
    await root.ok('POST', `${path}/new`, { token: 'twice' })
    await refusal(create({ token: 'twice' }), 400, 'M_INVALID_PARAM')
  })
})

it('the version is told to everybody', async () => {
  const answer = await call(node.url, 'GET', admin('/v1/server_version'))
  expect(answer.body.server_version).toMatch(/^Chancery \d/)
})
