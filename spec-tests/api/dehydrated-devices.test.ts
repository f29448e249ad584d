import { expect } from '@jest/globals'
import type { User } from '../harness/client.js'
import { enc, refusal, section, sharedRoom, v3 } from '../harness/section.js'

const PATH = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device'
const EVENT = 'com.example.asleep'
/** No server must have these. */
const ownOnly = { ownOnly: true }
let counter = 0
/** The id that clients give one is a key in Base64. */
const newId = (): string => `asleep/+${Date.now().toString(36)}${counter++}`

const data = (pickle: string): object => ({
  algorithm: 'org.matrix.msc3814.v2',
  device_pickle: pickle,
  nonce: 'AAAA',
})
function device(user: Pick<User, 'userId'>, id: string, more: object = {}): object {
  const signatures = { [user.userId]: { [`ed25519:${id}`]: 's' } }
  return {
    device_id: id,
    device_data: data(id),
    initial_device_display_name: `Device ${id}`,
    device_keys: {
      user_id: user.userId,
      device_id: id,
      dehydrated: true,
      algorithms: ['m.olm.v1.curve25519-aes-sha2'],
      keys: { [`curve25519:${id}`]: 'c', [`ed25519:${id}`]: 'e' },
      signatures,
    },
    one_time_keys: { 'signed_curve25519:AAAA': { key: `once ${id}`, signatures } },
    fallback_keys: { 'signed_curve25519:AAAB': { key: `again ${id}`, fallback: true, signatures } },
    ...more,
  }
}
async function put(user: User, more?: object): Promise<string> {
  const id = newId()
  await user.ok('PUT', PATH, device(user, id, more))
  return id
}
const devicesOf = async (user: User): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await user.ok('GET', v3('/devices'))).devices.map((one: { device_id: string; display_name: string }) => [
      one.device_id,
      one.display_name,
    ]),
  )
const keysOf = async (viewer: User, user: User): Promise<Record<string, object>> => {
  const { body } = await viewer.call('POST', v3('/keys/query'), {
    body: { device_keys: { [user.userId]: [] } },
    uncheckedBecause: 'the proposal adds `dehydrated`',
  })
  return body.device_keys[user.userId]
}
async function claim(by: User, of: User, id: string): Promise<object> {
  const wish = { one_time_keys: { [of.userId]: { [id]: 'signed_curve25519' } } }
  return (await by.ok('POST', v3('/keys/claim'), wish)).one_time_keys[of.userId][id]
}
const events = (id: string): string => `${PATH}/${enc(id)}/events`
const send = (by: User, to: User, id: string, n: number): Promise<unknown> =>
  by.ok('PUT', v3(`/sendToDevice/${EVENT}/asleep${Date.now()}-${counter++}`), {
    messages: { [to.userId]: { [id]: { n } } },
  })
const toDevice = (sender: User, n: number): object => ({ type: EVENT, sender: sender.userId, content: { n } })

