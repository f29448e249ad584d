import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../../core/json/value.js'
import type { Signer } from '../../platform/ed25519.js'
import type { Requester } from '../requester.js'
import { crossSigningKey, deviceKeys, newSigner, requesterOf, sign, startNodes, type TestNode, type TestNodes } from './testing.js' // prettier-ignore

const ALICE = '@alice:a.example'
const BOB = '@bob:a.example'
const CAROL = '@carol:b.example'

interface Identity {
  readonly master: Signer
  readonly self: Signer
  readonly user: Signer
  readonly body: JsonObject
}

function newIdentity(userId: string): Identity {
  const [master, self, user] = [newSigner(), newSigner(), newSigner()]
  const body = {
    master_key: crossSigningKey(userId, 'master', master),
    self_signing_key: crossSigningKey(userId, 'self_signing', self, master),
    user_signing_key: crossSigningKey(userId, 'user_signing', user, master),
  }
  return { master, self, user, body }
}

describe('cross-signing', () => {
  let nodes: TestNodes
  let a: TestNode
  let b: TestNode
  let alice: Requester
  beforeEach(async () => {
    nodes = await startNodes()
    ;({ a, b } = nodes)
    alice = await a.addDevice(ALICE, 'PHONE')
  })
  afterEach(() => nodes.close())

  const upload = (requester: Requester, body: JsonObject, node = a) =>
    node.e2ee.uploadCrossSigning(requester, body, '')
  const query = (node: TestNode, viewer: string, userId: string) =>
    node.e2ee.queryKeys(viewer, { device_keys: { [userId]: [] } })

  describe('POST /keys/device_signing/upload', () => {
    it('takes the first keys without confirmation, and the same keys again', async () => {
      const { body } = newIdentity(ALICE)
      a.confirmations.allow = false
      await upload(alice, body)
      await upload(alice, body)
      expect(a.confirmations.count).toBe(0)
      expect(await query(a, ALICE, ALICE)).toMatchObject({
        master_keys: { [ALICE]: body['master_key'] },
        self_signing_keys: { [ALICE]: body['self_signing_key'] },
        user_signing_keys: { [ALICE]: body['user_signing_key'] },
      })
    })

    it('replaces keys only once the user has confirmed', async () => {
      const first = newIdentity(ALICE)
      await upload(alice, first.body)
      const second = newIdentity(ALICE)
      a.confirmations.allow = false
      await expect(upload(alice, second.body)).rejects.toThrow('not confirmed')
      const onlySelf = { self_signing_key: crossSigningKey(ALICE, 'self_signing', newSigner(), first.master) }
      await expect(upload(alice, onlySelf)).rejects.toThrow('not confirmed')
      expect((await query(a, ALICE, ALICE)).master_keys[ALICE]).toEqual(first.body['master_key'])
      a.confirmations.allow = true
      await upload(alice, second.body)
      expect((await query(a, ALICE, ALICE)).master_keys[ALICE]).toEqual(second.body['master_key'])
    })

    it('asks application services for no confirmation', async () => {
      await upload(alice, newIdentity(ALICE).body)
      await upload({ ...alice, appserviceId: 'bridge' }, newIdentity(ALICE).body)
      expect(a.confirmations.count).toBe(0)
    })

    it('lets only one of two first uploads win', async () => {
      const results = await Promise.allSettled([
        upload(alice, newIdentity(ALICE).body),
        upload(alice, newIdentity(ALICE).body),
      ])
      expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected'])
    })

    it('refuses keys that the master key has not signed', async () => {
      const { master, body } = newIdentity(ALICE)
      const other = newSigner()
      const forged = sign(crossSigningKey(ALICE, 'self_signing', newSigner()), ALICE, master.publicKey, other)
      const invalid = { errcode: 'M_INVALID_SIGNATURE' }
      await expect(upload(alice, { ...body, self_signing_key: forged })).rejects.toMatchObject(invalid)
      const unsigned = crossSigningKey(ALICE, 'user_signing', newSigner())
      await expect(upload(alice, { ...body, user_signing_key: unsigned })).rejects.toMatchObject(invalid)
      expect((await query(a, ALICE, ALICE)).master_keys).toEqual({})
    })

    it('refuses keys without any master key', async () => {
      const { body } = newIdentity(ALICE)
      const { master_key: _master, ...rest } = body
      await expect(upload(alice, rest)).rejects.toMatchObject({ errcode: 'M_MISSING_PARAM' })
    })

    it('refuses a key that is the id of a device, and a device that is a key', async () => {
      const { master, body } = newIdentity(ALICE)
      const twin = await a.addDevice(ALICE, master.publicKey)
      await expect(upload(alice, body)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
      const other = newIdentity(ALICE)
      await upload(alice, other.body)
      const late = await a.addDevice(ALICE, other.self.publicKey)
      const device_keys = deviceKeys(ALICE, other.self.publicKey)
      await expect(a.e2ee.uploadKeys(late, { device_keys })).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
      expect(twin.deviceId).toBe(master.publicKey)
    })

    const key = (): JsonObject => crossSigningKey(ALICE, 'master', newSigner())
    it.each<[string, () => JsonObject]>([
      ['null', () => ({ master_key: null })],
      ['of somebody else', () => ({ master_key: crossSigningKey(BOB, 'master', newSigner()) })],
      ['for another use', () => ({ master_key: { ...key(), usage: ['self_signing'] } })],
      ['with two keys', () => ({ master_key: { ...key(), keys: { 'ed25519:a': 'a', 'ed25519:b': 'b' } } })],
      ['named otherwise', () => ({ master_key: { ...key(), keys: { 'ed25519:a': newSigner().publicKey } } })],
      ['no point of the curve', () => ({ master_key: { ...key(), keys: { 'ed25519:AAAA': 'AAAA' } } })],
      ['of small order', () => ({ master_key: { ...key(), keys: { [`ed25519:${'A'.repeat(43)}`]: 'A'.repeat(43) } } })],
    ])('refuses a key that is %s', async (_, body) => {
      await expect(upload(alice, body())).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
    }) // prettier-ignore
  })

  describe('POST /keys/signatures/upload', () => {
    let me: Identity
    let phone: Signer
    let phoneKeys: JsonObject
    beforeEach(async () => {
      me = newIdentity(ALICE)
      phone = newSigner()
      phoneKeys = deviceKeys(ALICE, 'PHONE', phone)
      await a.e2ee.uploadKeys(alice, { device_keys: phoneKeys })
      await upload(alice, me.body)
    })

    it('adds the self-signing key’s signature to a device, for everybody to see', async () => {
      const signed = sign(phoneKeys, ALICE, me.self.publicKey, me.self)
      expect(await a.e2ee.uploadSignatures(ALICE, { [ALICE]: { PHONE: signed } })).toEqual({ failures: {} })
      for (const answer of [await query(a, BOB, ALICE), await query(b, CAROL, ALICE)])
        expect(answer.device_keys[ALICE]!['PHONE']).toEqual(signed)
    })

    it('adds a device’s signature to the own master key', async () => {
      const signed = sign(me.body['master_key'] as JsonObject, ALICE, 'PHONE', phone)
      const body = { [ALICE]: { [me.master.publicKey]: signed } }
      expect(await a.e2ee.uploadSignatures(ALICE, body)).toEqual({ failures: {} })
      expect((await query(a, BOB, ALICE)).master_keys[ALICE]).toEqual(signed)
    })

    it('shows a signature by a user-signing key to its owner alone', async () => {
      const bob = await a.addDevice(BOB, 'BOB')
      const his = newIdentity(BOB)
      await upload(bob, his.body)
      const theirs = his.body['master_key'] as JsonObject
      const signed = sign(theirs, ALICE, me.user.publicKey, me.user)
      const from = await a.position()
      const body = { [BOB]: { [his.master.publicKey]: signed } }
      expect(await a.e2ee.uploadSignatures(ALICE, body)).toEqual({ failures: {} })
      expect((await query(a, ALICE, BOB)).master_keys[BOB]).toEqual(signed)
      expect((await query(a, BOB, BOB)).master_keys[BOB]).toEqual(theirs)
      expect((await query(b, CAROL, BOB)).master_keys[BOB]).toEqual(theirs)
      expect((await query(a, BOB, ALICE)).user_signing_keys).toEqual({})
      const lists = async (userId: string) => a.e2ee.keysChanges(userId, String(from), '9999')
      expect(await lists(ALICE)).toEqual({ changed: [BOB], left: [] })
      expect(await lists(BOB)).toEqual({ changed: [], left: [] })
    })

    it('signs the master key of a user of another server, which is fetched', async () => {
      const carol = await b.addDevice(CAROL, 'CAROL')
      const hers = newIdentity(CAROL)
      await upload(carol, hers.body, b)
      const signed = sign(hers.body['master_key'] as JsonObject, ALICE, me.user.publicKey, me.user)
      const body = { [CAROL]: { [hers.master.publicKey]: signed } }
      expect(await a.e2ee.uploadSignatures(ALICE, body)).toEqual({ failures: {} })
      expect((await query(a, ALICE, CAROL)).master_keys[CAROL]).toEqual(signed)
      expect((await query(a, BOB, CAROL)).master_keys[CAROL]).toEqual(hers.body['master_key'])
    })

    it('names each key that it cannot take, and takes the others', async () => {
      const wrong = sign(phoneKeys, ALICE, me.self.publicKey, newSigner())
      const changed = sign({ ...phoneKeys, algorithms: [] }, ALICE, me.self.publicKey, me.self)
      const good = sign(me.body['master_key'] as JsonObject, ALICE, 'PHONE', phone)
      const answer = await a.e2ee.uploadSignatures(ALICE, {
        [ALICE]: { PHONE: wrong, NOWHERE: changed, [me.master.publicKey]: good },
        [BOB]: { key: {} },
      })
      expect(answer.failures).toEqual({
        [ALICE]: {
          PHONE: { errcode: 'M_INVALID_SIGNATURE', error: expect.any(String) },
          NOWHERE: { errcode: 'M_NOT_FOUND', error: expect.any(String) },
        },
        [BOB]: { key: { errcode: 'M_NOT_FOUND', error: expect.any(String) } },
      })
      expect((await query(a, BOB, ALICE)).master_keys[ALICE]).toEqual(good)
      const mismatch = await a.e2ee.uploadSignatures(ALICE, { [ALICE]: { PHONE: changed } })
      expect(mismatch.failures[ALICE]!['PHONE']).toMatchObject({ errcode: 'M_INVALID_SIGNATURE' })
    })

    it('drops signatures over a device whose keys were replaced', async () => {
      const signed = sign(phoneKeys, ALICE, me.self.publicKey, me.self)
      await a.e2ee.uploadSignatures(ALICE, { [ALICE]: { PHONE: signed } })
      const fresh = deviceKeys(ALICE, 'PHONE')
      await a.e2ee.uploadKeys(alice, { device_keys: fresh })
      expect((await query(a, ALICE, ALICE)).device_keys[ALICE]!['PHONE']).toEqual(fresh)
    })

    it('keeps the signatures when the same keys are uploaded again', async () => {
      const signed = sign(phoneKeys, ALICE, me.self.publicKey, me.self)
      await a.e2ee.uploadSignatures(ALICE, { [ALICE]: { PHONE: signed } })
      await a.e2ee.uploadKeys(alice, { device_keys: phoneKeys })
      expect((await query(a, ALICE, ALICE)).device_keys[ALICE]!['PHONE']).toEqual(signed)
    })

    it.each([[{ [ALICE]: [] }], [{ alice: {} }]])('refuses %j', async (body) => {
      await expect(a.e2ee.uploadSignatures(ALICE, body)).rejects.toMatchObject({ errcode: 'M_BAD_JSON' })
    })
  })

  it('forgets the keys of a deleted device, in the transaction that deletes it', async () => {
    await a.e2ee.uploadKeys(alice, { device_keys: deviceKeys(ALICE, 'PHONE'), one_time_keys: { 'x:A': 'a' } })
    await a.store.write('test.delete', () => a.e2ee.onDevicesDeleted(ALICE, ['PHONE']))
    expect((await query(a, ALICE, ALICE)).device_keys[ALICE]).toEqual({})
    const { one_time_keys } = await a.e2ee.claimKeys({ one_time_keys: { [ALICE]: { PHONE: 'x' } } })
    expect(one_time_keys).toEqual({})
    expect(requesterOf(ALICE, 'PHONE')).toEqual(alice)
  })
})
