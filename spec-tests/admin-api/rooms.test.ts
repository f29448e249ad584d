import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createRoom, enc, eventually, inRoom, register, sendText, v3, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'
import { refusal, sharedRoom } from '../harness/section.js'
import { administrator, ADMIN_CONFIG } from './administrator.js'

const admin = (path: string): string => `/_synapse/admin${path}`
const room = (roomId: string, path = '', version = 'v1'): string =>
  admin(`/${version}/rooms/${enc(roomId)}${path}`)

let node: Node
let root: User
let alice: User
let bob: User
let unknown: string
beforeAll(async () => {
  node = await startNode({ config: ADMIN_CONFIG })
  root = await administrator(node.url)
  alice = await register(node.url, 'alice')
  bob = await register(node.url, 'bob')
  unknown = `!nothing:${node.serverName}`
})
afterAll(() => node.dispose())

describe('the list of rooms', () => {
  it('goes page by page, in the order that is asked for', async () => {
    const small = await createRoom(alice, { name: 'listed Zebra', room_alias_name: 'striped' })
    const large = await sharedRoom(alice, [bob], { name: 'listed apple', visibility: 'public' })
    const list = (query: Record<string, string | number | boolean>) =>
      root.ok('GET', admin('/v1/rooms'), undefined, query)
    const ids = (body: { rooms: { room_id: string }[] }): string[] => body.rooms.map((one) => one.room_id)
    expect(ids(await list({ search_term: 'LISTED' }))).toEqual([large, small])
    expect(ids(await list({ search_term: 'listed', dir: 'b' }))).toEqual([small, large])
    expect(ids(await list({ search_term: 'listed', order_by: 'size' }))).toEqual([large, small])
    const first = await list({ search_term: 'listed', limit: 1 })
    expect(first).toMatchObject({ offset: 0, total_rooms: 2, next_batch: 1 })
    expect(first.rooms[0]).toMatchObject({
      room_id: large,
      name: 'listed apple',
      joined_members: 2,
      joined_local_members: 2,
      creator: alice.userId,
      encryption: null,
      federatable: true,
      public: true,
      join_rules: 'public',
      room_type: null,
    })
    expect(first.rooms[0].state_events).toBeGreaterThan(5)
    const last = await list({ search_term: 'listed', limit: 1, from: 1 })
    expect(ids(last)).toEqual([small])
    expect(last).toMatchObject({ offset: 1, prev_batch: 0 })
    expect(last.next_batch).toBeUndefined()
    expect(ids(await list({ search_term: 'striped' }))).toEqual([small])
    expect(ids(await list({ search_term: small }))).toEqual([small])
    expect(ids(await list({ search_term: 'listed', public_rooms: true }))).toEqual([large])
    expect(ids(await list({ search_term: 'listed', public_rooms: false }))).toEqual([small])
    expect(ids(await list({ search_term: 'listed', empty_rooms: true }))).toEqual([])
    await alice.ok('POST', inRoom(small, 'leave'))
    expect(ids(await list({ search_term: 'listed', empty_rooms: true }))).toEqual([small])
    for (const order_by of ['version', 'state_events', 'join_rules', 'federatable', 'joined_local_members'])
      expect(ids(await list({ search_term: 'listed', order_by })).toSorted()).toEqual(
        [small, large].toSorted(),
      )
    await alice.ok('PUT', v3(`/rooms/${enc(large)}/state/m.room.name/`), { name: 'listed anew' })
    expect((await list({ search_term: 'listed anew' })).total_rooms).toBe(1)
  })

  it('refuses what is no page', async () => {
    for (const query of ['from=-1', 'order_by=colour', 'dir=x', 'public_rooms=perhaps'])
      await refusal(root.call('GET', admin(`/v1/rooms?${query}`)), 400, 'M_INVALID_PARAM')
  })
})

