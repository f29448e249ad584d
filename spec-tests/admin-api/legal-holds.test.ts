import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createRoom, enc, register, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'
import { refusal } from '../harness/section.js'
import { administrator, ADMIN_CONFIG } from './administrator.js'

const ROOT = '/_chancery/admin/v1'
const LIST = `${ROOT}/legal_holds`
const ofRoom = (roomId: string): string => `${ROOT}/rooms/${enc(roomId)}/legal_hold`
const ofUser = (userId: string): string => `${ROOT}/users/${enc(userId)}/legal_hold`

let node: Node
let root: User
let alice: User
beforeAll(async () => {
  node = await startNode({
    config: { ...ADMIN_CONFIG, audit: { enabled: true }, retention: { enabled: true } },
  })
  root = await administrator(node.url)
  alice = await register(node.url, 'alice')
})
afterAll(() => node?.dispose())

const holds = async (): Promise<unknown[]> => (await root.ok('GET', LIST))['holds'] as unknown[]

describe('a legal hold', () => {
  it('is set with a reason, listed with who set it, and lifted', async () => {
    const roomId = await createRoom(alice)
    expect(await holds()).toEqual([])
    await root.ok('PUT', ofRoom(roomId), { reason: 'inquiry 2026-17' })
    await root.ok('PUT', ofUser(alice.userId), { reason: 'inquiry 2026-18' })
    const since = expect.any(Number)
    expect(await holds()).toEqual(
      expect.arrayContaining([
        { kind: 'room', target: roomId, reason: 'inquiry 2026-17', set_by: root.userId, since },
        { kind: 'user', target: alice.userId, reason: 'inquiry 2026-18', set_by: root.userId, since },
      ]),
    )
    await refusal(root.call('PUT', ofRoom(roomId), { body: { reason: 'another' } }), 400, 'M_INVALID_PARAM')
    await root.ok('DELETE', ofRoom(roomId))
    expect(await holds()).toEqual([expect.objectContaining({ kind: 'user', reason: 'inquiry 2026-18' })])
    await root.ok('DELETE', ofUser(alice.userId))
    expect(await holds()).toEqual([])
    for (const path of [ofRoom(roomId), ofUser(alice.userId)])
      await refusal(root.call('DELETE', path), 404, 'M_NOT_FOUND')
  })

  it('is the business of administrators alone, on rooms and users, with a reason', async () => {
    const body = { reason: 'because' }
    for (const path of [ofRoom('!r:x'), ofUser(alice.userId)]) {
      await refusal(alice.call('PUT', path, { body }), 403, 'M_FORBIDDEN')
      await refusal(alice.call('DELETE', path), 403, 'M_FORBIDDEN')
    }
    await refusal(alice.call('GET', LIST), 403, 'M_FORBIDDEN')
    await refusal(root.call('PUT', ofRoom('nonsense'), { body }), 400, 'M_INVALID_PARAM')
    await refusal(root.call('PUT', ofUser('nonsense'), { body }), 400, 'M_INVALID_PARAM')
    await refusal(root.call('PUT', ofUser(alice.userId), { body: {} }), 400, 'M_MISSING_PARAM')
    expect((await root.call('PUT', ofUser(alice.userId), { body: { reason: '' } })).status).toBe(400)
    expect((await root.call('PUT', ofUser(alice.userId), { body: { reason: 'x'.repeat(1_001) } })).status).toBe(400)
    expect(await holds()).toEqual([])
  }) // prettier-ignore
})
