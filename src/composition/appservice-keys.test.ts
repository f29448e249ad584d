import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../core/json/value.js'
import { silentLogger } from '../platform/logger.js'
import { createBoundQueues } from '../services/appservices/bound-queues.js'
import {
  startAppservice,
  type TestAnswer,
  type TestAppservice,
} from '../services/appservices/testing-appservice.js'
import type { Requester } from '../services/requester.js'
import { queueForAppservices, queueToDeviceForAppservices } from '../storage/tables/appservices.js'
import { all } from '../storage/tx.js'
import { testServices, TEST_SERVER, type TestServices } from './testing.js'

const GHOST = `@irc_ghost:${TEST_SERVER}`
const SHARED = `@shared_one:${TEST_SERVER}`
const CLAIM = '/_matrix/app/unstable/org.matrix.msc3983/keys/claim'
const QUERY = '/_matrix/app/unstable/org.matrix.msc3984/keys/query'
const ALGORITHM = 'signed_curve25519'

let folder: string
let as: TestAppservice
let node: TestServices
let alice: Requester
/** What the application service answers to questions about keys. */
let answers: Record<string, TestAnswer>
beforeEach(async () => {
  answers = {}
  folder = mkdtempSync(join(tmpdir(), 'chancery-as-'))
  as = await startAppservice()
  as.answer(({ path }) => answers[path])
  const registration = {
    id: 'irc',
    url: as.url,
    as_token: 'as_secret',
    hs_token: 'hs_secret',
    sender_localpart: 'ircbot',
    namespaces: {
      users: [
        { exclusive: true, regex: '@irc_.*' },
        { exclusive: false, regex: '@shared_.*' },
      ],
    },
  }
  writeFileSync(join(folder, 'irc.yaml'), JSON.stringify(registration))
  node = await testServices({ appservices: [join(folder, 'irc.yaml')] })
  alice = await node.user('alice')
})
afterEach(async () => {
  await node.close()
  await as.close()
  rmSync(folder, { recursive: true, force: true })
})

const key = (name: string, userId = GHOST): JsonObject => ({
  key: name,
  signatures: { [userId]: { 'ed25519:D': 's' } },
})
const deviceKeys = (deviceId: string, more: JsonObject = {}, userId = GHOST): JsonObject => ({
  user_id: userId,
  device_id: deviceId,
  algorithms: [],
  keys: { [`ed25519:${deviceId}`]: 'e' },
  signatures: { [userId]: { [`ed25519:${deviceId}`]: 's' } },
  ...more,
})
async function upload(userId: string, body: JsonObject): Promise<void> {
  await node.services.devices.createOrRename(userId, 'D', 'secret name')
  await node.services.e2ee.uploadKeys({ ...alice, userId, deviceId: 'D' }, body)
}
async function claim(userId = GHOST): Promise<string[]> {
  const wish = { one_time_keys: { [userId]: { D: ALGORITHM } } }
  const { one_time_keys: keys } = await node.services.e2ee.claimKeys(wish)
  return Object.keys(keys[userId]?.['D'] ?? {})
}
const asked = (path: string): unknown[] =>
  as.got.filter((got) => got.path === path).map(({ text }) => JSON.parse(text) as unknown)

describe('a claim of keys of an application service’s own user', () => {
  beforeEach(async () => {
    await node.user('irc_ghost')
    await upload(GHOST, {
      one_time_keys: { [`${ALGORITHM}:uploaded`]: key('u') },
      fallback_keys: { [`${ALGORITHM}:fallback`]: { ...key('f'), fallback: true } },
    })
  })

  it('takes what was uploaded, then asks the application service, and takes the fallback key last', async () => {
    answers[CLAIM] = {
      status: 200,
      body: {
        [GHOST]: {
          D: { [`${ALGORITHM}:given`]: key('g'), 'other:x': key('x') },
          OTHER: { [`${ALGORITHM}:o`]: key('o') },
        },
        [alice.userId]: { D: { [`${ALGORITHM}:forged`]: key('z') } },
      },
    }
    expect(await claim()).toEqual([`${ALGORITHM}:uploaded`])
    expect(asked(CLAIM)).toEqual([])
    expect(await claim()).toEqual([`${ALGORITHM}:given`])
    expect(asked(CLAIM)).toEqual([{ [GHOST]: { D: [ALGORITHM] } }])
    expect(as.got.at(-1)).toMatchObject({ method: 'POST', authorization: 'Bearer hs_secret' })
    // Other servers are answered alike.
    const wish = { one_time_keys: { [GHOST]: { D: ALGORITHM } } }
    const { one_time_keys: keys } = await node.services.e2ee.claimKeysForServer(wish)
    expect(keys).toEqual({ [GHOST]: { D: { [`${ALGORITHM}:given`]: key('g') } } })
    answers[CLAIM] = { status: 200, body: {} }
    expect(await claim()).toEqual([`${ALGORITHM}:fallback`])
  })

  it.each([
    ['that knows no such path', { status: 404, body: { errcode: 'M_UNRECOGNIZED' } }],
    ['that fails', { status: 500 }],
    ['that breaks off', 'break'],
    ['that answers nonsense', { status: 200, body: [GHOST, null] }],
  ] as const)('of one %s takes the fallback key', async (what, answer) => {
    await claim()
    answers[CLAIM] = answer
    expect(await claim()).toEqual([`${ALGORITHM}:fallback`])
    expect(await claim()).toEqual([`${ALGORITHM}:fallback`])
    // It is not asked again at once, but for nonsense, which costs nothing.
    expect(asked(CLAIM)).toHaveLength(what === 'that answers nonsense' ? 2 : 1)
  })

  it('is no matter of the application service where others may be the user, too', async () => {
    await node.user('shared_one')
    answers[CLAIM] = { status: 200, body: { [SHARED]: { D: { [`${ALGORITHM}:given`]: key('g') } } } }
    answers[QUERY] = { status: 200, body: { device_keys: { [SHARED]: { D: deviceKeys('D', {}, SHARED) } } } }
    expect(await claim(SHARED)).toEqual([])
    const { device_keys: keys } = await node.services.e2ee.queryKeys(alice.userId, {
      device_keys: { [SHARED]: [] },
    })
    expect(keys).toEqual({ [SHARED]: {} })
    expect(as.got).toEqual([])
  })
})

