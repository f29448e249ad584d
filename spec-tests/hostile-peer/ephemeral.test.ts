import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { eventually, register, startSync, v3, type Syncing, type User } from '../harness/client.js'
import { answerJson } from '../harness/foreign-server.js'
import { enc, startWorld, type Scene, type World } from './world.js'

let world: World
let scene: Scene
let honest: Scene
let bob: User
let messages = 0
beforeAll(async () => {
  world = await startWorld({ presence: { enabled: true, federation: true } })
  scene = await world.scene(world.hostile)
  honest = await world.sceneIn(world.honest, scene.roomId)
  bob = await register(world.node.url, 'bob')
  await bob.ok('POST', v3(`/join/${enc(scene.roomId)}`))
})
afterEach(() => world.othersGoOn())
afterAll(() => world?.dispose())

const edu = (type: string, content: unknown): object => ({ edu_type: type, content })
const toDevice = (
  sender: string,
  content: object,
  device = world.alice.deviceId,
  id = `m${messages++}`,
): object =>
  edu('m.direct_to_device', {
    sender,
    type: 'x.test',
    message_id: id,
    messages: { [world.alice.userId]: { [device]: content } },
  })

// What a sync shows is whatever the server made of it.
// oxlint-disable-next-line typescript/no-explicit-any
type Answer = any

/** Sends EDUs and then a message to alice's device; gives all that her sync shows up to that message. */
async function shownAfter(edus: readonly unknown[]): Promise<readonly Answer[]> {
  const following: Syncing = await startSync(world.alice)
  const mark = `mark ${messages}`
  for (let i = 0; i < edus.length; i += 100)
    expect((await scene.send([], edus.slice(i, i + 100))).status).toBe(200)
  expect((await scene.send([], [toDevice(scene.eve, { mark })])).status).toBe(200)
  const seen: Answer[] = []
  await following.until('the mark', (answer) => {
    seen.push(answer)
    return (answer.to_device?.events ?? []).some((event: Answer) => event.content.mark === mark)
  })
  return seen
}

