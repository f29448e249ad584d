import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import {
  call,
  createRoom,
  eventually,
  logIn,
  register,
  v3,
  type Answer,
  type User,
} from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'

// What clients rely on although no release of the specification has it.

const TRANSPORTS = [{ type: 'livekit', livekit_service_url: 'https://rtc.example.org/token' }]

let node: Node
let alice: User
let bob: User
beforeAll(async () => {
  node = await startNode({ config: { rtc: { transports: TRANSPORTS } } })
  alice = await register(node.url, 'alice')
  bob = await register(node.url, 'bob')
})
afterAll(() => node.dispose())

const enc = encodeURIComponent
const own = (user: User, rest: string): string => v3(`/user/${enc(user.userId)}/${rest}`)
const features = async (): Promise<Record<string, boolean>> =>
  (await alice.ok('GET', '/_matrix/client/versions')).unstable_features

describe('invite filtering (MSC4155)', () => {
  const filter = (lists: object): Promise<unknown> =>
    alice.ok('PUT', own(alice, 'account_data/org.matrix.msc4155.invite_permission_config'), lists)
  const invited = async (): Promise<string[]> =>
    Object.keys((await alice.ok('GET', v3('/sync'))).rooms?.invite ?? {})

  it('refuses invites of whom a user blocks, and says nothing of those of whom they ignore', async () => {
    expect(await features()).toMatchObject({ 'org.matrix.msc4155': true })
    const roomId = await createRoom(bob)
    const invite = v3(`/rooms/${enc(roomId)}/invite`)
    await filter({ blocked_users: ['@b*'] })
    expect(await bob.call('POST', invite, { body: { user_id: alice.userId } })).toMatchObject({
      status: 403,
      body: { errcode: 'M_INVITE_BLOCKED' },
    })
    await filter({ ignored_servers: ['*'] })
    await bob.ok('POST', invite, { user_id: alice.userId })
    expect(await invited()).toEqual([])
    await filter({ allowed_users: [bob.userId], ignored_servers: ['*'] })
    expect(await invited()).toEqual([roomId])
  })
})

describe('deleting account data (MSC3391)', () => {
  const TYPE = 'org.example.test'
  interface Sync {
    readonly next_batch: string
    readonly account_data?: { readonly events: readonly { readonly type: string }[] }
    readonly rooms?: { readonly join?: Record<string, { readonly account_data: Sync['account_data'] }> }
  }
  const sync = (since?: string): Promise<Sync> =>
    alice.ok('GET', v3('/sync'), undefined, since === undefined ? {} : { since }) as Promise<Sync>

  it.each([
    ['for the account', false, 'DELETE'],
    ['for the account, by an empty object', false, 'PUT'],
    ['for a room', true, 'DELETE'],
    ['for a room, by an empty object', true, 'PUT'],
  ] as const)(
    'works %s: it is gone, and clients that are away learn of it',
    async (_what, inRoom, method) => {
      expect(await features()).toMatchObject({ 'org.matrix.msc3391': true })
      const roomId = await createRoom(alice)
      const place = `${inRoom ? `rooms/${enc(roomId)}/` : ''}account_data/${TYPE}`
      const unstable = `/_matrix/client/unstable/org.matrix.msc3391/user/${enc(alice.userId)}/${place}`
      const dataIn = (answer: Sync): readonly object[] =>
        ((inRoom ? answer.rooms?.join?.[roomId] : answer)?.account_data?.events ?? []).filter(
          (event) => event.type === TYPE,
        )
      await alice.ok('PUT', own(alice, place), { a: 1 })
      const { next_batch: since } = await sync()
      if (method === 'PUT') await alice.ok('PUT', own(alice, place), {})
      else await alice.ok('DELETE', unstable)
      expect(dataIn(await sync(since))).toEqual([{ type: TYPE, content: {} }])
      expect(await alice.call('GET', own(alice, place))).toMatchObject({
        status: 404,
        body: { errcode: 'M_NOT_FOUND' },
      })
      expect(dataIn(await sync())).toEqual([])
      // Once more is no news.
      const { next_batch: after } = await sync(since)
      expect(await alice.ok('DELETE', unstable)).toEqual({})
      expect(dataIn(await sync(after))).toEqual([])
    },
  )

  it('is for oneself, and not for what the server keeps', async () => {
    const path = (type: string): string =>
      `/_matrix/client/unstable/org.matrix.msc3391/user/${enc(alice.userId)}/account_data/${type}`
    expect(await bob.call('DELETE', path(TYPE))).toMatchObject({
      status: 403,
      body: { errcode: 'M_FORBIDDEN' },
    })
    expect(await alice.call('DELETE', path('m.push_rules'))).toMatchObject({
      status: 405,
      body: { errcode: 'M_BAD_JSON' },
    })
  })
})

