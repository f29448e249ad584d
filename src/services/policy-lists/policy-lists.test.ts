import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { testServices, TEST_SERVER, type TestServices } from '../../composition/testing.js'
import { silentLogger } from '../../platform/logger.js'
import type { Requester } from '../requester.js'
import { createPolicyLists } from './policy-lists.js'

let node: TestServices
let moderator: Requester
let alice: Requester
let bob: Requester
let listRoom: string

beforeAll(async () => {
  node = await testServices({ audit: { enabled: true } })
  moderator = await node.user('mod')
  alice = await node.user('alice')
  bob = await node.user('bob')
})
afterAll(() => node.close())

async function follow(): Promise<void> {
  const { room_id: roomId } = await node.services.roomCreation.create(moderator, { name: 'Banned' })
  listRoom = roomId
}

const rule = (kind: string, entity: string, recommendation = 'm.ban'): Promise<unknown> =>
  node.services.sending.state(moderator, {
    roomId: listRoom,
    type: `m.policy.rule.${kind}`,
    stateKey: `rule:${entity}`,
    content: { entity, recommendation, reason: 'spam' },
  })
const forget = (kind: string, entity: string): Promise<unknown> =>
  node.services.sending.state(moderator, {
    roomId: listRoom,
    type: `m.policy.rule.${kind}`,
    stateKey: `rule:${entity}`,
    content: {},
  })
const refusedBy = (reason: string): object => ({ errcode: 'M_FORBIDDEN', extra: { reason } })

describe('a list of the banned that the operator trusts', () => {
  beforeAll(follow)

  it('is followed from one moment to the next, for users of any server', async () => {
    const lists = createPolicyLists({
      context: node.built.rooms.context,
      logger: silentLogger,
      audit: node.services.audit,
      serverName: TEST_SERVER,
      rooms: [listRoom, '!unknown:elsewhere.example'],
    })
    await lists.checkUser('@spam:x.example')
    await rule('user', '@spam:x.example')
    await rule('server', 'evil.example')
    await rule('room', '!bad:y.example')
    await rule('user', bob.userId)
    await expect(lists.checkUser('@spam:x.example')).rejects.toMatchObject(refusedBy('policy_list.user'))
    await expect(lists.checkUser('@any:evil.example')).rejects.toMatchObject(refusedBy('policy_list.server'))
    await expect(lists.checkRoom('!bad:y.example')).rejects.toMatchObject(refusedBy('policy_list.room'))
    await expect(lists.checkUser(bob.userId)).rejects.toMatchObject(refusedBy('policy_list.user'))
    await lists.checkUser(alice.userId)
    await lists.checkRoom('!good:y.example')
    expect([lists.bansServer('evil.example'), lists.bansServer('x.example')]).toEqual([true, false])
    await forget('user', '@spam:x.example')
    await lists.checkUser('@spam:x.example')
    await rule('server', TEST_SERVER)
    await lists.checkUser(alice.userId)
    expect(lists.bansServer(TEST_SERVER)).toBe(false)
  })
})
