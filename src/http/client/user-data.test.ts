import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { accountDataBetween } from '../../storage/tables/account-data.js'
import type { SessionAnswer } from '../../services/accounts/sessions.js'
import { SERVER_NAME } from '../../services/accounts/testing.js'
import type { TestRequest, TestResponse } from '../testing.js'
import { startAccountsServer, type AccountsServer } from './testing.js'

let server: AccountsServer
let alice: SessionAnswer
let bob: SessionAnswer
beforeEach(async () => {
  server = await startAccountsServer()
  alice = await server.fixture.user('alice')
  bob = await server.fixture.user('bob')
})
afterEach(() => server.close())

const request = (method: string, path: string, options?: TestRequest): Promise<TestResponse> =>
  server.request(method, path, options)
const asAlice = (method: string, path: string, body?: unknown): Promise<TestResponse> =>
  request(method, path, { token: alice.access_token, ...(body === undefined ? {} : { body }) })

describe('profile', () => {
  const mine = `profile/@alice:${SERVER_NAME}`

  it('has fields of every kind, each seen by everybody, and tells the rooms', async () => {
    const profile = {
      displayname: 'Alice ☃',
      avatar_url: 'mxc://finances.example/abc',
      'm.tz': 'Europe/Paris',
      'org.example.job_title': { en: 'Clerk', level: 3, tags: [null, true] },
    }
    for (const [field, value] of Object.entries(profile)) {
      expect((await asAlice('PUT', `${mine}/${field}`, { [field]: value, other: 1 })).status).toBe(200)
      expect((await request('GET', `${mine}/${field}`)).body).toEqual({ [field]: value })
    }
    expect((await request('GET', mine)).body).toEqual(profile)
    expect(server.profileChanges).toEqual(Object.keys(profile).map((field) => `${alice.user_id} ${field}`))
    for (const field of Object.keys(profile))
      expect((await asAlice('DELETE', `${mine}/${field}`)).status).toBe(200)
    expect((await request('GET', mine)).body).toEqual({})
    expect(await request('GET', `${mine}/displayname`)).toMatchObject({
      status: 404,
      body: { errcode: 'M_NOT_FOUND' },
    })
  })

  it('a deletion of what is not there succeeds and tells nobody', async () => {
    expect((await asAlice('DELETE', `${mine}/org.example.none`)).status).toBe(200)
    expect(server.profileChanges).toEqual([])
  })

  it.each(['', null])('an empty display name (%j) removes it', async (value) => {
    expect((await asAlice('PUT', `${mine}/displayname`, { displayname: value })).status).toBe(200)
    expect((await request('GET', mine)).body).toEqual({})
  })

  it.each<[string, unknown, string]>([
    ['displayname', {}, 'M_MISSING_PARAM'],
    ['displayname', [], 'M_BAD_JSON'],
    ['displayname', { displayname: 7 }, 'M_INVALID_PARAM'],
    ['displayname', { displayname: 'x'.repeat(257) }, 'M_INVALID_PARAM'],
    ['avatar_url', { avatar_url: 'https://evil.example/x.png' }, 'M_INVALID_PARAM'],
    ['avatar_url', { avatar_url: 'mxc://finances.example/../x' }, 'M_INVALID_PARAM'],
    ['avatar_url', { avatar_url: ' JavaScript:x' }, 'M_INVALID_PARAM'],
    ['avatar_url', { avatar_url: '//evil.example/x.png' }, 'M_INVALID_PARAM'],
    ['avatar_url', { avatar_url: 'x'.repeat(1_001) }, 'M_INVALID_PARAM'],
    ['m.tz', { 'm.tz': 7 }, 'M_INVALID_PARAM'],
    ['Upper.case', { 'Upper.case': 1 }, 'M_INVALID_PARAM'],
    ['nodots', { nodots: 1 }, 'M_INVALID_PARAM'],
    ['__proto__', JSON.parse('{"__proto__":1}'), 'M_INVALID_PARAM'],
    ['constructor', { displayname: 1 }, 'M_MISSING_PARAM'],
    ['a.' + 'b'.repeat(254), { ['a.' + 'b'.repeat(254)]: 1 }, 'M_KEY_TOO_LARGE'],
    ['org.example.big', { 'org.example.big': 'x'.repeat(65_600) }, 'M_PROFILE_TOO_LARGE'],
  ])('refuses %#: %s', async (field, body, errcode) => {
    expect(await asAlice('PUT', `${mine}/${field}`, body)).toMatchObject({ status: 400, body: { errcode } })
    expect((await request('GET', mine)).body).toEqual({ displayname: 'alice' })
  })

  it('is bounded as a whole', async () => {
    const put = (n: number): Promise<TestResponse> =>
      asAlice('PUT', `${mine}/org.example.f${n}`, { [`org.example.f${n}`]: 'x'.repeat(20_000) })
    expect([(await put(1)).status, (await put(2)).status, (await put(3)).status]).toEqual([200, 200, 200])
    expect((await put(4)).body.errcode).toBe('M_PROFILE_TOO_LARGE')
    expect((await put(3)).status).toBe(200)
    expect(JSON.stringify((await request('GET', mine)).body).length).toBeLessThanOrEqual(65_536)
  })

  it('of another user cannot be changed', async () => {
    const theirs = `profile/${bob.user_id}/displayname`
    expect((await asAlice('PUT', theirs, { displayname: 'x' })).body.errcode).toBe('M_FORBIDDEN')
    expect((await asAlice('DELETE', theirs)).body.errcode).toBe('M_FORBIDDEN')
    expect((await request('PUT', theirs, { body: { displayname: 'x' } })).body.errcode).toBe(
      'M_MISSING_TOKEN',
    )
  })

  it('takes an avatar that is no address at all, as other servers do', async () => {
    await asAlice('PUT', `${mine}/avatar_url`, { avatar_url: 'none yet' })
    expect((await request('GET', `${mine}/avatar_url`)).body).toEqual({ avatar_url: 'none yet' })
    await asAlice('DELETE', `${mine}/avatar_url`)
  })

  it('of nobody is not found, and what is no user id is refused', async () => {
    expect((await request('GET', `profile/@nobody:${SERVER_NAME}`)).status).toBe(404)
    for (const id of ['nobody', '@a:b%2Fc', '@a:..%2f', 'x'.repeat(300)])
      expect((await request('GET', `profile/${id}`)).status).toBe(400)
  })

  it('of another server is asked for by our users and by strangers, and what it answers is filtered', async () => {
    server.remote.set('@eve:other.example', {
      displayname: { evil: 1 },
      avatar_url: 'mxc://other.example/x',
      'org.example.ok': [1],
      'NOT A KEY': 1,
    })
    const theirs = 'profile/@eve:other.example'
    const shown = { avatar_url: 'mxc://other.example/x', 'org.example.ok': [1] }
    expect((await asAlice('GET', theirs)).body).toEqual(shown)
    expect((await request('GET', theirs)).body).toEqual(shown)
    expect((await asAlice('GET', `${theirs}/displayname`)).status).toBe(404)
    expect((await asAlice('GET', 'profile/@gone:other.example')).status).toBe(404)
  })
})

