import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../../core/json/value.js'
import type { Requester } from '../requester.js'
import { deviceKeys, oneTimeKey, requesterOf, startNodes, type TestNode, type TestNodes } from './testing.js'

const ALICE = '@alice:a.example'

describe('POST /keys/upload', () => {
  let nodes: TestNodes
  let node: TestNode
  let alice: Requester
  beforeEach(async () => {
    nodes = await startNodes()
    node = nodes.a
    alice = await node.addDevice(ALICE, 'PHONE', 'Phone')
  })
  afterEach(() => nodes.close())

  const upload = (body: JsonObject) => node.e2ee.uploadKeys(alice, body)
  const query = async () =>
    (await node.e2ee.queryKeys(ALICE, { device_keys: { [ALICE]: [] } })).device_keys[ALICE]!

  it('keeps identity keys and shows them with the name of the device', async () => {
    const keys = deviceKeys(ALICE, 'PHONE')
    await upload({ device_keys: keys })
    expect(await query()).toEqual({ PHONE: { ...keys, unsigned: { device_display_name: 'Phone' } } })
  })

  it('keeps the signatures of the owner alone, and nothing unsigned', async () => {
    const keys = deviceKeys(ALICE, 'PHONE')
    const foreign = { ...(keys['signatures'] as JsonObject), '@eve:b.example': { 'ed25519:X': 'forged' } }
    await upload({ device_keys: { ...keys, signatures: foreign, unsigned: { device_display_name: 'Lie' } } })
    expect(await query()).toEqual({ PHONE: { ...keys, unsigned: { device_display_name: 'Phone' } } })
  })

  const good = (): JsonObject => deviceKeys(ALICE, 'PHONE')
  it.each<[string, () => JsonObject]>([
    ['null', () => ({ device_keys: null })],
    ['a list', () => ({ device_keys: [] })],
    ['of another user', () => ({ device_keys: deviceKeys('@bob:a.example', 'PHONE') })],
    ['of another device', () => ({ device_keys: deviceKeys(ALICE, 'LAPTOP') })],
    ['without algorithms', () => ({ device_keys: { ...good(), algorithms: 'olm' } })],
    ['with algorithms that are no strings', () => ({ device_keys: { ...good(), algorithms: [1] } })],
    ['with keys that are no strings', () => ({ device_keys: { ...good(), keys: { 'ed25519:PHONE': 1 } } })],
    ['with keys that have no algorithm', () => ({ device_keys: { ...good(), keys: { PHONE: 'x' } } })],
    ['with a list of signatures', () => ({ device_keys: { ...good(), signatures: [] } })],
    ['with signatures that are no strings', () => ({ device_keys: { ...good(), signatures: { [ALICE]: { 'ed25519:PHONE': {} } } } })],
    ['without signatures', () => ({ device_keys: { ...good(), signatures: null } })],
    ['with a number that has no canonical form', () => ({ device_keys: { ...good(), extra: 1.5 } })],
    ['larger than 32 KiB', () => ({ device_keys: { ...good(), extra: 'x'.repeat(40_000) } })],
  ])('refuses device keys that are %s', async (_, body) => {
    await expect(upload(body())).rejects.toMatchObject({ errcode: 'M_BAD_JSON' })
    expect(await query()).toEqual({})
  }) // prettier-ignore

  it.each<[string, JsonObject]>([
    ['a list', { one_time_keys: [] }],
    ['without algorithm in the name', { one_time_keys: { AAAA: oneTimeKey('k') } }],
    ['numbers', { one_time_keys: { 'signed_curve25519:AAAA': 7 } }],
    ['objects without a key', { one_time_keys: { 'signed_curve25519:AAAA': { signatures: {} } } }],
    ['objects without signatures', { one_time_keys: { 'signed_curve25519:AAAA': { key: 'k' } } }],
    ['signed by a list', { one_time_keys: { 'signed_curve25519:AAAA': { key: 'k', signatures: { x: [] } } } }],
    ['fallback keys, two of an algorithm', { fallback_keys: { 'signed_curve25519:A': oneTimeKey('k'), 'signed_curve25519:B': oneTimeKey('l') } }],
  ])('refuses one-time keys that are %s', async (_, body) => {
    await expect(upload(body)).rejects.toMatchObject({ errcode: 'M_BAD_JSON' })
  }) // prettier-ignore

  it('refuses more one-time keys than a device may have, and stores none of the upload', async () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`signed_curve25519:K${i}`, oneTimeKey(`k${i}`)])) // prettier-ignore
    const other = (n: number): JsonObject =>
      Object.fromEntries(Object.entries(many).map(([id, key]) => [`${id}x${n}`, key]))
    for (let n = 0; n < 4; n++) await upload({ one_time_keys: other(n) })
    await expect(upload({ one_time_keys: { 'signed_curve25519:one': oneTimeKey('more') } })).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' }) // prettier-ignore
    expect(await upload({})).toEqual({ one_time_key_counts: { signed_curve25519: 2_000 } })
  })

  it('answers with the number of unclaimed keys, also for an empty upload', async () => {
    expect(await upload({})).toEqual({ one_time_key_counts: { signed_curve25519: 0 } })
    const one_time_keys = { 'signed_curve25519:A': oneTimeKey('a'), 'curve25519:B': 'b' }
    expect(await upload({ one_time_keys })).toEqual({
      one_time_key_counts: { signed_curve25519: 1, curve25519: 1 },
    })
  })

  it('takes the same one-time key again without counting it twice', async () => {
    const body = { one_time_keys: { 'signed_curve25519:A': oneTimeKey('a') } }
    await upload(body)
    expect(await upload(body)).toEqual({ one_time_key_counts: { signed_curve25519: 1 } })
  })

  it('refuses another one-time key under the same id, and changes nothing', async () => {
    await upload({ one_time_keys: { 'signed_curve25519:A': oneTimeKey('a') } })
    const one_time_keys = {
      'signed_curve25519:A': oneTimeKey('other'),
      'signed_curve25519:B': oneTimeKey('b'),
    }
    await expect(upload({ one_time_keys, device_keys: good() })).rejects.toMatchObject({
      errcode: 'M_INVALID_PARAM',
    })
    expect(await upload({})).toEqual({ one_time_key_counts: { signed_curve25519: 1 } })
    expect(await query()).toEqual({})
  })

  it('does not bring back a key that was handed out, when its upload is repeated', async () => {
    const body = { one_time_keys: { 'signed_curve25519:A': oneTimeKey('a') } }
    await upload(body)
    await node.e2ee.claimKeys({ one_time_keys: { [ALICE]: { PHONE: 'signed_curve25519' } } })
    expect(await upload(body)).toEqual({ one_time_key_counts: { signed_curve25519: 0 } })
    // A client that lost its store begins its ids anew: another key under the id is another key.
    const anew = { one_time_keys: { 'signed_curve25519:A': oneTimeKey('anew') } }
    expect(await upload(anew)).toEqual({ one_time_key_counts: { signed_curve25519: 1 } })
  })

  it('tells /sync when counts or the use of fallback keys change', async () => {
    const counts = () => node.store.read('test', () => node.e2ee.otkCounts(ALICE, 'PHONE'))
    expect(await counts()).toEqual({ counts: { signed_curve25519: 0 }, unusedFallback: [], pos: undefined })
    await upload({ fallback_keys: { 'signed_curve25519:F': oneTimeKey('f') } })
    const first = await counts()
    expect(first).toMatchObject({ unusedFallback: ['signed_curve25519'], pos: await node.position() })
    await node.e2ee.claimKeys({ one_time_keys: { [ALICE]: { PHONE: 'signed_curve25519' } } })
    const second = await counts()
    expect(second.unusedFallback).toEqual([])
    expect(second.pos).toBeGreaterThan(first.pos!)
    // The same key again stays used, another one is new.
    await upload({ fallback_keys: { 'signed_curve25519:F': oneTimeKey('f') } })
    expect((await counts()).unusedFallback).toEqual([])
    await upload({ fallback_keys: { 'signed_curve25519:G': oneTimeKey('g') } })
    expect((await counts()).unusedFallback).toEqual(['signed_curve25519'])
  })

  it('wakes the sync of the device when its counts change', async () => {
    await upload({ one_time_keys: { 'signed_curve25519:A': oneTimeKey('a') } })
    const subscription = node.notifier.subscribe([ALICE])
    await node.e2ee.claimKeys({ one_time_keys: { [ALICE]: { PHONE: 'signed_curve25519' } } })
    expect(await subscription.wait(1_000, new AbortController().signal)).toBe(true)
    subscription.close()
  })

  it('refuses keys of a device that was deleted meanwhile, and of a session without device', async () => {
    const gone = requesterOf(ALICE, 'GONE')
    const body = { device_keys: deviceKeys(ALICE, 'GONE') }
    await expect(node.e2ee.uploadKeys(gone, body)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
    await expect(node.e2ee.uploadKeys(requesterOf(ALICE, undefined), {})).rejects.toMatchObject({
      errcode: 'M_MISSING_PARAM',
    })
  })

  it('takes names like __proto__ as names', async () => {
    const proto = JSON.parse('{"one_time_keys":{"__proto__:A":{"key":"k","signatures":{}}}}') as JsonObject
    await expect(upload(proto)).rejects.toMatchObject({ errcode: 'M_BAD_JSON' })
    const device = await node.addDevice(ALICE, '__proto__')
    const keys = deviceKeys(ALICE, '__proto__')
    await node.e2ee.uploadKeys(device, { device_keys: keys })
    expect(Object.keys(await query())).toEqual(['__proto__'])
  })
})