describe('a query of keys of an application service’s own user', () => {
  const master: JsonObject = { user_id: GHOST, usage: ['master'], keys: { 'ed25519:M': 'M' } }
  const query = (): Promise<JsonObject> =>
    node.services.e2ee.queryKeys(alice.userId, { device_keys: { [GHOST]: [], [alice.userId]: [] } }) as never

  beforeEach(async () => {
    await node.user('irc_ghost')
    await upload(GHOST, { device_keys: deviceKeys('D') })
  })

  it('has what the application service says over what was uploaded, of its own users alone', async () => {
    answers[QUERY] = {
      status: 200,
      body: {
        device_keys: {
          [GHOST]: { E: deviceKeys('E', { unsigned: { device_display_name: 'another name' } }), F: 5 },
          [alice.userId]: { X: deviceKeys('X', {}, alice.userId) },
        },
        master_keys: { [GHOST]: master, [alice.userId]: { ...master, user_id: alice.userId } },
      },
    }
    expect(await query()).toMatchObject({
      device_keys: {
        [GHOST]: {
          D: { device_id: 'D', unsigned: { device_display_name: 'secret name' } },
          E: { device_id: 'E', unsigned: { device_display_name: 'another name' } },
        },
        [alice.userId]: {},
      },
      master_keys: { [GHOST]: master },
    })
    expect(asked(QUERY)).toEqual([{ [GHOST]: [] }])
    expect(Object.keys((await query())['master_keys'] as JsonObject)).toEqual([GHOST])
    // Other servers do not learn what people call their devices.
    const { device_keys: keys } = await node.services.e2ee.queryKeysForServer({
      device_keys: { [GHOST]: ['D', 'E'] },
    })
    expect(keys).toEqual({ [GHOST]: { D: deviceKeys('D'), E: deviceKeys('E') } })
    expect(asked(QUERY).at(-1)).toEqual({ [GHOST]: ['D', 'E'] })
    // Nor do those that follow the user's devices, and they have the signing keys too.
    const followed = await node.services.e2ee.userDevices(GHOST)
    expect(followed).toMatchObject({
      devices: [
        { device_id: 'D', keys: deviceKeys('D') },
        { device_id: 'E', keys: deviceKeys('E') },
      ],
      master_key: master,
    })
    expect(JSON.stringify(followed)).not.toContain(' name')
    expect(Object.keys(await node.services.e2ee.userDevices(alice.userId))).not.toContain('master_key')
  })

  it('has what was uploaded where there is no answer, and does not ask again at once', async () => {
    answers[QUERY] = 'break'
    for (let time = 0; time < 2; time++)
      expect(await query()).toMatchObject({ device_keys: { [GHOST]: { D: { device_id: 'D' } } } })
    expect(asked(QUERY)).toHaveLength(1)
  })
})

describe('what waits for an application service', () => {
  it('is bounded: the oldest is dropped, and the log says so', async () => {
    const told: object[] = []
    const bound = createBoundQueues({
      store: node.store,
      logger: { ...silentLogger, error: (fields) => void told.push(fields) },
      appservices: node.built.appservices.registry.all,
      keep: 5,
    })
    const queue = (from: number, to: number): Promise<void> =>
      node.store.write('test', function* () {
        for (let pos = from; pos <= to; pos++) {
          const row = { appservice_id: 'irc', pos, user_id: '', event_nid: null, json: '{}', ts: 0 }
          yield* queueForAppservices([row, { ...row, appservice_id: 'other' }])
          yield* queueToDeviceForAppservices([{ appservice_id: 'irc', pos, user_id: GHOST, device_id: 'D' }])
        }
      })
    const left = (table: string, id = 'irc'): Promise<number[]> =>
      node.store.read('test', function* () {
        const rows = yield* all<{ pos: number }>(
          `SELECT pos FROM ${table} WHERE appservice_id = ? ORDER BY pos`,
          id,
        )
        return rows.map(({ pos }) => pos)
      })
    await queue(1, 5)
    await bound()
    expect(await left('appservice_events')).toEqual([1, 2, 3, 4, 5])
    expect(told).toEqual([])
    await queue(6, 12)
    await bound()
    expect(await left('appservice_events')).toEqual([8, 9, 10, 11, 12])
    expect(await left('appservice_to_device')).toEqual([8, 9, 10, 11, 12])
    expect(await left('appservice_events', 'other')).toHaveLength(12)
    expect(told).toEqual([{ appservice: 'irc', dropped: 14, kept: 5 }])
    await bound()
    expect(told).toHaveLength(1)
  })
})