// Not in the specification: a proposal, MSC3814.
section('Dehydrated devices', 'proposals/', (operation) => {
  operation(
    'putDehydratedDevice',
    `PUT ${PATH}`,
    ({ success, error, authorisation }) => {
      success(
        'makes a device that others encrypt to',
        async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          await sharedRoom(alice, [bob])
          const { next_batch: since } = await bob.ok('GET', v3('/sync'))
          const id = newId()
          expect(await alice.ok('PUT', PATH, device(alice, id))).toEqual({ device_id: id })
          expect(await devicesOf(alice)).toMatchObject({ [id]: `Device ${id}` })
          expect(await alice.ok('GET', PATH)).toEqual({ device_id: id, device_data: data(id) })
          const { device_lists: lists } = await bob.ok('GET', v3('/sync'), undefined, { since })
          expect(lists.changed).toContain(alice.userId)
          expect((await keysOf(bob, alice))[id]).toMatchObject({
            device_id: id,
            dehydrated: true,
            keys: { [`curve25519:${id}`]: 'c', [`ed25519:${id}`]: 'e' },
          })
          expect(await claim(bob, alice, id)).toMatchObject({
            'signed_curve25519:AAAA': { key: `once ${id}` },
          })
          for (let time = 0; time < 2; time++)
            expect(await claim(bob, alice, id)).toMatchObject({
              'signed_curve25519:AAAB': { key: `again ${id}` },
            })
        },
        ownOnly,
      )
      success(
        'puts it in the place of the one before, of which nothing is left',
        async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          const first = await put(alice)
          await send(bob, alice, first, 1)
          const second = newId()
          expect(await alice.ok('PUT', PATH, device(alice, second))).toEqual({ device_id: second })
          expect(Object.keys(await devicesOf(alice)).sort()).toEqual([alice.deviceId, second].sort())
          // The same id once more is another device.
          await send(bob, alice, second, 2)
          const again = await alice.ok('PUT', PATH, device(alice, second, { device_data: data('third') }))
          expect(again).toEqual({ device_id: second })
          expect(await alice.ok('GET', PATH)).toEqual({ device_id: second, device_data: data('third') })
          expect(await alice.ok('GET', events(second))).toEqual({ events: [] })
        },
        ownOnly,
      )
      error(
        'refuses what is no device, and keeps the one that is there',
        async (server) => {
          const alice = await server.user('alice')
          const id = await put(alice)
          const other = newId()
          for (const wrong of [
            { device_id: undefined },
            { device_id: 7 },
            { device_data: undefined },
            { device_data: 'x' },
            { device_data: { device_pickle: 'x' } },
            { device_keys: undefined },
            { device_keys: 7 },
            { initial_device_display_name: 7 },
            { one_time_keys: { 'signed_curve25519:AAAA': 5 } },
          ])
            await refusal(alice.call('PUT', PATH, { body: device(alice, other, wrong) }), 400, 'M_BAD_JSON')
          const large = { algorithm: 'x', device_pickle: 'x'.repeat(65_536) }
          await refusal(
            alice.call('PUT', PATH, { body: device(alice, other, { device_data: large }) }),
            413,
            'M_TOO_LARGE',
          )
          expect(await alice.ok('GET', PATH)).toEqual({ device_id: id, device_data: data(id) })
          expect(await devicesOf(alice)).not.toHaveProperty([other])
        },
        ownOnly,
      )
      authorisation(
        'is for keys of one’s own, and takes the place of no device that is in use',
        async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          await refusal(alice.call('PUT', PATH, { body: device(alice, alice.deviceId) }), 403, 'M_FORBIDDEN')
          await refusal(
            bob.call('PUT', PATH, { body: device(alice, newId()) }),
            400,
            'M_BAD_JSON',
            'M_INVALID_PARAM',
          )
          for (const user of [alice, bob]) {
            expect(Object.keys(await devicesOf(user))).toEqual([user.deviceId])
            await refusal(user.call('GET', PATH), 404, 'M_NOT_FOUND')
          }
        },
        ownOnly,
      )
    },
    { sample: { body: device({ userId: '@user:example.org' }, 'SAMPLE') } },
  )
  operation('getDehydratedDevice', `GET ${PATH}`, ({ success, error }) => {
    success(
      'gives back what was put, to each user their own',
      async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const [ofAlice, ofBob] = [await put(alice), await put(bob)]
        expect(await alice.ok('GET', PATH)).toEqual({ device_id: ofAlice, device_data: data(ofAlice) })
        expect(await bob.ok('GET', PATH)).toEqual({ device_id: ofBob, device_data: data(ofBob) })
      },
      ownOnly,
    )
    error(
      'has none that was not put',
      async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        await put(alice)
        await refusal(bob.call('GET', PATH), 404, 'M_NOT_FOUND')
      },
      ownOnly,
    )
  })
  operation('deleteDehydratedDevice', `DELETE ${PATH}`, ({ success, error }) => {
    success(
      'ends it with all that it holds, and no other device',
      async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const [id, ofBob] = [await put(alice), await put(bob)]
        await send(bob, alice, id, 1)
        expect(await alice.ok('DELETE', PATH)).toEqual({ device_id: id })
        await refusal(alice.call('GET', PATH), 404, 'M_NOT_FOUND')
        await refusal(alice.call('GET', events(id)), 403, 'M_FORBIDDEN')
        expect(Object.keys(await devicesOf(alice))).toEqual([alice.deviceId])
        expect(await keysOf(bob, alice)).not.toHaveProperty([id])
        expect(await bob.ok('GET', PATH)).toMatchObject({ device_id: ofBob })
      },
      ownOnly,
    )
    error(
      'ends none that is not there',
      async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const id = await put(alice)
        await refusal(bob.call('DELETE', PATH), 404, 'M_NOT_FOUND')
        expect(await alice.ok('GET', PATH)).toMatchObject({ device_id: id })
      },
      ownOnly,
    )
  })
  for (const [method, name] of [
    ['GET', 'getDehydratedDeviceEvents'],
    ['POST', 'postDehydratedDeviceEvents'],
  ] as const) {
    /** The proposal's own way has no token after the last page; the way of the SDKs always has one. */
    const isPost = method === 'POST'
    // oxlint-disable-next-line typescript/no-explicit-any
    const read = (user: User, id: string, from?: string): Promise<any> =>
      isPost
        ? user.ok('POST', events(id), from === undefined ? {} : { next_batch: from })
        : user.ok('GET', events(id), undefined, { from })
    operation(name, `${method} ${PATH}/{deviceId}/events`, ({ success, error, authorisation }) => {
      success(
        'gives in pages what was sent to it, as often as one asks',
        async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          const [id, ofBob] = [await put(alice), await put(bob)]
          await send(alice, bob, ofBob, 1_000)
          for (let n = 1; n <= 101; n++) await send(bob, alice, id, n)
          for (let time = 0; time < 2; time++) {
            const first = await read(alice, id)
            expect(first).toEqual({
              events: Array.from({ length: 100 }, (_, i) => toDevice(bob, i + 1)),
              next_batch: expect.any(String),
            })
            const last = await read(alice, id, first.next_batch)
            expect(last).toEqual({
              events: [toDevice(bob, 101)],
              ...(isPost && { next_batch: expect.any(String) }),
            })
            if (isPost) expect((await read(alice, id, last.next_batch)).events).toEqual([])
          }
          expect((await read(bob, ofBob)).events).toEqual([toDevice(alice, 1_000)])
        },
        ownOnly,
      )
      error(
        'takes no token that is none',
        async (server) => {
          const alice = await server.user('alice')
          const id = await put(alice)
          const wrong = isPost ? { body: { next_batch: 'x' } } : { query: { from: 'x' } }
          await refusal(alice.call(method, events(id), wrong), 400, 'M_INVALID_PARAM')
        },
        ownOnly,
      )
      authorisation(
        'is for one’s own dehydrated device, and tells others what it tells of none',
        async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          const [id] = [await put(alice), await put(bob)]
          const sent = isPost ? { body: {} } : {}
          const refused = await refusal(bob.call(method, events(id), sent), 403, 'M_FORBIDDEN')
          const none = await refusal(bob.call(method, events('NONE'), sent), 403, 'M_FORBIDDEN')
          expect(refused.body).toEqual(none.body)
          // Of a device in use messages are read by `/sync`.
          await refusal(alice.call(method, events(alice.deviceId), sent), 403, 'M_FORBIDDEN')
        },
        ownOnly,
      )
    })
  }
})