describe('a room', () => {
  it('is shown with its members, state and heads to an administrator who is not in it', async () => {
    const roomId = await createRoom(alice, { name: 'Seen', topic: 'from outside' })
    const eventId = await sendText(alice, roomId, 'a word')
    expect(await root.ok('GET', room(roomId))).toMatchObject({
      room_id: roomId,
      name: 'Seen',
      topic: 'from outside',
      avatar: null,
      joined_members: 1,
      joined_local_devices: 1,
      forgotten: false,
      tombstoned: false,
      replacement_room: null,
    })
    expect(await root.ok('GET', room(roomId, '/members'))).toEqual({ members: [alice.userId], total: 1 })
    const { state } = await root.ok('GET', room(roomId, '/state'))
    expect(state.length).toBeGreaterThan(5)
    const named = await root.ok('GET', room(roomId, '/state'), undefined, { type: 'm.room.name' })
    expect(named.state).toMatchObject([{ type: 'm.room.name', content: { name: 'Seen' }, room_id: roomId }])
    expect(await root.ok('GET', room(roomId, '/forward_extremities'))).toMatchObject({
      count: 1,
      results: [{ event_id: eventId }],
    })
  })

  it('is read by an administrator, with what was said around an event', async () => {
    const roomId = await createRoom(alice)
    const first = await sendText(alice, roomId, 'one')
    const second = await sendText(alice, roomId, 'two')
    const messages = await root.ok('GET', room(roomId, '/messages'), undefined, { dir: 'b', limit: 2 })
    expect(messages.chunk.map((event: { event_id: string }) => event.event_id)).toEqual([second, first])
    const more = await root.ok('GET', room(roomId, '/messages'), undefined, { dir: 'b', from: messages.end })
    expect(more.chunk.length).toBeGreaterThan(3)
    const around = await root.ok('GET', room(roomId, `/context/${enc(first)}`))
    expect(around.event.content.body).toBe('one')
    expect(around.events_after[0].event_id).toBe(second)
    expect(
      await root.ok('GET', room(roomId, '/timestamp_to_event'), undefined, { ts: Date.now(), dir: 'b' }),
    ).toMatchObject({ event_id: second })
    // Nobody else is let in by it.
    await refusal(bob.call('GET', v3(`/rooms/${enc(roomId)}/messages?dir=b`)), 403, 'M_FORBIDDEN')
  })

  it('that is not known is answered so', async () => {
    for (const path of ['', '/members', '/state', '/messages', '/forward_extremities'])
      await refusal(root.call('GET', room(unknown, path)), 404, 'M_NOT_FOUND')
    await refusal(root.call('GET', room('nonsense')), 404, 'M_NOT_FOUND')
  })
})

describe('a blocked room', () => {
  it('lets nobody of this server in, until it is free again', async () => {
    const roomId = await sharedRoom(alice)
    expect(await root.ok('GET', room(roomId, '/block'))).toEqual({ block: false })
    expect(await root.ok('PUT', room(roomId, '/block'), { block: true })).toEqual({ block: true })
    expect(await root.ok('GET', room(roomId, '/block'))).toEqual({ block: true, user_id: root.userId })
    await refusal(bob.call('POST', inRoom(roomId, 'join'), { body: {} }), 403, 'M_FORBIDDEN')
    await refusal(
      alice.call('POST', inRoom(roomId, 'invite'), { body: { user_id: bob.userId } }),
      403,
      'M_FORBIDDEN',
    )
    await sendText(alice, roomId, 'who is in it stays')
    await root.ok('PUT', room(roomId, '/block'), { block: false })
    await bob.ok('POST', inRoom(roomId, 'join'))
  })

  it('need not be known here', async () => {
    const elsewhere = '!other:elsewhere.example'
    await root.ok('PUT', room(elsewhere, '/block'), { block: true })
    await refusal(
      bob.call('POST', v3(`/join/${enc(elsewhere)}?server_name=elsewhere.example`), { body: {} }),
      403,
      'M_FORBIDDEN',
    )
    await refusal(
      root.call('PUT', room('nonsense', '/block'), { body: { block: true } }),
      400,
      'M_INVALID_PARAM',
    )
    await refusal(root.call('PUT', room(elsewhere, '/block'), { body: {} }), 400, 'M_MISSING_PARAM')
  })
})

