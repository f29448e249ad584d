import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { linesUntilKilled, startChild } from '../../platform/testing-child.js'
import { openSqlite } from '../../storage/sqlite-store.js'
import type { Requester } from '../requester.js'
import { compileForClaimChild } from './testing-claim-child-compile.js'
import { oneTimeKey, startNode, startNodes, testSchema, type TestNode, type TestNodes } from './testing.js'

const ALICE = '@alice:a.example'
const ALGORITHM = 'signed_curve25519'
const CLAIM = { one_time_keys: { [ALICE]: { PHONE: ALGORITHM } } }

const keysOf = (prefix: string, n: number) =>
  Object.fromEntries(Array.from({ length: n }, (_, i) => [`${ALGORITHM}:${prefix}${String(i).padStart(3, '0')}`, oneTimeKey(`${prefix}${i}`)])) // prettier-ignore

describe('POST /keys/claim', () => {
  let nodes: TestNodes
  let node: TestNode
  let alice: Requester
  beforeEach(async () => {
    nodes = await startNodes()
    node = nodes.a
    alice = await node.addDevice(ALICE, 'PHONE')
  })
  afterEach(() => nodes.close())

  /** The ids that a claim gave. */
  const claim = async (from = node): Promise<string[]> => {
    const { one_time_keys } = await from.e2ee.claimKeys(CLAIM)
    return Object.keys(one_time_keys[ALICE]?.['PHONE'] ?? {})
  }

  it('gives keys in the order of their upload', async () => {
    for (const prefix of ['Z', 'M', 'A'])
      await node.e2ee.uploadKeys(alice, { one_time_keys: keysOf(prefix, 2) })
    const order: string[] = []
    for (let i = 0; i < 6; i++) order.push((await claim())[0]!.split(':')[1]![0]!)
    expect(order.join('')).toBe('ZZMMAA')
  })

  it('gives 50 concurrent claims 30 different keys, and the fallback key 20 times', async () => {
    await node.e2ee.uploadKeys(alice, {
      one_time_keys: keysOf('K', 30),
      fallback_keys: { [`${ALGORITHM}:FALL`]: oneTimeKey('fall') },
    })
    const given = (await Promise.all(Array.from({ length: 50 }, () => claim()))).flat()
    expect(given).toHaveLength(50)
    const oneTime = given.filter((id) => id !== `${ALGORITHM}:FALL`)
    expect(new Set(oneTime).size).toBe(30)
    expect(oneTime).toHaveLength(30)
  })

  it('gives nothing for unknown users, devices, algorithms and empty stores', async () => {
    const body = { one_time_keys: { [ALICE]: { PHONE: 'other' }, '@nobody:a.example': { X: ALGORITHM } } }
    expect((await node.e2ee.claimKeys(body)).one_time_keys).toEqual({})
    expect(await claim()).toEqual([])
  })

  it('gives one key for each of many devices', async () => {
    const wishes: Record<string, string> = {}
    for (let i = 0; i < 30; i++) {
      const requester = await node.addDevice(ALICE, `D${i}`)
      await node.e2ee.uploadKeys(requester, { one_time_keys: keysOf(`D${i}-`, 2) })
      wishes[`D${i}`] = ALGORITHM
    }
    const { one_time_keys } = await node.e2ee.claimKeys({ one_time_keys: { [ALICE]: wishes } })
    expect(Object.keys(one_time_keys[ALICE]!)).toHaveLength(30)
    for (const [device, keys] of Object.entries(one_time_keys[ALICE]!))
      expect(Object.keys(keys)).toEqual([`${ALGORITHM}:${device}-000`])
  })

  it.each([
    [{}],
    [{ one_time_keys: [] }],
    [{ one_time_keys: { alice: {} } }],
    [{ one_time_keys: { [ALICE]: [] } }],
    [{ one_time_keys: { [ALICE]: { PHONE: 1 } } }],
    [{ one_time_keys: { [ALICE]: { '': ALGORITHM } } }],
  ])('refuses %j', async (body) => {
    await expect(node.e2ee.claimKeys(body)).rejects.toMatchObject({ errcode: 'M_BAD_JSON' })
  })

  it('claims from another server, each key once, and names a server that is down in failures', async () => {
    await node.e2ee.uploadKeys(alice, { one_time_keys: keysOf('K', 2) })
    const first = await claim(nodes.b)
    const second = await claim(nodes.b)
    expect(new Set([...first, ...second]).size).toBe(2)
    expect(await claim(nodes.b)).toEqual([])
    node.online = false
    const answer = await nodes.b.e2ee.claimKeys({ one_time_keys: { [ALICE]: { PHONE: ALGORITHM } } })
    expect(answer.failures).toEqual({ 'a.example': { status: 503, message: expect.any(String) } })
  })

  it('does not claim for users of others when another server asks', async () => {
    await node.e2ee.uploadKeys(alice, { one_time_keys: keysOf('K', 1) })
    const answer = await node.e2ee.claimKeysForServer({
      one_time_keys: { '@bob:b.example': { X: ALGORITHM }, ...CLAIM.one_time_keys },
    })
    expect(Object.keys(answer.one_time_keys)).toEqual([ALICE])
  })
})

const onSqlite = process.env['CHANCERY_TEST_STORE'] === 'postgres' ? it.skip : it

describe('a process that is killed between claim and answer', () => {
  onSqlite('has never given a key that is given again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'chancery-claim-'))
    try {
      const path = join(folder, 'test.db')
      const child = compileForClaimChild(join(folder, 'compiled'))
      const open = async (): Promise<TestNode> =>
        startNode('a.example', new Map(), { store: await openSqlite({ path, migrations: testSchema }) }) // prettier-ignore
      let node = await open()
      const alice = await node.addDevice(ALICE, 'PHONE')
      await node.e2ee.uploadKeys(alice, { one_time_keys: keysOf('K', 400) })
      await node.store.close()

      const given: string[] = []
      for (let run = 0; run < 4; run++) given.push(...(await claimUntilKilled(child, path, 40 + run * 25)))
      expect(given.length).toBeGreaterThan(20)

      node = await open()
      for (;;) {
        const { one_time_keys } = await node.e2ee.claimKeys(CLAIM)
        const ids = Object.keys(one_time_keys[ALICE]?.['PHONE'] ?? {})
        if (ids.length === 0) break
        given.push(...ids)
      }
      await node.store.close()
      expect(given.length).toBe(new Set(given).size)
      expect(given.length).toBeLessThanOrEqual(400)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

/** What a process claimed and reported before it was killed, in the midst of further claims. */
const claimUntilKilled = (child: string, path: string, claims: number): Promise<string[]> =>
  linesUntilKilled(startChild([child, path]), claims)