describe('settings of a device that ends (MSC3890)', () => {
  it('end with it, and the other devices learn of it', async () => {
    expect(await features()).toMatchObject({ 'org.matrix.msc3890': true })
    const second = await logIn(alice)
    const type = (device: string): string => `org.matrix.msc3890.local_notification_settings.${device}`
    const path = (device: string): string => own(alice, `account_data/${type(device)}`)
    for (const device of [second.deviceId, alice.deviceId])
      await alice.ok('PUT', path(device), { is_silenced: true })
    const { next_batch: since } = await alice.ok('GET', v3('/sync'))
    await second.ok('POST', v3('/logout'))
    expect(await alice.call('GET', path(second.deviceId))).toMatchObject({
      status: 404,
      body: { errcode: 'M_NOT_FOUND' },
    })
    expect(await alice.ok('GET', path(alice.deviceId))).toEqual({ is_silenced: true })
    expect((await alice.ok('GET', v3('/sync'), undefined, { since })).account_data.events).toEqual([
      { type: type(second.deviceId), content: {} },
    ])
  })
})

describe('filters by relation (MSC3874)', () => {
  it('leave those messages that are, or are not, such', async () => {
    expect(await features()).toMatchObject({ 'org.matrix.msc3874': true })
    const roomId = await createRoom(alice)
    const send = async (relType?: string): Promise<string> => {
      const relation = relType === undefined ? {} : { 'm.relates_to': { event_id: root, rel_type: relType } }
      const path = v3(`/rooms/${enc(roomId)}/send/m.room.message/${relType ?? 'root'}`)
      return (await alice.ok('PUT', path, { msgtype: 'm.text', body: 'x', ...relation })).event_id as string
    }
    let root = ''
    root = await send()
    const thread = await send('m.thread')
    const reference = await send('m.reference')
    const messages = async (filter: object): Promise<string[]> => {
      const query = { dir: 'b', limit: 50, filter: JSON.stringify({ types: ['m.room.message'], ...filter }) }
      const page = await alice.ok('GET', v3(`/rooms/${enc(roomId)}/messages`), undefined, query)
      return page.chunk.map((event: { event_id: string }) => event.event_id)
    }
    const [only, but] = ['org.matrix.msc3874.rel_types', 'org.matrix.msc3874.not_rel_types']
    expect(await messages({ [only]: ['m.thread'] })).toEqual([thread])
    expect(await messages({ [only]: ['m.thread', 'm.reference'] })).toEqual([reference, thread])
    expect(await messages({ [but]: ['m.thread'] })).toEqual([reference, root])
    expect(await messages({ [but]: ['m.thread', 'm.reference'] })).toEqual([root])
    const query = { dir: 'b', filter: JSON.stringify({ [only]: 'm.thread' }) }
    expect((await alice.call('GET', v3(`/rooms/${enc(roomId)}/messages`), { query })).status).toBe(400)
  })
})

describe('rules for polls (MSC3930)', () => {
  it('are there from the start, those for two people before those for more', async () => {
    const { global } = await alice.ok('GET', v3('/pushrules/'))
    const ids = (kind: string): string[] =>
      global[kind].flatMap(({ rule_id: id }: { rule_id: string }) =>
        id.includes('msc3930') ? id.slice('.org.matrix.msc3930.rule.'.length) : [],
      )
    expect(ids('override')).toEqual(['poll_response'])
    expect(ids('underride')).toEqual([
      'poll_start_one_to_one',
      'poll_start',
      'poll_end_one_to_one',
      'poll_end',
    ])
    const rule = v3('/pushrules/global/underride/.org.matrix.msc3930.rule.poll_start_one_to_one')
    expect(await alice.ok('GET', rule)).toMatchObject({
      default: true,
      enabled: true,
      actions: ['notify', { set_tweak: 'sound', value: 'default' }],
    })
  })
})

