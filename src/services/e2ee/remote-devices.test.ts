import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../../core/json/value.js'
import { all } from '../../storage/tx.js'
import type { Requester } from '../requester.js'
import {
  crossSigningKey,
  deviceKeys,
  newSigner,
  startNodes,
  type TestNode,
  type TestNodes,
} from './testing.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:b.example'
const ROOM = 1

describe('devices of users of other servers', () => {
  let nodes: TestNodes
  let a: TestNode
  let b: TestNode
  let bob: Requester
  beforeEach(async () => {
    nodes = await startNodes()
    ;({ a, b } = nodes)
    bob = await b.addDevice(BOB, 'PHONE', 'secret name')
    await b.e2ee.uploadKeys(bob, { device_keys: deviceKeys(BOB, 'PHONE') })
  })
  afterEach(() => nodes.close())

  const share = async () => {
    await nodes.setMembership(ROOM, ALICE, 'join')
    await nodes.setMembership(ROOM, BOB, 'join')
  }
  const query = (timeout = 1_000) => a.e2ee.queryKeys(ALICE, { device_keys: { [BOB]: [] }, timeout })
  const devices = async () => Object.keys((await query()).device_keys[BOB] ?? {}).sort()
  const addDevice = async (deviceId: string) => {
    const requester = await b.addDevice(BOB, deviceId)
    await b.e2ee.uploadKeys(requester, { device_keys: deviceKeys(BOB, deviceId) })
  }
  const changedSince = async (from: number) =>
    (await a.e2ee.keysChanges(ALICE, String(from), '99999')).changed

  it('are asked for each time while no room is shared, and not kept', async () => {
    expect(await devices()).toEqual(['PHONE'])
    await addDevice('LAPTOP')
    await nodes.settle()
    expect(await devices()).toEqual(['LAPTOP', 'PHONE'])
    expect(b.requests.filter((path) => path.includes('/user/devices/'))).toEqual([])
  })

  it('are fetched once, then answered from the cache and kept up to date by updates', async () => {
    await share()
    expect(await devices()).toEqual(['PHONE'])
    const asked = b.requests.length
    const from = await a.position()
    for (const id of ['LAPTOP', 'TABLET']) {
      await addDevice(id)
      await nodes.settle()
    }
    expect(await devices()).toEqual(['LAPTOP', 'PHONE', 'TABLET'])
    expect(await changedSince(from)).toEqual([BOB])
    await b.store.write('test.delete', () => b.e2ee.onDevicesDeleted(BOB, ['TABLET']))
    await nodes.settle()
    // Gone with its keys: the devices table of the test still has it.
    expect(await devices()).toEqual(['LAPTOP', 'PHONE'])
    // The first update follows a fetch that came before any change: only it may need a second fetch.
    expect(b.requests.length - asked).toBeLessThanOrEqual(1)
  })

  it('come without the names of devices, unless the other server gives them', async () => {
    await share()
    expect((await query()).device_keys[BOB]!['PHONE']).not.toHaveProperty('unsigned')
  })

  it('are fetched again after updates were lost', async () => {
    await share()
    await devices()
    const from = await a.position()
    a.online = false
    for (const id of ['D1', 'D2', 'D3']) {
      await addDevice(id)
      await b.flush()
    }
    a.online = true
    expect(await nodes.settle().then(devices)).toEqual(['D1', 'D2', 'D3', 'PHONE'])
    expect(await changedSince(from)).toEqual([BOB])
    // One EDU for the user waited, however many changes there were.
    expect((await b.store.read('test', () => all('SELECT * FROM outbox_edus'))).length).toBe(0)
  })

  it('are followed by us although the other server was down when we learnt of the change', async () => {
    await share()
    await devices()
    await addDevice('LAPTOP')
    await addDevice('TABLET')
    b.online = false
    await b.flush()
    await a.e2ee.idle()
    const from = await a.position()
    const answer = await query()
    expect(Object.keys(answer.failures)).toEqual(['b.example'])
    expect(Object.keys(answer.device_keys[BOB]!)).toEqual(['PHONE'])
    b.online = true
    for (let i = 0; i < 5; i++) await nodes.settle()
    expect(await changedSince(from)).toEqual([BOB])
    expect(await devices()).toEqual(['LAPTOP', 'PHONE', 'TABLET'])
  })

  it('are forgotten when the last shared room is left, and fetched anew when one is shared again', async () => {
    for (const [leaver, name] of [[BOB, 'L1'], [ALICE, 'L2']] as const) {
      await share()
      await nodes.settle()
      await devices()
      await nodes.setMembership(ROOM, leaver, 'leave')
      for (const table of ['remote_device_lists', 'remote_devices'])
        expect(await a.store.read('test', () => all(`SELECT * FROM ${table}`))).toEqual([])
      await addDevice(name)
      await nodes.settle()
      const from = await a.position()
      await share()
      expect(await changedSince(from)).toContain(BOB)
      expect(await devices()).toContain(name)
    }
  }) // prettier-ignore

  it('are not forgotten while another room is shared', async () => {
    await share()
    await nodes.setMembership(2, ALICE, 'join')
    await nodes.setMembership(2, BOB, 'join')
    await devices()
    await nodes.setMembership(ROOM, BOB, 'leave')
    const asked = b.requests.length
    expect(await devices()).toEqual(['PHONE'])
    expect(b.requests.length).toBe(asked)
  })

  it('bring their cross-signing keys, and changes of these', async () => {
    await share()
    await devices()
    const from = await a.position()
    const [master, self] = [newSigner(), newSigner()]
    const body = {
      master_key: crossSigningKey(BOB, 'master', master),
      self_signing_key: crossSigningKey(BOB, 'self_signing', self, master),
    }
    await b.e2ee.uploadCrossSigning(bob, body, '')
    await nodes.settle()
    const asked = b.requests.length
    expect(await query()).toMatchObject({
      master_keys: { [BOB]: body.master_key },
      self_signing_keys: { [BOB]: body.self_signing_key },
    })
    expect(b.requests.length).toBe(asked)
    expect(await changedSince(from)).toEqual([BOB])
  })

  it('are fetched by a single request for many clients at once', async () => {
    await share()
    await Promise.all(Array.from({ length: 20 }, () => query()))
    expect(b.requests).toHaveLength(1)
  })

  describe('updates of a hostile server', () => {
    const good = { user_id: BOB, device_id: 'EVIL', stream_id: 5, prev_id: [4], deleted: false }
    const send = (content: JsonObject, origin = 'b.example') =>
      a.e2ee.onEdu(origin, 'm.device_list_update', content)
    beforeEach(async () => {
      await share()
      await devices()
      b.requests.length = 0
    })

    it.each<[string, JsonObject]>([
      ['without user', { ...good, user_id: null }],
      ['with a list for a device', { ...good, device_id: [] }],
      ['with a fraction', { ...good, stream_id: 1.5 }],
      ['with a negative stream', { ...good, stream_id: -1 }],
      ['with predecessors that are no numbers', { ...good, prev_id: ['4'] }],
      ['with 2,000 predecessors', { ...good, prev_id: Array.from({ length: 2_000 }, (_, i) => i) }],
      ['about a user of another server', { ...good, user_id: ALICE }],
      ['about a user who shares no room', { ...good, user_id: '@nobody:b.example' }],
    ])('are ignored when %s', async (_, content) => {
      await send(content)
      await a.e2ee.idle()
      expect(b.requests).toEqual([])
      expect(await devices()).toEqual(['PHONE'])
    })

    it('are ignored when another server sends them', async () => {
      await send(good, 'c.example')
      expect(b.requests).toEqual([])
    })

    it('lead to a bounded number of fetches, however many gaps they claim', async () => {
      a.clock.advance(10_000)
      for (let i = 0; i < 200; i++) await send({ ...good, stream_id: 1_000 + i, prev_id: [i + 7_000] })
      await a.e2ee.idle()
      await a.e2ee.resyncDue()
      expect(b.requests.length).toBeLessThanOrEqual(2)
      expect(await devices()).toEqual(['PHONE'])
    })

    it('are applied once when they are replayed', async () => {
      const list = (await b.e2ee.userDevices(BOB)).stream_id
      const update = { ...good, stream_id: list + 1, prev_id: [list], keys: deviceKeys(BOB, 'EVIL') }
      await send(update)
      const from = await a.position()
      await send(update)
      await send({ ...update, deleted: true })
      expect(await changedSince(from)).toEqual([])
      expect(await devices()).toEqual(['EVIL', 'PHONE'])
      expect(b.requests).toEqual([])
    })

    it('cannot put keys of one user or device under another', async () => {
      const list = (await b.e2ee.userDevices(BOB)).stream_id
      const keys = deviceKeys('@dan:b.example', 'EVIL')
      await send({ ...good, stream_id: list + 1, prev_id: [list], keys })
      expect(await devices()).toEqual(['PHONE'])
    })
  })
})

