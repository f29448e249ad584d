import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { deviceKeys, oneTimeKey, startNodes, type TestNodes } from '../../services/e2ee/testing.js'
import type { Requester } from '../../services/requester.js'
import { startTestServer, type TestServer } from '../testing.js'
import { e2eeFederationRoutes } from '../server-server/e2ee-routes.js'
import { e2eeRoutes } from './e2ee-routes.js'

const ALICE = '@alice:a.example'
const API = '/_matrix/client/v3'

describe('end-to-end encryption over HTTP', () => {
  let nodes: TestNodes
  let server: TestServer
  beforeAll(async () => {
    nodes = await startNodes()
    const alice: Requester = await nodes.a.addDevice(ALICE, 'PHONE')
    server = await startTestServer(
      [...e2eeRoutes, ...e2eeFederationRoutes],
      { e2ee: nodes.a.e2ee, toDevice: nodes.a.toDevice },
      {
        authenticate: () => Promise.resolve(alice),
        authenticateServer: () => Promise.resolve('b.example'),
      },
    )
  })
  afterAll(async () => {
    await server.close()
    await nodes.close()
  })

  const call = (method: string, path: string, body?: unknown) =>
    server.request(method, `${API}${path}`, { token: 't', ...(body === undefined ? {} : { body }) })

  it('uploads, queries and claims keys', async () => {
    const device_keys = deviceKeys(ALICE, 'PHONE')
    const one_time_keys = { 'signed_curve25519:A': oneTimeKey('a') }
    expect(await call('POST', '/keys/upload', { device_keys, one_time_keys })).toMatchObject({
      status: 200,
      body: { one_time_key_counts: { signed_curve25519: 1 } },
    })
    expect((await call('POST', '/keys/query', { device_keys: { [ALICE]: [] } })).body).toMatchObject({
      device_keys: { [ALICE]: { PHONE: device_keys } },
      failures: {},
    })
    const wish = { one_time_keys: { [ALICE]: { PHONE: 'signed_curve25519' } } }
    expect((await call('POST', '/keys/claim', wish)).body.one_time_keys).toEqual({
      [ALICE]: { PHONE: one_time_keys },
    })
  })

  it('refuses device keys with numbers that cannot be signed', async () => {
    const text = JSON.stringify({ device_keys: deviceKeys(ALICE, 'PHONE') }).replace(
      '"algorithms"',
      '"x":1e3,"algorithms"',
    )
    expect(await call('POST', '/keys/upload', text)).toMatchObject({
      status: 400,
      body: { errcode: 'M_BAD_JSON' },
    })
  })

  it('backs keys up', async () => {
    const auth_data = { public_key: 'k' }
    expect((await call('GET', '/room_keys/version')).status).toBe(404)
    expect(await call('POST', '/room_keys/version', {})).toMatchObject({
      status: 400,
      body: { errcode: 'M_MISSING_PARAM' },
    })
    const created = await call('POST', '/room_keys/version', { algorithm: 'm.x', auth_data })
    const { version } = created.body as { version: string }
    const key = { first_message_index: 0, forwarded_count: 0, is_verified: true, session_data: { a: 1 } }
    const path = `/room_keys/keys/${encodeURIComponent('!r:a')}/${encodeURIComponent('a/b+c')}`
    expect((await call('PUT', path, key)).status).toBe(400)
    expect((await call('PUT', `${path}?version=${version}`, key)).body).toMatchObject({ count: 1 })
    expect((await call('GET', `${path}?version=${version}`)).body).toEqual(key)
    const whole = await call('GET', `/room_keys/keys?version=${version}`)
    expect(whole.body).toEqual({ rooms: { '!r:a': { sessions: { 'a/b+c': key } } } })
    expect((await call('GET', '/room_keys/keys?version=99')).status).toBe(404)
    const second = (await call('POST', '/room_keys/version', { algorithm: 'm.x', auth_data })).body
    expect(await call('PUT', `${path}?version=${version}`, key)).toMatchObject({
      status: 403,
      body: { errcode: 'M_WRONG_ROOM_KEYS_VERSION', current_version: second.version },
    })
    expect((await call('DELETE', `/room_keys/version/${version}`)).body).toEqual({})
  })

  it('sends messages to devices', async () => {
    expect((await call('PUT', '/sendToDevice/m.x/t1', { messages: { [ALICE]: { '*': {} } } })).body).toEqual(
      {},
    )
    expect((await call('PUT', '/sendToDevice/m.x/t2', {})).body.errcode).toBe('M_MISSING_PARAM')
  })

  it('takes cross-signing keys under the unstable path that older clients know', async () => {
    const answer = await server.request('POST', '/_matrix/client/unstable/keys/device_signing/upload', {
      token: 't',
      body: { master_key: 'no' },
    })
    expect(answer).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } })
  })

  it('answers other servers', async () => {
    const federation = '/_matrix/federation/v1/user'
    const list = await server.request('GET', `${federation}/devices/${encodeURIComponent(ALICE)}`)
    expect(list.body).toMatchObject({
      user_id: ALICE,
      stream_id: expect.any(Number),
      devices: [{ device_id: 'PHONE' }],
    })
    expect(
      (await server.request('GET', `${federation}/devices/${encodeURIComponent('@x:b.example')}`)).status,
    ).toBe(400)
    const query = await server.request('POST', `${federation}/keys/query`, {
      body: { device_keys: { [ALICE]: [] } },
    })
    expect(query.body.device_keys[ALICE]).toHaveProperty('PHONE')
    const claim = await server.request('POST', `${federation}/keys/claim`, { body: { one_time_keys: {} } })
    expect(claim.body).toEqual({ one_time_keys: {} })
  })

  it('never answers a malformed body with more than 499', async () => {
    const bodies = ['', '{', '[]', '1', 'null', '{}', '{"a":{"b":[]}}', '{"device_keys":1,"one_time_keys":1,"messages":1,"rooms":1,"sessions":1,"master_key":1}', '\u0000', '{"__proto__":{}}']
    for (const route of [...e2eeRoutes, ...e2eeFederationRoutes]) {
      for (const body of bodies) {
        const path = route.paths[0]!.replaceAll(/\{[A-Za-z]+\}/g, '%FF1')
        for (const p of [path, path.replaceAll('%FF1', 'x'), path.replaceAll('%FF1', 'x') + '?version=1&from=1&to=2']) {
          const answer = await server.request(route.method, p, { token: 't', ...(route.method === 'GET' ? {} : { body }) })
          expect({ id: route.id, body, status: answer.status < 500 }).toEqual({ id: route.id, body, status: true })
        }
      }
    }
  }) // prettier-ignore
})