describe('rooms in common (MSC2666)', () => {
  it('are listed by the name from before the release', async () => {
    expect(await features()).toMatchObject({ 'uk.half-shot.msc2666.query_mutual_rooms': true })
    const path = '/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms'
    const carol = await register(node.url, 'carol')
    const roomId = await createRoom(carol, { invite: [bob.userId] })
    await bob.ok('POST', v3(`/join/${enc(roomId)}`))
    expect(await carol.ok('GET', path, undefined, { user_id: bob.userId })).toEqual({
      joined: [roomId],
      count: 1,
    })
    expect(await carol.call('GET', path, { query: { user_id: carol.userId } })).toMatchObject({
      status: 400,
      body: { errcode: 'M_INVALID_PARAM' },
    })
  })
})

describe('delayed events (MSC4140)', () => {
  const TYPE = 'com.example.delayed'
  const BASE = '/_matrix/client/unstable/org.matrix.msc4140'
  const DELAY = 'org.matrix.msc4140.delay'
  const because = { uncheckedBecause: 'the proposal answers with a delay_id in place of an event_id' }
  const long = { query: { [DELAY]: '3600000' }, ...because }
  let roomId: string
  beforeAll(async () => {
    roomId = await createRoom(alice)
  })
  const numbers = async (): Promise<number[]> => {
    const { chunk } = await alice.ok('GET', v3(`/rooms/${enc(roomId)}/messages`), undefined, { dir: 'f' })
    const events = chunk as { readonly type: string; readonly content: { readonly n: number } }[]
    return events.filter(({ type }) => type === TYPE).map(({ content }) => content.n)
  }
  const later = async (n: number, state = false): Promise<string> => {
    const path = v3(`/rooms/${enc(roomId)}/${state ? `state/${TYPE}/` : `send/${TYPE}/`}${n}`)
    const { status, body } = await alice.call('PUT', path, { body: { n }, ...long })
    expect(status).toBe(200)
    return body.delay_id
  }
  const act = (delayId: string, action: string): Promise<{ status: number; body: unknown }> =>
    call(node.url, 'POST', `${BASE}/delayed_events/${delayId}/${action}`, { body: {} })

  it('are sent by themselves after their time', async () => {
    expect(await features()).toMatchObject({ 'org.matrix.msc4140': true })
    const { capabilities } = await alice.ok('GET', v3('/capabilities'))
    expect(capabilities['org.matrix.msc4140.delayed_events']).toEqual({
      max_delay_ms: 86_400_000,
      max_scheduled: 100,
    })
    const path = v3(`/rooms/${enc(roomId)}/send/${TYPE}/soon`)
    const options = { body: { n: 1 }, query: { [DELAY]: '1' }, ...because }
    const { body } = await alice.call('PUT', path, options)
    const shown = await eventually('a delayed event is sent', async () => {
      const found = await alice.ok('GET', `${BASE}/delayed_events/${body.delay_id}`)
      return found.event_id === undefined ? undefined : found
    })
    expect(shown).toMatchObject({ type: TYPE, content: { n: 1 } })
    expect(await numbers()).toEqual([1])
    // Repeated, it is still the same.
    expect((await alice.call('PUT', path, options)).body).toEqual(body)
    expect((await numbers()).filter((n) => n === 1)).toEqual([1])
  })

  it('are sent after the end of a node, too', async () => {
    const waiting = await later(10)
    const path = v3(`/rooms/${enc(roomId)}/send/${TYPE}/eleven`)
    await alice.call('PUT', path, { body: { n: 11 }, query: { [DELAY]: '1000' }, ...because })
    await node.kill()
    await node.start()
    const left = await eventually('it is sent by the next process', async () => {
      const { delayed_events: list } = await alice.ok('GET', `${BASE}/delayed_events`)
      return list.length === 1 ? list : undefined
    })
    expect(left).toMatchObject([{ delay_id: waiting }])
    expect(await act(waiting, 'cancel')).toMatchObject({ status: 200 })
    expect(await numbers()).toEqual([1, 11])
  })

  it('are sent, cancelled and held back by whoever knows their ids', async () => {
    const [two, three, four] = [await later(2), await later(3, true), await later(4, true)]
    const { body } = await alice.call('PUT', `${BASE}/rooms/${enc(roomId)}/delayed_event/${TYPE}/five`, {
      body: { delay_ms: 3_600_000, state_key: 'five', content: { n: 5 } },
    })
    expect((await alice.ok('GET', `${BASE}/delayed_events`)).delayed_events).toMatchObject([
      { delay_id: two, room_id: roomId, type: TYPE, delay: 3_600_000, content: { n: 2 } },
      { delay_id: three, state_key: '3' },
      { delay_id: four },
      { delay_id: body.delay_id, state_key: 'five' },
    ])
    expect(await act(three, 'send')).toMatchObject({ status: 200, body: {} })
    expect(await act(two, 'restart')).toMatchObject({ status: 200, body: {} })
    for (const id of [two, four, body.delay_id]) {
      expect(await act(id, 'cancel')).toMatchObject({ status: 200, body: {} })
    }
    expect((await alice.ok('GET', `${BASE}/delayed_events`)).delayed_events).toEqual([])
    expect(await numbers()).toEqual([1, 11, 3])
    expect(await act(three, 'cancel')).toMatchObject({ status: 409, body: { errcode: 'M_NOT_FOUND' } })
  })

  it('are nobody else’s', async () => {
    const delayId = await later(6)
    expect(await bob.ok('GET', `${BASE}/delayed_events`)).toEqual({ delayed_events: [] })
    for (const [path, errcode] of [
      [`${BASE}/delayed_events/${delayId}`, 'M_NOT_FOUND'],
      [`${BASE}/delayed_events/nonsense`, 'M_NOT_FOUND'],
    ] as const) {
      expect(await bob.call('GET', path)).toMatchObject({ status: 404, body: { errcode } })
    }
    for (const action of ['send', 'cancel', 'restart'])
      expect(await act('nonsense', action)).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } })
    expect(await act(delayId, 'oops')).toMatchObject({ status: 404, body: { errcode: 'M_UNRECOGNIZED' } })
    const inRoom = (user: User, delay: string): Promise<unknown> =>
      user.call('PUT', v3(`/rooms/${enc(roomId)}/send/${TYPE}/x${delay}`), {
        body: {},
        query: { [DELAY]: delay },
        ...because,
      })
    expect(await inRoom(bob, '1')).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } })
    expect(await inRoom(alice, '86400001')).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } })
    for (const delay of ['0', '-1', 'x'])
      expect(await inRoom(alice, delay)).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } })
    expect(await call(node.url, 'GET', `${BASE}/delayed_events`)).toMatchObject({ status: 401 })
  })
})