describe('POST /keys/query', () => {
  let nodes: TestNodes
  beforeEach(async () => {
    nodes = await startNodes()
  })
  afterEach(() => nodes.close())

  it.each([
    [{}],
    [{ device_keys: [] }],
    [{ device_keys: { alice: [] } }],
    [{ device_keys: { [ALICE]: {} } }],
    [{ device_keys: { [ALICE]: [1] } }],
    [{ device_keys: { [ALICE]: null } }],
  ])('refuses %j', async (body) => {
    await expect(nodes.a.e2ee.queryKeys(ALICE, body)).rejects.toMatchObject({ errcode: 'M_BAD_JSON' })
  })

  it('answers for 10,000 users of dead servers within its time, with failures', async () => {
    nodes.b.online = false
    const users = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`@u${i}:dead${i % 50}.example`, []])) // prettier-ignore
    const started = process.cpuUsage()
    const answer = await nodes.a.e2ee.queryKeys(ALICE, { device_keys: users, timeout: 1_000_000 })
    const { user, system } = process.cpuUsage(started)
    expect((user + system) / 1000).toBeLessThan(10_000)
    expect(Object.keys(answer.failures)).toHaveLength(50)
    expect(answer.device_keys).toEqual({})
  })

  it('refuses more users than it can answer for', async () => {
    const users = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`@u${i}:a.example`, []]))
    await expect(nodes.a.e2ee.queryKeys(ALICE, { device_keys: users })).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' }) // prettier-ignore
  })
})