describe('account data', () => {
  const global = `user/@alice:${SERVER_NAME}/account_data`
  const room = `user/@alice:${SERVER_NAME}/rooms/!r:${SERVER_NAME}/account_data`

  it('is kept for the account and for each room, and each change wakes polls with a position of its own', async () => {
    const content = { '@bob:x': ['!r:x'], __proto: 1, n: 0.5 }
    for (const path of [global, room]) {
      expect((await asAlice('GET', `${path}/m.direct`)).status).toBe(404)
      expect((await asAlice('PUT', `${path}/m.direct`, content)).status).toBe(200)
      expect((await asAlice('GET', `${path}/m.direct`)).body).toEqual(content)
    }
    await asAlice('PUT', `${global}/m.direct`, {})
    expect(server.notified).toEqual([alice.user_id, alice.user_id, alice.user_id])
    const { store } = server.fixture
    const rows = await store.read('test', () => accountDataBetween(alice.user_id, 1, 1_000))
    expect(rows.map((row) => [row.room_id, row.content])).toEqual([
      [`!r:${SERVER_NAME}`, JSON.stringify(content)],
      ['', '{}'],
    ])
    expect(rows[1]!.pos).toBeGreaterThan(rows[0]!.pos)
    expect(rows[1]!.pos).toBeLessThanOrEqual(await store.position())
  })

  it('keeps the key __proto__ as a key', async () => {
    const text = '{"__proto__":{"polluted":true},"constructor":1}'
    await asAlice('PUT', `${global}/org.example.x`, text)
    expect((await asAlice('GET', `${global}/org.example.x`)).text).toBe(text)
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  it.each<[string, unknown, number, string]>([
    [`${global}/m.push_rules`, {}, 405, 'M_BAD_JSON'],
    [`${global}/m.fully_read`, {}, 405, 'M_BAD_JSON'],
    [`${room}/m.fully_read`, {}, 405, 'M_BAD_JSON'],
    [`${global}/x`, [], 400, 'M_BAD_JSON'],
    [`${global}/x`, '{', 400, 'M_NOT_JSON'],
    [`${global}/x`, '"x"', 400, 'M_BAD_JSON'],
    [`${global}/${'x'.repeat(256)}`, {}, 400, 'M_INVALID_PARAM'],
    [`${global}/a%00b`, {}, 400, 'M_INVALID_PARAM'],
    [`${global}/big`, { x: 'x'.repeat(300_000) }, 413, 'M_TOO_LARGE'],
    [`${global}/huge`, { x: 'x'.repeat(2_000_000) }, 413, 'M_TOO_LARGE'],
    [`user/@alice:${SERVER_NAME}/rooms/junk/account_data/x`, {}, 400, 'M_INVALID_PARAM'],
    [`user/@bob:${SERVER_NAME}/account_data/x`, {}, 403, 'M_FORBIDDEN'],
  ])('PUT %#: is refused', async (path, body, status, errcode) => {
    expect(await asAlice('PUT', path, body)).toMatchObject({ status, body: { errcode } })
    expect(server.notified).toEqual([])
  })

  it('of one account is bounded in sum, since /sync carries all of it; what is there can still be made smaller', async () => {
    const big = { x: 'x'.repeat(200_000) }
    let answer = await asAlice('PUT', `${global}/big0`, big)
    let entries = 0
    for (; answer.status === 200 && entries < 100; entries++)
      answer = await asAlice('PUT', `${global}/big${entries + 1}`, big)
    expect(answer).toMatchObject({ status: 403, body: { errcode: 'M_RESOURCE_LIMIT_EXCEEDED' } })
    expect(entries).toBeGreaterThan(70)
    expect((await asAlice('PUT', `${global}/big0`, big)).status).toBe(200)
    expect((await asAlice('PUT', `${global}/small`, { x: 1 })).status).toBe(200)
    expect((await asAlice('PUT', `${global}/big0`, {})).status).toBe(200)
    expect((await asAlice('PUT', `${global}/big99`, big)).status).toBe(200)
  })

  it('of another user cannot be read', async () => {
    const answer = await request('GET', `${global}/m.direct`, { token: bob.access_token })
    expect(answer.body.errcode).toBe('M_FORBIDDEN')
  })
})

describe('tags', () => {
  const tags = `user/@alice:${SERVER_NAME}/rooms/!r:${SERVER_NAME}/tags`

  it('are set, listed and removed, and none is lost when several change at once', async () => {
    expect((await asAlice('GET', tags)).body).toEqual({ tags: {} })
    const names = ['m.favourite', 'u.Work', 'u.a b', '__proto__', 'constructor']
    const answers = await Promise.all(
      names.map((tag) => asAlice('PUT', `${tags}/${encodeURIComponent(tag)}`, { order: 0.5 })),
    )
    expect(answers.map((answer) => answer.status)).toEqual(names.map(() => 200))
    const listed = (await asAlice('GET', tags)).body.tags
    expect(Object.keys(listed).toSorted()).toEqual(names.toSorted())
    expect(listed['u.Work']).toEqual({ order: 0.5 })
    for (const tag of names.slice(1)) await asAlice('DELETE', `${tags}/${encodeURIComponent(tag)}`)
    expect((await asAlice('GET', tags)).body).toEqual({ tags: { 'm.favourite': { order: 0.5 } } })
    const raw = `user/@alice:${SERVER_NAME}/rooms/!r:${SERVER_NAME}/account_data/m.tag`
    expect((await asAlice('GET', raw)).body).toEqual({ tags: { 'm.favourite': { order: 0.5 } } })
  })

  it('survive account data of that type in a wrong shape', async () => {
    const raw = `user/@alice:${SERVER_NAME}/rooms/!r:${SERVER_NAME}/account_data/m.tag`
    for (const bad of [{ tags: [] }, { tags: null }, {}, { tags: 7 }]) {
      await asAlice('PUT', raw, bad)
      expect((await asAlice('GET', tags)).body).toEqual({ tags: {} })
    }
    expect((await asAlice('PUT', `${tags}/u.x`, {})).status).toBe(200)
  })

  it('refuse a bad order and a bad name', async () => {
    expect((await asAlice('PUT', `${tags}/u.x`, { order: 'first' })).body.errcode).toBe('M_BAD_JSON')
    expect((await asAlice('PUT', `${tags}/${'x'.repeat(256)}`, {})).body.errcode).toBe('M_INVALID_PARAM')
  })
})

describe('filters', () => {
  const path = `user/@alice:${SERVER_NAME}/filter`
  const FILTER = {
    room: { timeline: { limit: 10, types: ['m.room.*'] }, state: { lazy_load_members: true } },
  }

  it('have the same id for the same content, whatever the order of its keys, and another for another', async () => {
    const one = (await asAlice('POST', path, FILTER)).body.filter_id
    const two = (
      await asAlice('POST', path, {
        room: { state: { lazy_load_members: true }, timeline: { types: ['m.room.*'], limit: 10 } },
      })
    ).body.filter_id
    const three = (await asAlice('POST', path, {})).body.filter_id
    expect(one).toMatch(/^[0-9]+$/)
    expect(two).toBe(one)
    expect(three).not.toBe(one)
    expect((await asAlice('GET', `${path}/${one}`)).body).toEqual(FILTER)
    expect((await asAlice('GET', `${path}/${one}`)).body).toEqual(FILTER)
  })

  it('are stored once when defined many times at once', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => asAlice('POST', path, FILTER)))
    expect(new Set(answers.map((answer) => answer.body.filter_id)).size).toBe(1)
  })

  it('of another user are not to be had', async () => {
    const id = (await asAlice('POST', path, FILTER)).body.filter_id
    expect((await request('GET', `${path}/${id}`, { token: bob.access_token })).status).toBe(403)
    const own = `user/${bob.user_id}/filter/${id}`
    expect((await request('GET', own, { token: bob.access_token })).status).toBe(404)
  })

  it('are bounded in number: the oldest goes', async () => {
    const { fixture } = server
    const { createFilters } = await import('../../services/filters/filters.js')
    const filters = createFilters({ store: fixture.store })
    for (let n = 0; n < 502; n++) await filters.define(alice.user_id, { n })
    await expect(filters.get(alice.user_id, '2')).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
    expect(await filters.get(alice.user_id, '3')).toEqual({ n: 2 })
  })

  it.each<[unknown]>([
    [[]],
    ['"x"'],
    [{ room: [] }],
    [{ room: { timeline: 7 } }],
    [{ room: { timeline: { limit: 'x' } } }],
    [{ room: { timeline: { limit: -1 } } }],
    [{ room: { timeline: { limit: 1.5 } } }],
    [{ room: { timeline: { limit: 1e300 } } }],
    [{ room: { state: { types: 'm.room.*' } } }],
    [{ room: { state: { senders: ['bob'] } } }],
    [{ room: { rooms: ['#x:y'] } }],
    [{ room: { rooms: [{}] } }],
    [{ room: { state: { lazy_load_members: 1 } } }],
    [{ presence: null }],
    [{ event_format: 'raw' }],
    [{ event_fields: ['content', 7] }],
    [{ room: { state: { types: Array.from({ length: 3_000 }, () => 'x') } } }],
  ])('of wrong shape are refused: %#', async (filter) => {
    expect(await asAlice('POST', path, filter)).toMatchObject({
      status: 400,
      body: { errcode: 'M_BAD_JSON' },
    })
  })

  it.each(['0', '-1', 'x', '1e3', '99999999999999999999', '{}', '__proto__', '999'])(
    'with the id %j are not found',
    async (id) => {
      expect((await asAlice('GET', `${path}/${encodeURIComponent(id)}`)).status).toBe(404)
    },
  )

  it('that are huge are refused', async () => {
    const types = Array.from({ length: 1_500 }, (_, n) => `org.example.${n}.${'x'.repeat(30)}`)
    expect((await asAlice('POST', path, { room: { timeline: { types } } })).status).toBe(413)
  })
})