describe('dehydrated devices (MSC3814)', () => {
  const PATH = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device'
  const data = (n: number): object => ({
    algorithm: 'org.matrix.msc3814.v2',
    device_pickle: `${n}`,
    nonce: 'x',
  })
  const otk = (key: string): object => ({ key, signatures: { [alice.userId]: { 'ed25519:D': 'x' } } })
  const device = (id: string, more: object = {}): object => ({
    device_id: id,
    device_data: data(1),
    initial_device_display_name: 'Dehydrated device',
    device_keys: {
      user_id: alice.userId,
      device_id: id,
      dehydrated: true,
      algorithms: ['m.olm.v1.curve25519-aes-sha2'],
      keys: { [`curve25519:${id}`]: 'c', [`ed25519:${id}`]: 'e' },
      signatures: { [alice.userId]: { [`ed25519:${id}`]: 's', 'ed25519:self-signing': 't' } },
    },
    one_time_keys: { 'signed_curve25519:AAAA': otk('a') },
    fallback_keys: { 'signed_curve25519:AAAB': { ...otk('b'), fallback: true } },
    ...more,
  })
  const events = (id: string): string => `${PATH}/${enc(id)}/events`
  const missing = { status: 404, body: { errcode: 'M_NOT_FOUND' } }
  const forbidden = { status: 403, body: { errcode: 'M_FORBIDDEN' } }
  const devicesOf = async (user: User): Promise<string[]> =>
    (await user.ok('GET', v3('/devices'))).devices.map((one: { device_id: string }) => one.device_id)
  let txn = 0
  const sendTo = (id: string, n: number): Promise<unknown> =>
    bob.ok('PUT', v3(`/sendToDevice/com.example.test/d${txn++}`), {
      messages: { [alice.userId]: { [id]: { n } } },
    })
  // The id that clients give it is a key in Base64.
  const ID = 'dehydrated/+device'

  it('are devices like others to everybody, and collect what is sent to them', async () => {
    expect(await alice.call('GET', PATH)).toMatchObject(missing)
    const shared = await createRoom(alice, { invite: [bob.userId] })
    await bob.ok('POST', v3(`/join/${enc(shared)}`))
    const { next_batch: since } = await bob.ok('GET', v3('/sync'))
    expect(await alice.ok('PUT', PATH, device(ID))).toEqual({ device_id: ID })
    expect(await alice.ok('GET', PATH)).toEqual({ device_id: ID, device_data: data(1) })
    expect(await devicesOf(alice)).toContain(ID)
    const { device_lists: lists } = await bob.ok('GET', v3('/sync'), undefined, { since })
    expect(lists.changed).toContain(alice.userId)
    const { body: answer } = await bob.call('POST', v3('/keys/query'), {
      body: { device_keys: { [alice.userId]: [] } },
      uncheckedBecause: 'the proposal adds `dehydrated`',
    })
    const keys = answer.device_keys
    expect(keys[alice.userId][ID]).toMatchObject({
      dehydrated: true,
      signatures: { [alice.userId]: { 'ed25519:self-signing': 't' } },
    })
    const claim = async (): Promise<object> =>
      (
        await bob.ok('POST', v3('/keys/claim'), {
          one_time_keys: { [alice.userId]: { [ID]: 'signed_curve25519' } },
        })
      ).one_time_keys[alice.userId][ID]
    expect(await claim()).toHaveProperty(['signed_curve25519:AAAA'])
    expect(await claim()).toHaveProperty(['signed_curve25519:AAAB'])

    for (let n = 1; n <= 101; n++) await sendTo(ID, n)
    // Both ways to read them, each from the beginning as often as one likes.
    for (let time = 0; time < 2; time++) {
      const first = await alice.ok('GET', events(ID))
      expect(first.events).toHaveLength(100)
      expect(first.events[0]).toEqual({ sender: bob.userId, type: 'com.example.test', content: { n: 1 } })
      const last = await alice.ok('GET', events(ID), undefined, { from: first.next_batch })
      expect(last).toEqual({ events: [expect.objectContaining({ content: { n: 101 } })] })
      const posted = await alice.ok('POST', events(ID))
      expect(posted).toEqual(first)
      const more = await alice.ok('POST', events(ID), { next_batch: posted.next_batch })
      expect(more.events).toEqual(last.events)
      const { next_batch: end } = more
      expect(await alice.ok('POST', events(ID), { next_batch: end })).toMatchObject({ events: [] })
    }
    expect(await alice.call('GET', events(ID), { query: { from: 'x' } })).toMatchObject({
      status: 400,
      body: { errcode: 'M_INVALID_PARAM' },
    })
  })

  it('take each other’s place, and end with what they held', async () => {
    await alice.ok('PUT', PATH, device('SECOND', { device_data: data(2) }))
    expect(await alice.ok('GET', PATH)).toEqual({ device_id: 'SECOND', device_data: data(2) })
    expect(await devicesOf(alice)).not.toContain(ID)
    expect(await alice.call('GET', events(ID))).toMatchObject(forbidden)
    await sendTo('SECOND', 1)
    // The same id once more is another device: nothing is left of the one before.
    await alice.ok('PUT', PATH, device('SECOND'))
    expect(await alice.ok('GET', events('SECOND'))).toEqual({ events: [] })
    // One that cannot be stored leaves the one that is there.
    const wrong = device('THIRD', { one_time_keys: { 'signed_curve25519:AAAA': 5 } })
    expect(await alice.call('PUT', PATH, { body: wrong })).toMatchObject({ body: { errcode: 'M_BAD_JSON' } })
    expect(await alice.call('PUT', PATH, { body: device(alice.deviceId) })).toMatchObject(forbidden)
    const large = device('THIRD', { device_data: { algorithm: 'x', device_pickle: 'x'.repeat(65_536) } })
    expect(await alice.call('PUT', PATH, { body: large })).toMatchObject({ body: { errcode: 'M_TOO_LARGE' } })
    expect(await alice.ok('GET', PATH)).toEqual({ device_id: 'SECOND', device_data: data(1) })
    expect(await alice.ok('DELETE', PATH)).toEqual({ device_id: 'SECOND' })
    expect(await alice.call('DELETE', PATH)).toMatchObject(missing)
    expect(await alice.call('GET', PATH)).toMatchObject(missing)
    expect(await devicesOf(alice)).toEqual([alice.deviceId])
  })

  it('are nobody else’s, and end like other devices', async () => {
    await alice.ok('PUT', PATH, device('FOURTH'))
    expect(await bob.call('GET', PATH)).toMatchObject(missing)
    expect(await bob.call('DELETE', PATH)).toMatchObject(missing)
    for (const method of ['GET', 'POST'])
      expect(
        await bob.call(method, events('FOURTH'), { body: method === 'GET' ? undefined : {} }),
      ).toMatchObject(forbidden)
    expect(await call(node.url, 'GET', PATH)).toMatchObject({ status: 401 })
    const auth = {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: alice.userId },
      password: alice.password,
    }
    await alice.ok('POST', v3('/delete_devices'), { devices: ['FOURTH'], auth })
    expect(await alice.call('GET', PATH)).toMatchObject(missing)
  })
})

