import { expect } from '@jest/globals'
import { call, eventually, logIn, startSync, type Answer, type User } from '../harness/client.js'
import { newCrossSigningKeys } from '../harness/cross-signing.js'
import { refusal, section, sharedRoom, v3 } from '../harness/section.js'

const ALGORITHMS = ['m.olm.v1.curve25519-aes-sha2', 'm.megolm.v1.aes-sha2']
const base64 = (letter: string): string => letter.repeat(43)
const deviceKeys = (user: User, letter = 'A'): object => ({
  user_id: user.userId,
  device_id: user.deviceId,
  algorithms: ALGORITHMS,
  keys: {
    [`curve25519:${user.deviceId}`]: base64(letter),
    [`ed25519:${user.deviceId}`]: base64(letter),
  },
  signatures: { [user.userId]: { [`ed25519:${user.deviceId}`]: base64('S') } },
})
const oneTime = (user: User, letter: string): object => ({
  key: base64(letter),
  signatures: { [user.userId]: { [`ed25519:${user.deviceId}`]: base64('S') } },
})
const upload = (user: User, body: object): Promise<{ one_time_key_counts: Record<string, number> }> =>
  user.ok('POST', v3('/keys/upload'), body)
const query = async (asker: User, of: User): Promise<Record<string, Record<string, unknown>>> =>
  (await asker.ok('POST', v3('/keys/query'), { device_keys: { [of.userId]: [] } })).device_keys
const claim = async (asker: User, of: User): Promise<Record<string, unknown> | undefined> =>
  (
    await asker.ok('POST', v3('/keys/claim'), {
      one_time_keys: { [of.userId]: { [of.deviceId]: 'signed_curve25519' } },
    })
  ).one_time_keys[of.userId]?.[of.deviceId]
const crossSigning = (user: User, usage: string, letter: string): object => ({
  user_id: user.userId,
  usage: [usage],
  keys: { [`ed25519:${base64(letter)}`]: base64(letter) },
})

