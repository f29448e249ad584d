import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  createRoom,
  eventually,
  logIn,
  register,
  sendText,
  v3,
  type Answer,
  type User,
} from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'

/** As matrix-rust-sdk's `SyncService` talks to a server: two connections, with what each of them asks for. */
const PATH = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'
const REQUIRED_STATE = [
  ['m.room.name', ''],
  ['m.room.encryption', ''],
  ['m.room.member', '$LAZY'],
  ['m.room.member', '$ME'],
  ['m.room.topic', ''],
  ['m.room.avatar', ''],
  ['m.room.canonical_alias', ''],
  ['m.room.power_levels', ''],
  ['org.matrix.msc3401.call.member', '*'],
  ['m.room.join_rules', ''],
  ['m.room.create', ''],
  ['m.room.history_visibility', ''],
  ['io.element.functional_members', ''],
  ['m.space.parent', '*'],
  ['m.space.child', '*'],
]

let node: Node
let alice: User
let bob: User
beforeAll(async () => {
  node = await startNode()
  alice = await register(node.url, 'alice')
  bob = await register(node.url, 'bob')
})
afterAll(() => node.dispose())

const enc = encodeURIComponent
const inRoom = (roomId: string, rest: string): string => v3(`/rooms/${enc(roomId)}/${rest}`)

// Tests look at whatever is there.
// oxlint-disable-next-line typescript/no-explicit-any
type Any = any

interface Loop {
  /** All that was told of rooms, the latest last. */
  readonly rooms: Map<string, Any[]>
  pos: string | undefined
  /** One request; its answer becomes part of what is known. */
  next(timeout?: number): Promise<Any>
  /** A request whose answer is lost on the way. */
  lose(): Promise<void>
  until<T>(what: string, condition: (answer: Any) => T | undefined | false): Promise<T>
}

function loop(user: User, body: () => object): Loop {
  const send = (pos: string | undefined, timeout: number): Promise<Any> =>
    user.ok('POST', PATH, body(), { pos, timeout })
  const own: Loop = {
    rooms: new Map(),
    pos: undefined,
    async next(timeout = 0) {
      const answer = await send(own.pos, timeout)
      own.pos = answer.pos
      for (const [roomId, room] of Object.entries(answer.rooms))
        own.rooms.set(roomId, [...(own.rooms.get(roomId) ?? []), room])
      return answer
    },
    async lose() {
      await send(own.pos, 0)
    },
    until: (what, condition) => eventually(what, async () => condition(await own.next(500))),
  }
  return own
}

/** What the connection for the list of rooms asks for; the test changes it on the way. */
interface Asked {
  range: number
  subscribed: Record<string, object>
}

/** The connection that keeps the list of rooms. */
function roomList(user: User, asked: Asked): Loop {
  return loop(user, () => ({
    conn_id: 'room-list',
    lists: {
      all_rooms: {
        ranges: [[0, asked.range]],
        timeline_limit: 1,
        required_state: REQUIRED_STATE,
        filters: {},
      },
    },
    room_subscriptions: asked.subscribed,
    extensions: {
      account_data: { enabled: true },
      receipts: { enabled: true, rooms: ['*'] },
      typing: { enabled: true },
    },
  }))
}

/** The connection for encryption; it keeps its own token for messages to the device. */
function encryption(user: User): Loop & { toDevice: Any[]; since: string | undefined } {
  const kept: { toDevice: unknown[]; since: string | undefined } = { toDevice: [], since: undefined }
  const own = loop(user, () => ({
    conn_id: 'encryption',
    extensions: {
      to_device: { enabled: true, ...(kept.since === undefined ? {} : { since: kept.since }) },
      e2ee: { enabled: true },
    },
  }))
  const { next } = own
  return Object.assign(own, kept, {
    async next(this: void, timeout?: number) {
      const answer = await next(timeout)
      kept.toDevice.push(...answer.extensions.to_device.events)
      kept.since = answer.extensions.to_device.next_batch
      return answer
    },
  })
}