describe('thread subscriptions (MSC4306, MSC4308)', () => {
  const EXTENSION = 'io.element.msc4308.thread_subscriptions'
  const LIST = '/_matrix/client/unstable/io.element.msc4308/thread_subscriptions'
  const SYNC = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'
  const at = (roomId: string, root: string): string =>
    `/_matrix/client/unstable/io.element.msc4306/rooms/${enc(roomId)}/thread/${enc(root)}/subscription`
  const missing = { status: 404, body: { errcode: 'M_NOT_FOUND' } }
  let carol: User
  let roomId: string
  beforeEach(async () => {
    carol = await register(node.url, 'carol')
    roomId = await createRoom(carol)
  })
  let txn = 0
  async function say(root?: string): Promise<string> {
    const relation = root === undefined ? {} : { 'm.relates_to': { rel_type: 'm.thread', event_id: root } }
    const path = v3(`/rooms/${enc(roomId)}/send/m.room.message/t${txn++}`)
    return (await carol.ok('PUT', path, { msgtype: 'm.text', body: 'x', ...relation })).event_id
  }
  const follow = (root: string, cause?: string): Promise<Answer> =>
    carol.call('PUT', at(roomId, root), { body: cause === undefined ? {} : { automatic: cause } })
  // oxlint-disable-next-line typescript/no-explicit-any
  const sync = async (pos?: string, more: object = {}, wait = 0): Promise<any> => {
    const query = { timeout: `${wait}`, ...(pos === undefined ? {} : { pos }) }
    const extensions = { [EXTENSION]: { enabled: true, ...more } }
    const { body } = await carol.call('POST', SYNC, { body: { conn_id: 'threads', extensions }, query })
    return { pos: body.pos, threads: body.extensions[EXTENSION] ?? {} }
  }

  it('are made, found and ended', async () => {
    const root = await say()
    expect(await carol.call('GET', at(roomId, root))).toMatchObject(missing)
    expect(await follow(root, await say(root))).toMatchObject({ status: 200, body: {} })
    expect(await carol.ok('GET', at(roomId, root))).toEqual({ automatic: true })
    // What the user says themselves stays.
    await follow(root)
    await follow(root, await say(root))
    expect(await carol.ok('GET', at(roomId, root))).toEqual({ automatic: false })
    for (let time = 0; time < 2; time++) expect(await carol.ok('DELETE', at(roomId, root))).toEqual({})
    expect(await carol.call('GET', at(roomId, root))).toMatchObject(missing)
  })

  it('are not made again by what came before the user ended them', async () => {
    const root = await say()
    const before = [await say(root), await say(root)]
    await follow(root, before[0])
    await carol.ok('DELETE', at(roomId, root))
    const after = await say(root)
    for (const cause of before) {
      expect(await follow(root, cause)).toMatchObject({
        status: 409,
        body: { errcode: 'IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION' },
      })
    }
    expect(await carol.call('GET', at(roomId, root))).toMatchObject(missing)
    expect((await follow(root, after)).status).toBe(200)
  })

  it('are of threads that one can see, for events in them', async () => {
    const [root, other] = [await say(), await say()]
    const reply = await say(root)
    for (const cause of [root, other, await say(other), '$nothing']) {
      expect(await follow(root, cause)).toMatchObject({
        status: 400,
        body: { errcode: 'IO.ELEMENT.MSC4306.M_NOT_IN_THREAD' },
      })
    }
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const body = method === 'PUT' ? {} : undefined
      const ask = (user: User, path: string): Promise<Answer> => user.call(method, path, { body })
      expect(await ask(carol, at(roomId, '$nothing'))).toMatchObject(missing)
      expect(await ask(carol, at(roomId, reply))).toMatchObject(missing)
      expect(await ask(carol, at('!nothing:localhost', root))).toMatchObject(missing)
      expect(await ask(bob, at(roomId, root))).toMatchObject(missing)
      expect(await call(node.url, method, at(roomId, root), { body })).toMatchObject({ status: 401 })
    }
  })

  it('come with sliding sync, the latest first, and what did not fit in pages', async () => {
    const roots: string[] = []
    for (let n = 0; n < 5; n++) roots.push(await say())
    const empty = await sync()
    expect(empty.threads).toEqual({})
    const waiting = sync(empty.pos, {}, 30_000)
    await follow(roots[0]!)
    const first = await waiting
    expect(first.threads).toEqual({
      subscribed: { [roomId]: { [roots[0]!]: { automatic: false, bump_stamp: expect.any(Number) } } },
    })
    for (const root of roots.slice(1)) await follow(root)
    await carol.ok('DELETE', at(roomId, roots[0]!))
    const second = await sync(first.pos, { limit: 2 })
    expect(second.threads).toEqual({
      subscribed: { [roomId]: { [roots[4]!]: expect.anything() } },
      unsubscribed: { [roomId]: { [roots[0]!]: { bump_stamp: expect.any(Number) } } },
      prev_batch: expect.any(String),
    })
    const page = { dir: 'b', from: second.threads.prev_batch, to: first.pos, limit: '2' }
    const third = await carol.ok('GET', LIST, undefined, page)
    expect(Object.keys(third.subscribed[roomId])).toEqual([roots[3], roots[2]])
    const last = await carol.ok('GET', LIST, undefined, { ...page, from: third.end })
    expect(last).toEqual({ subscribed: { [roomId]: { [roots[1]!]: expect.anything() } } })
    expect((await sync(second.pos)).threads).toEqual({})
    // From the beginning: what one follows, and nothing of what one does not.
    expect(
      Object.keys((await carol.ok('GET', LIST, undefined, { dir: 'b' })).subscribed[roomId]),
    ).toHaveLength(4)
    expect((await sync()).threads).not.toHaveProperty('unsubscribed')
    expect(await bob.ok('GET', LIST, undefined, { dir: 'b' })).toEqual({})
  })

  it('are told after a connection went without them for a while', async () => {
    const root = await say()
    const first = await sync()
    const without = await carol.ok('POST', SYNC, { conn_id: 'threads' }, { pos: first.pos })
    await follow(root)
    const again = await carol.ok('POST', SYNC, { conn_id: 'threads' }, { pos: without.pos })
    expect(again.extensions).not.toHaveProperty([EXTENSION])
    expect((await sync(again.pos)).threads.subscribed[roomId]).toHaveProperty([root])
  })

  it('are listed for right tokens alone', async () => {
    const refused = { status: 400, body: { errcode: 'M_INVALID_PARAM' } }
    for (const query of [
      { dir: 'f' },
      { dir: 'b', from: 'x' },
      { dir: 'b', to: 'x' },
      { dir: 'b', limit: '0' },
    ])
      expect(await carol.call('GET', LIST, { query })).toMatchObject(refused)
    expect(await carol.call('GET', LIST)).toMatchObject({ status: 400, body: { errcode: 'M_MISSING_PARAM' } })
    expect(await call(node.url, 'GET', LIST, { query: { dir: 'b' } })).toMatchObject({ status: 401 })
  })
})

