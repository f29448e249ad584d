import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { call, register, v3, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'
import { createBlockMeter } from '../load/metrics.js'

/** As in spec-tests/load: the promise is 100 ms, of a machine that has a core for the node. Here it is the processor's time that counts. */
const MAX_BLOCK = Number(process.env['CHANCERY_MAX_BLOCK'] ?? 400)
const TRIES = 4
const MEGABYTE = 1024 * 1024

let node: Node
let longestBlock: () => Promise<number>
let user: User
beforeAll(async () => {
  node = await startNode()
  longestBlock = createBlockMeter(node, { ofProcessor: true })
  user = await register(node.url)
})
afterAll(() => node.dispose())

const repeat = (item: (i: number) => string, size: number): string => {
  const items: string[] = []
  for (let length = 0; length < size; length += items.at(-1)!.length + 1) items.push(item(items.length))
  return items.join(',')
}
const keys = (size: number): string => `{${repeat((i) => `"k${i.toString(36)}":1`, size)}}`

/** Just under a megabyte each. */
const HOSTILE: readonly (readonly [string, string])[] = [
  ['many keys', keys(MEGABYTE - 100)],
  ['many keys, one of them twice', `${keys(MEGABYTE - 100).slice(0, -1)},"k0":2}`],
  ['many keys and a fraction', `{"f":1.5,${keys(MEGABYTE - 100).slice(1)}`],
  ['many lists', `{"a":[${repeat(() => '[]', MEGABYTE - 100)}]}`],
  ['many objects', `{"a":[${repeat(() => '{"a":{}}', MEGABYTE - 100)}]}`],
  ['many fractions', `{"a":[${repeat(() => '1.5', MEGABYTE - 100)}]}`],
  ['many short strings', `{"a":[${repeat(() => '""', MEGABYTE - 100)}]}`],
  ['many lists in lists', `{"a":[${repeat(() => `${'['.repeat(150)}${']'.repeat(150)}`, MEGABYTE - 100)}]}`],
]

const accountData = (): string =>
  v3(`/user/${encodeURIComponent(user.userId)}/account_data/org.example.large`)

describe('a body of a megabyte', () => {
  it.each(HOSTILE)('with %s is refused before it holds up others', async (_what, body) => {
    let best = Infinity
    for (let i = 0; i < TRIES && best > MAX_BLOCK; i++) {
      await longestBlock()
      const answer = await user.call('PUT', accountData(), { body })
      expect({ status: answer.status, errcode: answer.body.errcode }).toEqual({
        status: 413,
        errcode: 'M_TOO_LARGE',
      })
      best = Math.min(best, await longestBlock())
    }
    expect(best).toBeLessThan(MAX_BLOCK)
  })

  it('of another server is refused the same way, before its signature is looked at', async () => {
    const answer = await call(node.url, 'PUT', '/_matrix/federation/v1/send/1', {
      headers: { authorization: 'X-Matrix origin="other.example",key="ed25519:1",sig="AAAA"' },
      body: `{"pdus":[${repeat(() => '[]', MEGABYTE)}]}`,
    })
    expect({ status: answer.status, errcode: answer.body.errcode }).toEqual({
      status: 413,
      errcode: 'M_TOO_LARGE',
    })
  })

  it.each([
    ['one long text', `{"a":"${'x'.repeat(MEGABYTE - 100)}"}`],
    ['one text of escapes', `{"a":"${'\\u00e9'.repeat(MEGABYTE / 6 - 100)}"}`],
    ['as many keys as are allowed', keys(19_000 * 8)],
  ])('with %s passes, and holds up nobody', async (_what, body) => {
    let best = Infinity
    for (let i = 0; i < TRIES && best > MAX_BLOCK; i++) {
      await longestBlock()
      // Unknown members are read and passed over.
      const answer = await user.call('POST', v3('/keys/query'), { body: `{"device_keys":{},"x":${body}}` })
      expect(answer.status).toBe(200)
      best = Math.min(best, await longestBlock())
    }
    expect(best).toBeLessThan(MAX_BLOCK)
  })
})

describe('a large body that a client or server means', () => {
  it('passes: account data with thousands of direct chats', async () => {
    const rooms = Object.fromEntries(
      Array.from({ length: 4_000 }, (_, i) => [`@user${i}:ministry.example`, [`!room${i}:ministry.example`]]),
    )
    await user.ok('PUT', v3(`/user/${encodeURIComponent(user.userId)}/account_data/m.direct`), rooms)
    const read = await user.ok('GET', v3(`/user/${encodeURIComponent(user.userId)}/account_data/m.direct`))
    expect(read).toEqual(rooms)
  })

  it('passes: a message to 2,000 devices at once', async () => {
    const messages = Object.fromEntries(
      Array.from({ length: 2_000 }, (_, i) => [
        `@user${i}:localhost`,
        {
          DEVICE: {
            algorithm: 'm.olm',
            ciphertext: { key: { body: 'x'.repeat(500), type: 0 } },
            sender_key: 'k',
          },
        },
      ]),
    )
    await user.ok('PUT', v3('/sendToDevice/m.room.encrypted/1'), { messages })
  })
})
