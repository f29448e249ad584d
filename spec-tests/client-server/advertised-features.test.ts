import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  createRoom,
  enc,
  eventually,
  inRoom,
  logIn,
  register,
  sendText,
  v3,
  type User,
} from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'
import { refusal, sharedRoom } from '../harness/section.js'

// A client that finds a flag in /versions relies on what it stands for: each is used here, and what is used is there.

const unstable = (path: string): string => `/_matrix/client/unstable/${path}`
const SLIDING = unstable('org.matrix.simplified_msc3575/sync')
const TRANSPORTS = [{ type: 'livekit', livekit_service_url: 'https://rtc.example.org/token' }]

let node: Node
let alice: User
let bob: User
beforeAll(async () => {
  node = await startNode({ config: { rtc: { transports: TRANSPORTS }, push: { followed_threads: true } } })
  alice = await register(node.url, 'alice')
  bob = await register(node.url, 'bob')
})
afterAll(() => node.dispose())

const own = (user: User, rest: string): string => v3(`/user/${enc(user.userId)}/${rest}`)
/** Something that no specification has, and so answers in its own form. */
const because = { uncheckedBecause: 'the proposal answers in another form' }

async function mutualRooms(path: string): Promise<void> {
  const carol = await register(node.url, 'carol')
  const roomId = await sharedRoom(carol, [bob])
  expect((await carol.ok('GET', path, undefined, { user_id: bob.userId })).joined).toEqual([roomId])
}