section('End-to-end encryption: keys', 'client-server-api/#key-management-api', (operation) => {
  operation('uploadKeys', 'POST /_matrix/client/v3/keys/upload', ({ success, error }) => {
    success('keeps the keys of the device, and counts those for one use', async (server) => {
      const alice = await server.user('alice')
      const counts = await upload(alice, {
        device_keys: deviceKeys(alice),
        one_time_keys: {
          'signed_curve25519:AAA': oneTime(alice, 'B'),
          'signed_curve25519:AAB': oneTime(alice, 'C'),
        },
      })
      expect(counts.one_time_key_counts['signed_curve25519']).toBe(2)
      expect((await query(alice, alice))[alice.userId]![alice.deviceId]).toMatchObject(deviceKeys(alice))
      expect((await alice.ok('GET', v3('/sync'))).device_one_time_keys_count).toMatchObject({
        signed_curve25519: 2,
      })
    })
    error('refuses keys of other devices, and other keys under the same id', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const post = (body: object): Promise<Answer> => alice.call('POST', v3('/keys/upload'), { body })
      const foreign = await post({ device_keys: deviceKeys(bob) })
      expect([foreign.status >= 400, (await query(bob, bob))[bob.userId]?.[bob.deviceId]]).toEqual([
        true,
        undefined,
      ])
      const first = await upload(alice, { one_time_keys: { 'signed_curve25519:AAA': oneTime(alice, 'B') } })
      expect(first.one_time_key_counts['signed_curve25519']).toBe(1)
      const changed = await post({ one_time_keys: { 'signed_curve25519:AAA': oneTime(alice, 'Z') } })
      expect(changed.status).toBe(400)
    })
  })
  operation('queryKeys', 'POST /_matrix/client/v3/keys/query', ({ success, error }) => {
    success('gives the devices of users, with their names', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const second = await logIn(alice)
      await upload(alice, { device_keys: deviceKeys(alice) })
      await upload(second, { device_keys: deviceKeys(second, 'D') })
      await sharedRoom(alice, [bob])
      const found = await query(bob, alice)
      expect(Object.keys(found)).toEqual([alice.userId])
      expect(Object.keys(found[alice.userId]!).sort()).toEqual([alice.deviceId, second.deviceId].sort())
      expect(found[alice.userId]![second.deviceId]).toMatchObject(deviceKeys(second, 'D'))
      const one = await bob.ok('POST', v3('/keys/query'), {
        device_keys: { [alice.userId]: [alice.deviceId] },
      })
      expect(Object.keys(one.device_keys[alice.userId])).toEqual([alice.deviceId])
      if (server.own) expect(one.failures).toEqual({})
    })
    success(
      'gives the keys that users sign with: those for others to see, and to themselves all',
      async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const body = newCrossSigningKeys(alice)
        const { master_key, self_signing_key, user_signing_key } = body
        expect((await alice.call('POST', v3('/keys/device_signing/upload'), { body })).status).toBe(200)
        await sharedRoom(alice, [bob])
        const asked = { device_keys: { [alice.userId]: [] } }
        const own = await alice.ok('POST', v3('/keys/query'), asked)
        expect(own.master_keys[alice.userId]).toMatchObject(master_key)
        expect(own.self_signing_keys[alice.userId]).toMatchObject(self_signing_key)
        expect(own.user_signing_keys[alice.userId]).toMatchObject(user_signing_key)
        const seen = await bob.ok('POST', v3('/keys/query'), asked)
        expect(seen.master_keys[alice.userId]).toMatchObject(master_key)
        expect(seen.self_signing_keys[alice.userId]).toMatchObject(self_signing_key)
        expect(seen.user_signing_keys?.[alice.userId]).toBeUndefined()
      },
    )
    error('wants a map', async (server) => {
      const alice = await server.user('alice')
      await refusal(
        alice.call('POST', v3('/keys/query'), { body: { device_keys: [] } }),
        400,
        'M_BAD_JSON',
        'M_INVALID_PARAM',
      )
    })
  })
  operation('claimKeys', 'POST /_matrix/client/v3/keys/claim', ({ success, error }) => {
    success('gives each key once, in the order of their upload, then the fallback', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      await upload(alice, {
        device_keys: deviceKeys(alice),
        one_time_keys: { 'signed_curve25519:AAA': oneTime(alice, 'B') },
        fallback_keys: { 'signed_curve25519:FFF': { ...oneTime(alice, 'F'), fallback: true } },
      })
      expect(await claim(bob, alice)).toEqual({ 'signed_curve25519:AAA': oneTime(alice, 'B') })
      const nobody = await bob.ok('POST', v3('/keys/claim'), { one_time_keys: {} })
      if (server.own) expect(nobody).toEqual({ one_time_keys: {}, failures: {} })
      for (let i = 0; i < 2; i++)
        expect(await claim(bob, alice)).toEqual({
          'signed_curve25519:FFF': { ...oneTime(alice, 'F'), fallback: true },
        })
      expect((await alice.ok('GET', v3('/sync'))).device_unused_fallback_key_types).toEqual([])
    })
    error('wants a map', async (server) => {
      const alice = await server.user('alice')
      await refusal(alice.call('POST', v3('/keys/claim'), { body: {} }), 400, 'M_MISSING_PARAM', 'M_BAD_JSON')
    })
  })
  operation('getKeysChanges', 'GET /_matrix/client/v3/keys/changes', ({ success, error }) => {
    success(
      'says whose devices changed between two tokens, and whom one no longer shares a room with',
      async (server) => {
        const [alice, bob, carol] = [
          await server.user('alice'),
          await server.user('bob'),
          await server.user('carol'),
        ]
        const roomId = await sharedRoom(alice, [bob, carol])
        const from = (await alice.ok('GET', v3('/sync'))).next_batch
        await upload(bob, { device_keys: deviceKeys(bob) })
        await carol.ok('POST', v3(`/rooms/${encodeURIComponent(roomId)}/leave`))
        const to = (await alice.ok('GET', v3('/sync'))).next_batch
        expect(await alice.ok('GET', v3('/keys/changes'), undefined, { from, to })).toEqual({
          changed: [bob.userId],
          left: [carol.userId],
        })
      },
    )
    error('wants tokens', async (server) => {
      const alice = await server.user('alice')
      await refusal(alice.call('GET', v3('/keys/changes')), 400, 'M_MISSING_PARAM')
      await refusal(
        alice.call('GET', v3('/keys/changes'), { query: { from: 'x', to: 'y' } }),
        400,
        'M_INVALID_PARAM',
        'M_UNKNOWN',
      )
    })
  })
  const uploadCross = (user: User, body: object): Promise<Answer> =>
    user.call('POST', v3('/keys/device_signing/upload'), { body })
  const cross = (user: User): object => ({
    master_key: crossSigning(user, 'master', 'M'),
    self_signing_key: {
      ...crossSigning(user, 'self_signing', 'N'),
      signatures: { [user.userId]: { [`ed25519:${base64('M')}`]: base64('S') } },
    },
  })
  operation(
    'uploadCrossSigningKeys',
    'POST /_matrix/client/v3/keys/device_signing/upload',
    ({ success, error, authorisation }) => {
      success('keeps a master key, the first time without the password', async (server) => {
        const alice = await server.user('alice')
        const master_key = crossSigning(alice, 'master', 'M')
        expect((await uploadCross(alice, { master_key })).body).toEqual({})
        const found = await alice.ok('POST', v3('/keys/query'), { device_keys: { [alice.userId]: [] } })
        expect(found.master_keys[alice.userId]).toMatchObject(master_key)
      })
      error('refuses keys of others and without signatures', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const foreign = await uploadCross(alice, { master_key: crossSigning(bob, 'master', 'M') })
        expect(foreign.status).toBe(400)
        const unsigned = await uploadCross(alice, cross(alice))
        expect([unsigned.status, unsigned.body.errcode]).toEqual([
          400,
          expect.stringMatching(/^M_(INVALID_SIGNATURE|INVALID_PARAM|BAD_JSON)$/),
        ])
      })
      authorisation('asks for the password where a key is replaced', async (server) => {
        const alice = await server.user('alice')
        await uploadCross(alice, { master_key: crossSigning(alice, 'master', 'M') })
        const { status, body } = await uploadCross(alice, { master_key: crossSigning(alice, 'master', 'P') })
        expect([status, typeof body.session]).toEqual([401, 'string'])
        const found = await alice.ok('POST', v3('/keys/query'), { device_keys: { [alice.userId]: [] } })
        expect(found.master_keys[alice.userId]).toMatchObject(crossSigning(alice, 'master', 'M'))
      })
    },
  )
  operation(
    'uploadCrossSigningSignatures',
    'POST /_matrix/client/v3/keys/signatures/upload',
    ({ success, error }) => {
      success('names the signatures that it does not take', async (server) => {
        const alice = await server.user('alice')
        await upload(alice, { device_keys: deviceKeys(alice) })
        const signed = {
          ...deviceKeys(alice),
          signatures: { [alice.userId]: { [`ed25519:${base64('N')}`]: base64('X') } },
        }
        const { failures } = await alice.ok('POST', v3('/keys/signatures/upload'), {
          [alice.userId]: { [alice.deviceId]: signed },
        })
        expect(failures[alice.userId][alice.deviceId].errcode).toMatch(/^M_/)
      })
      error('wants maps', async (server) => {
        const alice = await server.user('alice')
        await refusal(
          alice.call('POST', v3('/keys/signatures/upload'), { body: { [alice.userId]: 7 } }),
          400,
          'M_BAD_JSON',
          'M_INVALID_PARAM',
        )
      })
    },
  )
})