const tell = (from: User, to: User, n: number): Promise<unknown> =>
  from.ok('PUT', v3(`/sendToDevice/m.test/${Date.now()}-${n}`), {
    messages: { [to.userId]: { [to.deviceId]: { n } } },
  })

const keysOf = (user: User): object => ({
  user_id: user.userId,
  device_id: user.deviceId,
  algorithms: ['m.olm.v1.curve25519-aes-sha2', 'm.megolm.v1.aes-sha2'],
  keys: {
    [`curve25519:${user.deviceId}`]: 'A'.repeat(43),
    [`ed25519:${user.deviceId}`]: 'A'.repeat(43),
  },
  signatures: { [user.userId]: { [`ed25519:${user.deviceId}`]: 'S'.repeat(43) } },
})
const oneTimeKey = (user: User, letter: string): object => ({
  key: letter.repeat(43),
  signatures: { [user.userId]: { [`ed25519:${user.deviceId}`]: 'S'.repeat(43) } },
})

describe('a client with two connections', () => {
  it('gets every room, count, message to its device and change of devices, through restarts and a kill', async () => {
    expect(await (await fetch(`${node.url}/_matrix/client/versions`)).json()).toMatchObject({
      unstable_features: { 'org.matrix.simplified_msc3575': true },
    })
    const ids: string[] = []
    for (let i = 0; i < 25; i++) {
      const roomId = await createRoom(alice, { name: `Room ${i}`, invite: [bob.userId] })
      await bob.ok('POST', v3(`/join/${enc(roomId)}`))
      ids.unshift(roomId)
    }
    await bob.ok('POST', v3('/keys/upload'), {
      device_keys: keysOf(bob),
      one_time_keys: {
        'signed_curve25519:A': oneTimeKey(bob, 'A'),
        'signed_curve25519:B': oneTimeKey(bob, 'B'),
      },
    })
    const asked: Asked = { range: 19, subscribed: {} }
    const rooms = roomList(bob, asked)
    const keys = encryption(bob)

    const first = await rooms.next()
    expect(Object.keys(first.rooms)).toEqual(ids.slice(0, 20))
    expect(first.lists.all_rooms.count).toBe(25)
    expect((await keys.next()).extensions.e2ee.device_one_time_keys_count).toMatchObject({
      signed_curve25519: 2,
    })
    await tell(alice, bob, 1)
    await node.stop()
    await node.start()

    // The range grows, and the first answer to that is lost.
    asked.range = 99
    await rooms.lose()
    const second = await rooms.next()
    expect(Object.keys(second.rooms)).toEqual(ids.slice(20))
    await keys.lose()
    await keys.until('the first message', () => keys.toDevice.length === 1)

    // A kill right after what was said: nothing of it is lost.
    await sendText(alice, ids[24]!, 'hello')
    await tell(alice, bob, 2)
    await alice.ok('POST', v3('/keys/upload'), { device_keys: keysOf(alice) })
    await alice.ok('POST', v3('/keys/claim'), {
      one_time_keys: { [bob.userId]: { [bob.deviceId]: 'signed_curve25519' } },
    })
    await node.kill()
    await node.start()
    const third = await rooms.next()
    expect(Object.keys(third.rooms)).toEqual([ids[24]])
    expect(third.rooms[ids[24]!]).toMatchObject({ notification_count: 1, num_live: 1, limited: false })
    expect(third.rooms[ids[24]!].timeline[0].content.body).toBe('hello')
    const changed = await keys.until(
      'changed devices',
      ({ extensions }) => extensions.e2ee.device_lists.changed.includes(alice.userId) && extensions,
    )
    expect(changed.e2ee.device_one_time_keys_count).toMatchObject({ signed_curve25519: 1 })
    await keys.until('the second message', () => keys.toDevice.length === 2)
    expect(keys.toDevice.map((event) => event.content.n)).toEqual([1, 2])

    // A subscription brings more of the timeline, and a receipt brings the count down; both survive the next restart.
    for (let i = 0; i < 4; i++) await sendText(alice, ids[3]!, `m${i}`)
    await rooms.next()
    asked.subscribed = { [ids[3]!]: { timeline_limit: 20, required_state: REQUIRED_STATE } }
    const opened = (await rooms.next()).rooms[ids[3]!]
    expect(opened).toMatchObject({ unstable_expanded_timeline: true, notification_count: 4 })
    expect(opened.timeline.map((event: Any) => event.content.body).filter(Boolean)).toEqual([
      'm0',
      'm1',
      'm2',
      'm3',
    ])
    await node.stop()
    await node.start()
    expect((await rooms.next()).rooms).toEqual({})
    const last = opened.timeline.at(-1).event_id
    await bob.ok('POST', inRoom(ids[3]!, `receipt/m.read/${enc(last)}`))
    const read = await rooms.until('the receipt', ({ rooms: told, extensions }) =>
      told[ids[3]!] === undefined ? undefined : { room: told[ids[3]!], extensions },
    )
    expect(read.room.notification_count).toBe(0)
    expect(Object.keys(read.extensions.receipts.rooms)).toEqual([ids[3]])
    for (const told of rooms.rooms.values())
      expect(told.filter((room) => room.initial === true)).toHaveLength(1)
  })

  it('is woken by a message, by typing and by an invite', async () => {
    const roomId = await createRoom(alice, { invite: [bob.userId] })
    await bob.ok('POST', v3(`/join/${enc(roomId)}`))
    const rooms = roomList(await logIn(bob), { range: 99, subscribed: {} })
    await rooms.next()
    const settled = await rooms.until('quiet', ({ rooms: told }) => Object.keys(told).length === 0)
    expect(settled).toBe(true)
    const waiting = rooms.next(30_000)
    await sendText(alice, roomId, 'wake up')
    expect(Object.keys((await waiting).rooms)).toEqual([roomId])
    const typing = rooms.next(30_000)
    await alice.ok('PUT', inRoom(roomId, `typing/${enc(alice.userId)}`), { typing: true, timeout: 60_000 })
    expect((await typing).extensions.typing.rooms[roomId].content).toEqual({ user_ids: [alice.userId] })
    const invited = rooms.next(30_000)
    const other = await createRoom(alice, { invite: [bob.userId], name: 'Come' })
    const invite = (await invited).rooms[other]
    expect(invite.membership).toBe('invite')
    expect(invite.invite_state).toContainEqual(
      expect.objectContaining({ type: 'm.room.name', content: { name: 'Come' } }),
    )
  })
})

