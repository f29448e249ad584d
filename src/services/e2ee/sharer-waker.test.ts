import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { startNodes, type TestNodes } from './testing.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:a.example'
const EVE = '@eve:a.example'

describe('a change of a device list', () => {
  let nodes: TestNodes
  beforeEach(async () => {
    nodes = await startNodes()
    for (const user of [ALICE, BOB]) await nodes.a.setMembership(1, user, 'join')
    await nodes.a.setMembership(2, EVE, 'join')
  })
  afterEach(() => nodes.close())

  it('wakes the syncs of those who share a room, and of nobody else', async () => {
    const { a } = nodes
    const never = new AbortController().signal
    const [alice, bob, eve] = [ALICE, BOB, EVE].map((user) => a.notifier.subscribe([user]))
    await a.e2ee.deviceListChanged(ALICE, ['X'])
    expect(await bob!.wait(2_000, never)).toBe(true)
    expect(await alice!.wait(2_000, never)).toBe(true)
    await a.e2ee.idle()
    expect(await eve!.wait(50, never)).toBe(false)
    for (const subscription of [alice, bob, eve]) subscription!.close()
  })

  it('is told for every user who changed, however many at once', async () => {
    const { a } = nodes
    const woken: string[] = []
    const users = Array.from({ length: 40 }, (_, i) => `@u${i}:a.example`)
    for (const user of users) await a.setMembership(1, user, 'join')
    const subscriptions = users.map((user) => ({ user, subscription: a.notifier.subscribe([user]) }))
    await Promise.all(users.slice(0, 20).map((user) => a.e2ee.deviceListChanged(user, ['X'])))
    await a.e2ee.idle()
    for (const { user, subscription } of subscriptions) {
      if (await subscription.wait(500, new AbortController().signal)) woken.push(user)
      subscription.close()
    }
    expect(woken).toEqual(users)
  })
})