section('Send-to-device messaging', 'client-server-api/#send-to-device-messaging', (operation) => {
  operation(
    'sendToDevice',
    'PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}',
    ({ success, error }) => {
      const send = (user: User, txn: string, messages: unknown): Promise<Answer> =>
        user.call('PUT', v3(`/sendToDevice/org.example.type/${txn}`), { body: { messages } })
      success('delivers to one device or all, once for each transaction id', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const second = await logIn(bob)
        const [first, other] = [await startSync(bob), await startSync(second)]
        const one = { [bob.userId]: { [bob.deviceId]: { n: 1 } } }
        await send(alice, 't1', one)
        await send(alice, 't1', one)
        expect((await send(alice, 't2', { [bob.userId]: { '*': { n: 2 } } })).body).toEqual({})
        const seen: unknown[] = []
        await eventually('both messages', async () => {
          seen.push(...((await first.next()).to_device?.events ?? []))
          return seen.length >= 2
        })
        const message = (n: number): object => ({
          type: 'org.example.type',
          sender: alice.userId,
          content: { n },
        })
        expect(seen).toEqual([message(1), message(2)])
        expect(await other.until('the second', ({ to_device: box }) => box?.events)).toEqual([message(2)])
        expect((await first.next()).to_device?.events ?? []).toEqual([])
      })
      error('wants a map', async (server) => {
        await refusal(send(await server.user(), 't', 'x'), 400, 'M_BAD_JSON', 'M_INVALID_PARAM')
        await refusal(
          call(server.url, 'PUT', v3('/sendToDevice/t/t'), { body: {}, token: (await server.user()).token }),
          400,
          'M_MISSING_PARAM',
          'M_BAD_JSON',
        )
      })
    },
  )
})