describe('a room that is removed', () => {
  it('is left and forgotten by everybody here, who are told why in a new one', async () => {
    const roomId = await sharedRoom(alice, [bob], { room_alias_name: 'doomed', visibility: 'public' })
    const alias = `#doomed:${node.serverName}`
    const dora = await register(node.url, 'dora')
    await alice.ok('POST', inRoom(roomId, 'invite'), { user_id: dora.userId })
    const result = await root.call('DELETE', room(roomId), {
      body: { block: true, new_room_user_id: root.userId, room_name: 'Why', message: 'It was wrong' },
    })
    expect(result.status).toBe(200)
    expect(result.body).toMatchObject({ failed_to_kick_users: [], local_aliases: [alias] })
    expect(result.body.kicked_users.toSorted()).toEqual(
      [alice, bob, dora].map((one) => one.userId).toSorted(),
    )
    const successor = result.body.new_room_id as string
    expect(await alice.ok('GET', v3('/joined_rooms'))).toMatchObject({
      joined_rooms: expect.arrayContaining([successor]),
    })
    expect((await alice.ok('GET', v3('/joined_rooms'))).joined_rooms).not.toContain(roomId)
    const told = await bob.ok('GET', v3(`/rooms/${enc(successor)}/messages`), undefined, { dir: 'b' })
    expect(JSON.stringify(told.chunk)).toContain('It was wrong')
    await refusal(
      bob.call('PUT', v3(`/rooms/${enc(successor)}/send/m.room.message/1`), { body: { body: 'no' } }),
      403,
      'M_FORBIDDEN',
    )
    expect((await alice.ok('GET', v3(`/directory/room/${enc(alias)}`))).room_id).toBe(successor)
    expect(await root.ok('GET', room(roomId))).toMatchObject({
      joined_members: 0,
      forgotten: true,
      public: false,
    })
    await refusal(alice.call('POST', inRoom(roomId, 'join'), { body: {} }), 403, 'M_FORBIDDEN')
    await refusal(alice.call('GET', v3(`/rooms/${enc(roomId)}/messages?dir=b`)), 403, 'M_FORBIDDEN')
  })

  it('goes in the background, and says how far it is', async () => {
    const roomId = await sharedRoom(alice, [bob])
    const answer = await root.call('DELETE', room(roomId, '', 'v2'), { body: {} })
    expect(answer.status).toBe(200)
    const deleteId = answer.body.delete_id as string
    const status = await eventually('the removal', async () => {
      const found = await root.ok('GET', admin(`/v2/rooms/delete_status/${deleteId}`))
      return found.status === 'complete' && found
    })
    expect(status).toMatchObject({
      delete_id: deleteId,
      room_id: roomId,
      shutdown_room: { failed_to_kick_users: [], local_aliases: [], new_room_id: null },
    })
    expect(await root.ok('GET', room(roomId, '/delete_status', 'v2'))).toEqual({ results: [status] })
    expect((await root.ok('GET', room(roomId, '/block'))).block).toBe(false)
  })

  it('holds nothing of what was said any more, unless that is to stay', async () => {
    const [gone, kept] = [await createRoom(alice), await createRoom(alice)]
    for (const roomId of [gone, kept]) await sendText(alice, roomId, 'pomegranate')
    const shown = async (roomId: string): Promise<string> =>
      JSON.stringify(await root.ok('GET', room(roomId, '/messages'), undefined, { dir: 'b', limit: 100 }))
    expect(await shown(gone)).toContain('pomegranate')
    await root.ok('DELETE', room(gone), {})
    await root.ok('DELETE', room(kept), { purge: false })
    expect(await shown(gone)).not.toContain('pomegranate')
    expect(await shown(kept)).toContain('pomegranate')
    const tasks = (query: Record<string, string | number>) =>
      root.ok('GET', admin('/v1/scheduled_tasks'), undefined, query)
    const { scheduled_tasks: found } = await tasks({ resource_id: gone })
    expect(found).toEqual([
      {
        id: expect.any(String),
        action: 'shutdown_and_purge_room',
        status: 'complete',
        timestamp_ms: expect.any(Number),
        resource_id: gone,
        result: expect.objectContaining({ purged_events: 1 }),
        error: null,
      },
    ])
    expect((await tasks({ status: 'active' })).scheduled_tasks).toEqual([])
    expect((await tasks({ action_name: 'nothing' })).scheduled_tasks).toEqual([])
    expect((await tasks({ max_timestamp: 1 })).scheduled_tasks).toEqual([])
    await refusal(root.call('GET', admin('/v1/scheduled_tasks?status=x')), 400, 'M_INVALID_PARAM')
  })

  it('is one that is known, or to be blocked', async () => {
    const remove = (roomId: string, body: object, version = 'v1') =>
      root.call('DELETE', room(roomId, '', version), { body })
    await refusal(remove(unknown, {}), 404, 'M_NOT_FOUND')
    await refusal(remove(unknown, { block: true }, 'v2'), 404, 'M_NOT_FOUND')
    expect((await remove(unknown, { block: true })).body).toEqual({
      kicked_users: [],
      failed_to_kick_users: [],
      local_aliases: [],
      new_room_id: null,
    })
    expect((await root.ok('GET', room(unknown, '/block'))).block).toBe(true)
    await refusal(remove('nonsense', {}), 400, 'M_INVALID_PARAM')
    const kept = await createRoom(alice)
    await refusal(remove(kept, { new_room_user_id: '@no:elsewhere.example' }), 400, 'M_INVALID_PARAM')
    expect((await root.ok('GET', room(kept))).joined_members).toBe(1)
    await refusal(root.call('GET', admin('/v2/rooms/delete_status/none')), 404, 'M_NOT_FOUND')
    const never = await createRoom(alice)
    await refusal(root.call('GET', room(never, '/delete_status', 'v2')), 404, 'M_NOT_FOUND')
  })
})