describe('messages to a device', () => {
  it('are kept until their own token comes back, in portions that are bounded', async () => {
    const device = await logIn(bob)
    await device.ok('POST', v3('/keys/upload'), { device_keys: keysOf(device) })
    for (let n = 0; n < 12; n++) await tell(alice, device, n)
    const ask = (since?: string, limit = 5): Promise<Answer> =>
      device.call('POST', PATH, {
        body: { conn_id: 'encryption', extensions: { to_device: { enabled: true, limit, since } } },
      })
    const numbers = (answer: Answer): unknown[] =>
      answer.body.extensions.to_device.events.map((event: Any) => event.content.n)
    const first = await ask()
    expect(numbers(first)).toEqual([0, 1, 2, 3, 4])
    // Without the token nothing was taken.
    expect(numbers(await ask())).toEqual([0, 1, 2, 3, 4])
    const second = await ask(first.body.extensions.to_device.next_batch)
    expect(numbers(second)).toEqual([5, 6, 7, 8, 9])
    // What it acknowledged is gone for good.
    expect(numbers(await ask(undefined, 100))).toEqual([5, 6, 7, 8, 9, 10, 11])
    // A token of nowhere acknowledges nothing.
    expect(numbers(await ask('d1_999999999'))).toEqual([5, 6, 7, 8, 9])
    const refused = await ask('nonsense')
    expect([refused.status, refused.body.errcode]).toEqual([400, 'M_INVALID_PARAM'])
  })
})