describe('servers for calls (MSC4143)', () => {
  const path = '/_matrix/client/unstable/org.matrix.msc4143/rtc/transports'

  it('are those of the configuration, for users', async () => {
    expect(await features()).toMatchObject({ 'org.matrix.msc4143': true })
    expect(await alice.ok('GET', path)).toEqual({ rtc_transports: TRANSPORTS })
    expect(await call(node.url, 'GET', path)).toMatchObject({
      status: 401,
      body: { errcode: 'M_MISSING_TOKEN' },
    })
  })
})

describe('owned state (MSC3757)', () => {
  const TYPE = 'com.example.test'
  // With the characters that separate ids, to be parsed as none of them.
  const SUFFIX = '_more:!@#$123'
  const rooms = async (version: string): Promise<{ set: (by: User, key: string) => Promise<unknown> }> => {
    const roomId = await createRoom(alice, {
      room_version: version,
      preset: 'public_chat',
      power_level_content_override: { events: { [TYPE]: 0 } },
    })
    await bob.ok('POST', v3(`/join/${enc(roomId)}`))
    return {
      async set(by, key) {
        const path = v3(`/rooms/${enc(roomId)}/state/${TYPE}/${enc(key)}`)
        const { status, body } = await by.call('PUT', path, { body: {} })
        return status === 200 ? 200 : [status, body.errcode]
      },
    }
  }
  const FORBIDDEN = [403, 'M_FORBIDDEN']
  const BAD = [400, 'M_BAD_JSON']

  it.each(['org.matrix.msc3757.10', 'org.matrix.msc3757.11'])(
    'is a user’s with more behind the id, and for those with more power, in rooms of version %s',
    async (version) => {
      const { set } = await rooms(version)
      expect(await set(bob, bob.userId)).toBe(200)
      expect(await set(bob, bob.userId + SUFFIX)).toBe(200)
      expect(await set(alice, bob.userId)).toBe(200)
      expect(await set(alice, bob.userId + SUFFIX)).toBe(200)
      expect(await set(alice, '@elsewhere:other.example')).toBe(200)
      expect(await set(bob, alice.userId)).toEqual(FORBIDDEN)
      expect(await set(bob, alice.userId + SUFFIX)).toEqual(FORBIDDEN)
      expect(await set(bob, `@elsewhere:other.example`)).toEqual(FORBIDDEN)
      expect(await set(bob, `@x_${bob.userId}${SUFFIX}`)).toEqual(FORBIDDEN)
      expect(await set(alice, '@oops')).toEqual(BAD)
      expect(await set(alice, '@oops_more')).toEqual(BAD)
      expect(await set(alice, `${alice.userId}@more`)).toEqual(BAD)
    },
  )

  it.each(['10', '12'])('is unknown in rooms of version %s', async (version) => {
    const { set } = await rooms(version)
    expect(await set(bob, bob.userId)).toBe(200)
    expect(await set(bob, bob.userId + SUFFIX)).toEqual(FORBIDDEN)
    for (const key of [bob.userId, '@oops', alice.userId + SUFFIX])
      expect(await set(alice, key)).toEqual(FORBIDDEN)
  })

  it('is in versions that are told to be unstable', async () => {
    const { capabilities } = await alice.ok('GET', v3('/capabilities'))
    expect(capabilities['m.room_versions'].available).toMatchObject({
      'org.matrix.msc3757.10': 'unstable',
      'org.matrix.msc3757.11': 'unstable',
      11: 'stable',
    })
  })
})