/** By flag: what a client does that has seen it. */
const USES: Readonly<Record<string, () => Promise<void>>> = {
  async 'org.matrix.simplified_msc3575'() {
    const roomId = await createRoom(alice, { name: 'In the list' })
    const lists = { all: { ranges: [[0, 0]], timeline_limit: 1, required_state: [] } }
    const { body } = await alice.call('POST', SLIDING, { body: { lists } })
    expect(body.rooms[roomId]).toMatchObject({ initial: true, name: 'In the list' })
  },
  async 'org.matrix.msc4155'() {
    const carol = await register(node.url, 'carol')
    const type = 'org.matrix.msc4155.invite_permission_config'
    await carol.ok('PUT', own(carol, `account_data/${type}`), { blocked_users: [bob.userId] })
    const invite = inRoom(await createRoom(bob), 'invite')
    await refusal(bob.call('POST', invite, { body: { user_id: carol.userId } }), 403, 'M_INVITE_BLOCKED')
  },
  async 'org.matrix.msc3391'() {
    const path = own(alice, 'account_data/org.example.gone')
    await alice.ok('PUT', path, { there: true })
    await alice.ok(
      'DELETE',
      unstable(`org.matrix.msc3391/user/${enc(alice.userId)}/account_data/org.example.gone`),
    )
    await refusal(alice.call('GET', path), 404, 'M_NOT_FOUND')
  },
  async 'org.matrix.msc3874'() {
    const roomId = await createRoom(alice)
    const root = await sendText(alice, roomId, 'root')
    const content = { msgtype: 'm.text', body: 'x', 'm.relates_to': { rel_type: 'm.thread', event_id: root } }
    const { event_id: reply } = await alice.ok('PUT', inRoom(roomId, 'send/m.room.message/reply'), content)
    const filter = JSON.stringify({ 'org.matrix.msc3874.rel_types': ['m.thread'] })
    const { chunk } = await alice.ok('GET', inRoom(roomId, 'messages'), undefined, { dir: 'b', filter })
    expect(chunk.map((event: { event_id: string }) => event.event_id)).toEqual([reply])
  },
  async 'org.matrix.msc3890'() {
    const second = await logIn(alice)
    const path = own(alice, `account_data/org.matrix.msc3890.local_notification_settings.${second.deviceId}`)
    await alice.ok('PUT', path, { is_silenced: true })
    await second.ok('POST', v3('/logout'))
    await refusal(alice.call('GET', path), 404, 'M_NOT_FOUND')
  },
  async 'org.matrix.msc4140'() {
    const roomId = await createRoom(alice)
    const { body } = await alice.call('PUT', inRoom(roomId, 'send/org.example.later/1'), {
      body: { n: 1 },
      query: { 'org.matrix.msc4140.delay': '3600000' },
      ...because,
    })
    const at = unstable(`org.matrix.msc4140/delayed_events/${body.delay_id}`)
    expect(await alice.ok('GET', at)).toMatchObject({ type: 'org.example.later', content: { n: 1 } })
    await alice.ok('POST', `${at}/send`, {})
    const sent = await eventually('the delayed event', async () => (await alice.ok('GET', at)).event_id)
    expect((await alice.ok('GET', inRoom(roomId, `event/${enc(sent as string)}`))).content).toEqual({ n: 1 })
  },
  async 'org.matrix.msc4143'() {
    expect(await alice.ok('GET', unstable('org.matrix.msc4143/rtc/transports'))).toEqual({
      rtc_transports: TRANSPORTS,
    })
  },
  async 'org.matrix.msc4262'() {
    const roomId = await sharedRoom(alice, [bob])
    const extension = 'org.matrix.msc4262.profiles'
    const body = {
      room_subscriptions: { [roomId]: { timeline_limit: 1, required_state: [] } },
      extensions: { [extension]: { enabled: true, fields: ['org.example.mood'] } },
    }
    const first = (await bob.call('POST', SLIDING, { body })).body
    expect(first.extensions).toEqual({})
    await alice.ok('PUT', v3(`/profile/${enc(alice.userId)}/org.example.mood`), {
      'org.example.mood': 'good',
    })
    const second = (await bob.call('POST', SLIDING, { body, query: { pos: first.pos } })).body
    const told = { users: { [alice.userId]: { updated: { 'org.example.mood': 'good' } } } }
    expect(second.extensions).toEqual({ [extension]: told })
    await alice.ok('DELETE', v3(`/profile/${enc(alice.userId)}/org.example.mood`))
    const third = (await bob.call('POST', SLIDING, { body, query: { pos: second.pos } })).body
    expect(third.extensions).toEqual({
      [extension]: { users: { [alice.userId]: { removed: ['org.example.mood'] } } },
    })
  },
  async 'org.matrix.msc4306'() {
    const roomId = await createRoom(alice)
    const root = await sendText(alice, roomId, 'root')
    const path = unstable(`io.element.msc4306/rooms/${enc(roomId)}/thread/${enc(root)}/subscription`)
    await alice.ok('PUT', path, {})
    expect(await alice.ok('GET', path)).toEqual({ automatic: false })
    const { body } = await alice.call('GET', v3('/pushrules/'), because)
    expect(JSON.stringify(body.global.postcontent)).toContain('thread')
  },
  async 'org.matrix.msc4354'() {
    const roomId = await sharedRoom(alice, [bob])
    const query = { 'org.matrix.msc4354.sticky_duration_ms': '60000' }
    const path = inRoom(roomId, 'send/org.example.sticks/1')
    const { event_id: sticky } = await alice.ok('PUT', path, { x: 1 }, query)
    for (let n = 0; n < 3; n++) await sendText(alice, roomId, 'between')
    const filter = JSON.stringify({ room: { timeline: { limit: 1 } } })
    const { body } = await bob.call('GET', v3('/sync'), { query: { filter }, ...because })
    expect(body.rooms.join[roomId].msc4354_sticky.events).toMatchObject([
      { event_id: sticky, unsigned: { msc4354_sticky_duration_ttl_ms: expect.any(Number) } },
    ])
  },
  'uk.half-shot.msc2666.query_mutual_rooms': () =>
    mutualRooms(unstable('uk.half-shot.msc2666/user/mutual_rooms')),
  'uk.half-shot.msc2666.query_mutual_rooms.stable': () => mutualRooms('/_matrix/client/v1/mutual_rooms'),
}

describe('what /versions advertises', () => {
  it('is what is used here, each of it true', async () => {
    const { unstable_features: flags } = await alice.ok('GET', '/_matrix/client/versions')
    const wanted = Object.fromEntries(Object.keys(USES).map((flag) => [flag, true]))
    expect(flags).toEqual(wanted)
  })

  it.each(Object.keys(USES))('works: %s', async (flag) => {
    await USES[flag]!()
  })

  it('is not advertised where the operator has it off', async () => {
    const other = await startNode({ config: { delayed_events: { max_scheduled: 0 } } })
    try {
      const user = await register(other.url)
      const { unstable_features: flags } = await user.ok('GET', '/_matrix/client/versions')
      for (const flag of ['org.matrix.msc4140', 'org.matrix.msc4143', 'org.matrix.msc4306'])
        expect(flags).not.toHaveProperty([flag])
      expect(await user.ok('GET', unstable('org.matrix.msc4143/rtc/transports'))).toEqual({
        rtc_transports: [],
      })
    } finally {
      await other.dispose()
    }
  })
})