describe('ephemeral events of a hostile peer', () => {
  it('L1: about users of other servers are passed over', async () => {
    for (const other of [world.alice.userId, bob.userId, honest.eve, '@x:elsewhere.example', '', 7, null]) {
      const receipt = { 'm.read': { [other as string]: { data: { ts: 1 }, event_ids: [scene.last.id] } } }
      const seen = await shownAfter([
        edu('m.typing', { room_id: scene.roomId, user_id: other, typing: true }),
        edu('m.receipt', { [scene.roomId]: receipt }),
        edu('m.presence', { push: [{ user_id: other, presence: 'online', status_msg: 'forged', last_active_ago: 1 }] }),
        edu('m.device_list_update', { user_id: other, device_id: 'FORGED', stream_id: 9, prev_id: [] }),
        edu('m.signing_key_update', { user_id: other, master_key: { user_id: other, usage: ['master'], keys: { 'ed25519:A': 'A' } } }),
        toDevice(other as string, { forged: true }),
        edu('m.direct_to_device', { sender: other, type: 'm.room_key', message_id: 'x', messages: { [world.alice.userId]: { '*': { forged: true } } } }),
      ]) // prettier-ignore
      const text = JSON.stringify(
        seen.map(({ to_device: messages_, presence, rooms }) => ({
          messages_,
          presence,
          ephemeral: rooms?.join?.[scene.roomId]?.ephemeral,
        })),
      )
      expect(text).not.toContain('forged')
      if (typeof other === 'string' && other !== '') {
        expect(text).not.toContain(`"user_ids":["${other}"`)
        expect(text).not.toContain(`"${other}":{"ts"`)
        // The users of this server are told of nobody's devices for it.
        const changed = seen.flatMap((answer) => answer.device_lists?.changed ?? [])
        expect(changed).not.toContain(other)
      }
    }
  })

  it('L1: about its own users are shown', async () => {
    const following = await startSync(world.alice)
    await scene.send([], [edu('m.typing', { room_id: scene.roomId, user_id: scene.eve, typing: true })])
    const typing = await following.until('eve types', (answer) =>
      answer.rooms?.join?.[scene.roomId]?.ephemeral?.events.find(
        (event: Answer) => event.type === 'm.typing',
      ),
    )
    expect(typing.content.user_ids).toEqual([scene.eve])
  })

  it('L1: of unknown and odd shapes are passed over, one by one', async () => {
    const odd = [
      null, 7, [], 'x', {}, { edu_type: 7 }, { edu_type: 'm.typing' }, edu('m.typing', []), edu('m.typing', { room_id: 7 }),
      edu('m.receipt', { [scene.roomId]: 7 }), edu('m.receipt', { [scene.roomId]: { 'm.read': [] } }), edu('m.receipt', { __proto__x: {} }),
      edu('m.presence', { push: 7 }), edu('m.presence', { push: [null, 7, []] }), edu('m.direct_to_device', { sender: scene.eve }),
      edu('m.direct_to_device', { sender: scene.eve, type: 7, message_id: [], messages: [] }),
      edu('m.direct_to_device', { sender: scene.eve, type: 'x', message_id: 'y', messages: { [world.alice.userId]: 7, '@none:x': { D: {} } } }),
      edu('m.device_list_update', { user_id: scene.eve }), edu('x'.repeat(10_000), {}), edu('constructor', { __proto__: null }),
    ] // prettier-ignore
    await shownAfter(odd)
  })

  it('L3: of device lists with gaps, replays and huge numbers make few questions, and no circle', async () => {
    let asked = 0
    const { server } = world.hostile
    server.answer = (_request, response, path) => {
      if (!path.includes('/user/')) return false
      asked += 1
      // Always behind what the updates say, so that no answer ever closes the gap.
      answerJson(response, { user_id: scene.eve, stream_id: 1, devices: [] })
      return true
    }
    try {
      const update = (streamId: unknown, prev: unknown, more: object = {}): object =>
        edu('m.device_list_update', { user_id: scene.eve, device_id: 'D', stream_id: streamId, prev_id: prev, ...more }) // prettier-ignore
      const query = async (): Promise<object> =>
        (await world.alice.ok('POST', v3('/keys/query'), { device_keys: { [scene.eve]: [] } })).device_keys
      // From here on the list is followed.
      expect(await query()).toEqual({ [scene.eve]: {} })
      expect(asked).toBeGreaterThan(0)
      const many = Array.from({ length: 200 }, (_, i) => update(1_000_000 - i * 7, [1_000_000 - i * 11]))
      await shownAfter([
        ...many,
        ...many.slice(0, 20),
        update(9_007_199_254_740_991, [9_007_199_254_740_990]),
        update(-1, [-2]),
        update('x', 'y'),
        update(
          5,
          Array.from({ length: 10_000 }, (_, i) => i),
        ),
        update(6, [5], { deleted: true, keys: { user_id: world.alice.userId, device_id: 'D', keys: {} } }),
      ])
      await world.othersGoOn()
      // One for all that came at once, and few more while they went on coming.
      expect(await query()).toEqual({ [scene.eve]: {} })
      expect(asked).toBeLessThanOrEqual(20)
    } finally {
      server.answer = () => false
    }
  })

  it('L4: that are the same message to a device arrive once, and those to no device go nowhere', async () => {
    const twice = toDevice(scene.eve, { copy: true }, world.alice.deviceId, 'the same id')
    const seen = await shownAfter([
      twice,
      twice,
      toDevice(scene.eve, { copy: true }, world.alice.deviceId, 'the same id'),
      toDevice(scene.eve, { astray: true }, 'NO_SUCH_DEVICE'),
    ])
    const again = await shownAfter([twice])
    const all = [...seen, ...again].flatMap((answer) => answer.to_device?.events ?? [])
    expect(all.filter(({ content }: Answer) => content.copy === true)).toHaveLength(1)
    expect(JSON.stringify(all)).not.toContain('astray')
  })

  it('L4: do not fill a device without end', async () => {
    const flood = (n: number): object[] =>
      Array.from({ length: 100 }, (_, i) => toDevice(scene.eve, { flood: n * 100 + i }))
    const following = await startSync(bob)
    for (let n = 0; n < 10; n++) expect([200, 429]).toContain((await scene.send([], flood(n))).status)
    // Others are served meanwhile, and all that was acknowledged can be read.
    await following.next()
    const seen = await shownAfter([])
    expect(seen.length).toBeGreaterThan(0)
    await eventually('the queue of the device is empty', async () => {
      const { to_device: left } = await world.alice.ok('GET', v3('/sync'), undefined, { since: seen.at(-1).next_batch }) // prettier-ignore
      return (left?.events ?? []).length === 0
    })
  })
})
