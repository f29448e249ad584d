import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { startGateway, type TestGateway } from '../services/pushers/testing-gateway.js'
import type { Requester } from '../services/requester.js'
import { testServices, type TestServices } from './testing.js'

const MEMBERS = 1_000
const PUSHERS = 500

let node: TestServices
let gateway: TestGateway
beforeAll(async () => {
  gateway = await startGateway()
  node = await testServices({
    push: { allow_http: true },
    federation: { allowed_ip_ranges: ['127.0.0.0/8'] },
  })
})
afterAll(async () => {
  await node.close()
  await gateway.stop()
})

it('a message to 1,000 members, 500 of them with pushers, is acknowledged before anybody is told, and told to each once', async () => {
  const alice = await node.user('alice')
  const { roomCreation, memberships, pushers, sending } = node.services
  const { room_id: roomId } = await roomCreation.create(alice, { preset: 'public_chat' })
  const members: Requester[] = []
  for (let i = 1; i < MEMBERS; i++) members.push(await node.user(`member${i}`))
  for (let i = 0; i < members.length; i += 50)
    await Promise.all(
      members.slice(i, i + 50).map((user) => memberships.join(user, { room: roomId, via: [] })),
    )
  const say = (body: string): Promise<{ event_id: string }> =>
    sending.message(alice, {
      roomId,
      type: 'm.room.message',
      content: { msgtype: 'm.text', body },
      txnId: body,
    })
  /** The processor's time until it is acknowledged, in milliseconds. */
  const timed = async (body: string): Promise<number> => {
    const began = process.cpuUsage()
    await say(body)
    const { user, system } = process.cpuUsage(began)
    return (user + system) / 1000
  }
  await say('warm')
  const without = Math.min(await timed('a'), await timed('b'), await timed('c'))

  for (let i = 0; i < PUSHERS; i += 50)
    await Promise.all(
      members.slice(i, i + 50).map((user) =>
        pushers.set(user, {
          kind: 'http',
          app_id: 'app',
          pushkey: user.userId,
          app_display_name: 'App',
          device_display_name: 'Phone',
          lang: 'en',
          data: { url: gateway.url, format: 'event_id_only' },
        }),
      ),
    )
  await node.built.push.start()
  const cpu = process.cpuUsage()
  const began = performance.now()
  const withPushers = await timed('to all')
  expect(gateway.got).toHaveLength(0)
  await gateway.until(PUSHERS)
  const { user, system } = process.cpuUsage(cpu)
  console.log(
    `sent in ${without.toFixed(1)} ms of CPU without pushers, ${withPushers.toFixed(1)} ms with ${PUSHERS}; ` +
      `all told after ${Math.round(performance.now() - began)} ms, ${Math.round((user + system) / 1000)} ms of CPU`,
  )
  const keys = gateway.got.map((item) => item.body.notification.devices[0].pushkey as string)
  expect(new Set(keys).size).toBe(PUSHERS)
  // One row more in the event's transaction, however many are told.
  expect(withPushers).toBeLessThan(without * 5 + 100)
})
