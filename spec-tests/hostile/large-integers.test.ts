import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createRoom, enc, register, v3, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'

let node: Node
let alice: User
let roomId: string
let backup: string
beforeAll(async () => {
  node = await startNode()
  alice = await register(node.url, 'alice')
  roomId = await createRoom(alice)
  const made = await alice.ok('POST', v3('/room_keys/version'), {
    algorithm: 'm.megolm_backup.v1.curve25519-aes-sha2',
    auth_data: { public_key: 'abc' },
  })
  backup = made.version as string
})
afterAll(() => node.dispose())

const own = (rest: string): string => v3(`/user/${enc(alice.userId)}/${rest}`)
const inOwnRoom = (rest: string): string => v3(`/rooms/${enc(roomId)}/${rest}`)
const keys = (room: string): string => `room_keys/keys${room}?version=${backup}`
const key = (number: string): string =>
  `{"first_message_index":0,"forwarded_count":0,"is_verified":false,"session_data":{"n":${number}}}`
const device = (number: string): string =>
  `{"device_keys":{"user_id":"${alice.userId}","device_id":"${alice.deviceId}","algorithms":["m.olm.v1"],"keys":{"ed25519:${alice.deviceId}":"AAAA","curve25519:${alice.deviceId}":"AAAA"},"signatures":{"${alice.userId}":{"ed25519:${alice.deviceId}":"AAAA"}},"org.example.n":${number}}}`

/** Where clients have JSON kept that others, or they themselves, read again. */
const KEPT: readonly (readonly [what: string, method: 'PUT' | 'POST', path: () => string, body: (number: string) => string])[] = [
  ['account data', 'PUT', () => own('account_data/org.example.n'), (n) => `{"n":${n}}`],
  ['account data of a room', 'PUT', () => own(`rooms/${enc(roomId)}/account_data/org.example.n`), (n) => `{"a":[{"n":${n}}]}`],
  ['a tag', 'PUT', () => own(`rooms/${enc(roomId)}/tags/u.x`), (n) => `{"order":0.5,"n":${n}}`],
  ['a field of the profile', 'PUT', () => v3(`/profile/${enc(alice.userId)}/org.example.n`), (n) => `{"org.example.n":${n}}`],
  ['a filter', 'POST', () => own('filter'), (n) => `{"room":{"timeline":{"limit":10}},"org.example.n":${n}}`],
  ['a push rule', 'PUT', () => v3('/pushrules/global/override/org.example.n'), (n) => `{"actions":[{"set_tweak":"n","value":${n}}],"conditions":[]}`],
  ['a message to a device', 'PUT', () => v3('/sendToDevice/org.example.n/t1'), (n) => `{"messages":{"${alice.userId}":{"*":{"n":${n}}}}}`],
  ['a key of the backup', 'PUT', () => v3(`/${keys(`/${enc(roomId)}/session`)}`), (n) => key(n)],
  ['keys of the backup', 'PUT', () => v3(`/${keys('')}`), (n) => `{"rooms":{"${roomId}":{"sessions":{"s":${key(n)}}}}}`],
  ['a version of the backup', 'PUT', () => v3(`/room_keys/version/${backup}`), (n) => `{"version":"${backup}","algorithm":"m.megolm_backup.v1.curve25519-aes-sha2","auth_data":{"public_key":"abc","n":${n}}}`],
  ['keys of the device', 'POST', () => v3('/keys/upload'), device],
  ['a pusher', 'POST', () => v3('/pushers/set'), (n) => `{"kind":"http","app_id":"x","pushkey":"x","app_display_name":"x","device_display_name":"x","lang":"en","data":{"url":"https://push.example.org/_matrix/push/v1/notify","n":${n}}}`],
  ['a dehydrated device', 'PUT', () => '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device', (n) => `{"device_id":"D","device_data":{"algorithm":"x","n":${n}},"device_keys":{"user_id":"${alice.userId}","device_id":"D","algorithms":["m.olm.v1"],"keys":{"ed25519:D":"AAAA","curve25519:D":"AAAA"},"signatures":{}}}`],
  ['a message', 'PUT', () => inOwnRoom('send/org.example.n/t2'), (n) => `{"n":${n}}`],
  ['a piece of state', 'PUT', () => inOwnRoom('state/org.example.n/'), (n) => `{"n":${n}}`],
  ['a message for later', 'PUT', () => `${inOwnRoom('send/org.example.n/t3')}?org.matrix.msc4140.delay=60000`, (n) => `{"n":${n}}`],
] // prettier-ignore

describe('an integer beyond 2^53 in what is kept for clients', () => {
  it.each(KEPT)('is refused in %s, and not made another one', async (_what, method, path, body) => {
    for (const number of ['9007199254740993', '-9007199254740992', '123456789012345678901234567890']) {
      const answer = await alice.call(method, path(), { body: body(number) })
      expect([answer.status, answer.body.errcode]).toEqual([400, 'M_BAD_JSON'])
    }
  })

  // The definitions do not know the answer to a message for later.
  const known = KEPT.filter(([what]) => what !== 'a message for later')
  it.each(known)('is in reach of %s where a double holds it', async (_what, method, path, body) => {
    const answer = await alice.call(method, path(), { body: body('9007199254740991') })
    expect(answer.status).toBe(200)
  })

  it('comes back as it was up to there, and fractions too', async () => {
    const path = own('account_data/org.example.exact')
    const body = '{"largest":9007199254740991,"smallest":-9007199254740991,"fraction":0.1,"huge":1e300}'
    expect((await alice.call('PUT', path, { body })).status).toBe(200)
    const answer = await fetch(node.url + path, { headers: { authorization: `Bearer ${alice.token}` } })
    const huge = `1${'0'.repeat(300)}`
    expect((await answer.text()).replace('1e+300', '1e300').replace(huge, '1e300')).toBe(body)
  })
})