describe('the history of a room', () => {
  const purge = (roomId: string, body: object, event = '') =>
    root.call('POST', admin(`/v1/purge_history/${enc(roomId)}${event}`), { body })

  it('is purged up to an event, in the background', async () => {
    const roomId = await createRoom(alice)
    await sendText(alice, roomId, 'pomegranate')
    const point = await eventually('a later moment', async () => {
      const eventId = await sendText(alice, roomId, 'quince')
      const { event } = await root.ok('GET', room(roomId, `/context/${enc(eventId)}`))
      const { chunk } = await root.ok('GET', room(roomId, '/messages'), undefined, { dir: 'b', limit: 100 })
      const old = chunk.find((one: { content: { body?: string } }) => one.content.body === 'pomegranate')
      return event.origin_server_ts > old.origin_server_ts && eventId
    })
    const answer = await purge(roomId, { delete_local_events: true }, `/${enc(point)}`)
    expect(answer.status).toBe(200)
    const status = await eventually('the purge', async () => {
      const found = await root.ok('GET', admin(`/v1/purge_history_status/${answer.body.purge_id}`))
      return found.status === 'complete' && found
    })
    expect(status.purged_events).toBeGreaterThanOrEqual(1)
    const { chunk } = await alice.ok('GET', v3(`/rooms/${enc(roomId)}/messages`), undefined, {
      dir: 'b',
      limit: 100,
    })
    expect(JSON.stringify(chunk)).not.toContain('pomegranate')
    expect(chunk.find((one: { event_id: string }) => one.event_id === point).content.body).toBe('quince')
  })

  it('is that of a room that is known, up to a point in it', async () => {
    const roomId = await createRoom(alice)
    await refusal(purge(unknown, { purge_up_to_ts: 1 }), 404, 'M_NOT_FOUND')
    await refusal(purge(roomId, {}), 400, 'M_INVALID_PARAM')
    await refusal(purge(roomId, {}, '/$nothing'), 404, 'M_NOT_FOUND')
    await refusal(purge(roomId, { purge_up_to_ts: 'x' }), 400, 'M_BAD_JSON')
    await refusal(root.call('GET', admin('/v1/purge_history_status/none')), 404, 'M_NOT_FOUND')
    await refusal(
      alice.call('POST', admin(`/v1/purge_history/${enc(roomId)}`), { body: { purge_up_to_ts: 1 } }),
      403,
      'M_FORBIDDEN',
    )
  })
})

