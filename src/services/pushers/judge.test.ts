import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { testServices, type TestServices } from '../../composition/testing.js'
import { createJudge } from './judge.js'

let node: TestServices
beforeAll(async () => {
  node = await testServices()
})
afterAll(() => node.close())

describe('an invite to a room of which nothing is known', () => {
  it('notifies nobody who ignores the sender or their invites, from the moment at which they say so', async () => {
    const { accountData, pushRules } = node.services
    const { userId } = await node.user('bob')
    const { judgeInvite } = createJudge({ context: {} as never, pushRules })
    const told = async (sender: string): Promise<boolean> =>
      (await judgeInvite('!r:other.example', sender, userId)) !== undefined
    const set = (type: string, content: object): Promise<void> =>
      accountData.set(userId, '', type, content as never)
    const [one, two] = ['@eve:other.example', '@eve:third.example']
    expect([await told(one), await told(two)]).toEqual([true, true])
    await set('org.matrix.msc4155.invite_permission_config', { ignored_servers: ['other.*'] })
    expect([await told(one), await told(two)]).toEqual([false, true])
    await set('m.ignored_user_list', { ignored_users: { [two]: {} } })
    expect([await told(one), await told(two)]).toEqual([false, false])
    await accountData.delete(userId, '', 'org.matrix.msc4155.invite_permission_config')
    await accountData.delete(userId, '', 'm.ignored_user_list')
    expect([await told(one), await told(two)]).toEqual([true, true])
  })
})
