import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { call, createRoom, inRoom, logIn, register, startSync, v3, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'
import { refusal } from '../harness/section.js'
import { administrator, ADMIN_CONFIG } from './administrator.js'

const VALIDITY = '/_synapse/admin/v1/account_validity/validity'
const RENEW = '/_matrix/client/unstable/account_validity/renew'
const SEND = '/_matrix/client/unstable/account_validity/send_mail'

let node: Node
let ordinary: Node
let root: User
beforeAll(async () => {
  node = await startNode({
    config: {
      ...ADMIN_CONFIG,
      account_validity: { enabled: true, remind_before: [] },
      audit: { enabled: true },
    },
  })
  ordinary = await startNode({ config: ADMIN_CONFIG })
  root = await administrator(node.url)
})
afterAll(async () => {
  await node?.dispose()
  await ordinary?.dispose()
})

const setDay = (user: User, expiration_ts: number) => root.ok('POST', VALIDITY, { user_id: user.userId, expiration_ts }) // prettier-ignore

describe('an account that has expired', () => {
  it('can do nothing but sign in and out, until an administrator renews it', async () => {
    const alice = await register(node.url, 'alice')
    const roomId = await createRoom(alice)
    const syncing = await startSync(alice)
    const { expiration_ts: day } = await setDay(alice, 1)
    expect(day).toBe(1)
    // Who waited is told at once.
    await expect(syncing.next()).rejects.toThrow()
    for (const [method, path] of [
      ['GET', v3('/sync')],
      ['GET', v3('/account/whoami')],
      ['POST', inRoom(roomId, 'leave')],
    ] as const)
      await refusal(alice.call(method, path, method === 'POST' ? { body: {} } : {}), 403, 'ORG_MATRIX_EXPIRED_ACCOUNT') // prettier-ignore
    const again = await logIn(alice)
    await refusal(again.call('GET', v3('/sync')), 403, 'ORG_MATRIX_EXPIRED_ACCOUNT')
    await again.ok('POST', v3('/logout'), {})
    await root.ok('POST', VALIDITY, { user_id: alice.userId })
    await alice.ok('POST', inRoom(roomId, 'leave'), {})
  })

  it('asks for a mail, and is told where none can be sent', async () => {
    const bob = await register(node.url, 'bob')
    await setDay(bob, 1)
    await refusal(bob.call('POST', SEND), 400, 'M_UNKNOWN')
    await refusal(bob.call('POST', '/_synapse/client/email_account_validity/send_mail'), 429, 'M_LIMIT_EXCEEDED') // prettier-ignore
    await refusal(call(node.url, 'POST', SEND), 401, 'M_MISSING_TOKEN')
  })

  it('is set by administrators alone, for accounts that there are', async () => {
    const carol = await register(node.url, 'carol')
    await refusal(carol.call('POST', VALIDITY, { body: { user_id: carol.userId } }), 403, 'M_FORBIDDEN')
    await refusal(root.call('POST', VALIDITY, { body: { user_id: '@nobody:x' } }), 404, 'M_NOT_FOUND')
    for (const body of [{}, { user_id: 1 }, { user_id: carol.userId, expiration_ts: -1 }])
      expect((await root.call('POST', VALIDITY, { body })).status).toBe(400)
  })

  it('is not there on an ordinary server', async () => {
    const dave = await register(ordinary.url, 'dave')
    await refusal(dave.call('POST', SEND), 404, 'M_UNRECOGNIZED')
    await refusal(call(ordinary.url, 'GET', RENEW), 404, 'M_UNRECOGNIZED')
    const admin = await administrator(ordinary.url)
    await refusal(admin.call('POST', VALIDITY, { body: { user_id: dave.userId } }), 404, 'M_UNRECOGNIZED')
  })
})