describe('the largest rooms', () => {
  it('are told with what their events take', async () => {
    const { rooms } = await root.ok('GET', admin('/v1/statistics/database/rooms'))
    expect(rooms.length).toBeGreaterThan(0)
    expect(rooms.length).toBeLessThanOrEqual(10)
    const sizes = rooms.map((one: { estimated_size: number }) => one.estimated_size)
    expect(sizes).toEqual(sizes.toSorted((a: number, b: number) => b - a))
    expect(sizes.at(-1)).toBeGreaterThan(1_000)
    await root.ok('GET', room(rooms[0].room_id))
  })
})

describe('power', () => {
  it.each(['10', '12'])(
    'in a room of version %s is given to an administrator, who is invited',
    async (version) => {
      const roomId = await createRoom(alice, { room_version: version })
      await root.ok('POST', room(roomId, '/make_room_admin'))
      await root.ok('POST', inRoom(roomId, 'join'))
      await root.ok('PUT', v3(`/rooms/${enc(roomId)}/state/m.room.name/`), { name: 'Taken over' })
      const levels = await root.ok('GET', v3(`/rooms/${enc(roomId)}/state/m.room.power_levels/`))
      expect(levels.users[root.userId]).toBeGreaterThanOrEqual(100)
      await root.ok('POST', room(roomId, '/make_room_admin'), { user_id: bob.userId })
      expect((await bob.ok('POST', inRoom(roomId, 'join'))).room_id).toBe(roomId)
    },
  )

  it('is not had where nobody of this server has any', async () => {
    const roomId = await sharedRoom(alice, [bob])
    await alice.ok('POST', inRoom(roomId, 'leave'))
    await refusal(root.call('POST', room(roomId, '/make_room_admin'), { body: {} }), 400, 'M_UNKNOWN')
    await refusal(root.call('POST', room(unknown, '/make_room_admin'), { body: {} }), 404, 'M_NOT_FOUND')
  })
})

describe('somebody whom an administrator lets join', () => {
  const join = (roomId: string, userId: string) =>
    root.call('POST', admin(`/v1/join/${enc(roomId)}`), { body: { user_id: userId } })

  it('is in a public room, or in one where the administrator can invite', async () => {
    const open = await sharedRoom(alice)
    expect((await join(open, bob.userId)).body).toEqual({ room_id: open })
    const own = await createRoom(root, { room_alias_name: 'own' })
    expect((await join(`#own:${node.serverName}`, bob.userId)).body).toEqual({ room_id: own })
    expect((await bob.ok('GET', v3('/joined_rooms'))).joined_rooms).toEqual(
      expect.arrayContaining([open, own]),
    )
  })

  it('is refused elsewhere', async () => {
    await refusal(join(await createRoom(alice), bob.userId), 403, 'M_FORBIDDEN')
    await refusal(join(await sharedRoom(alice), '@x:elsewhere.example'), 400, 'M_INVALID_PARAM')
    await refusal(join(await sharedRoom(alice), `@nobody:${node.serverName}`), 404, 'M_NOT_FOUND')
  })
})
