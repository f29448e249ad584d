import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { call, createRoom, enc, register, sendText, v3, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'

let node: Node
let alice: User
let bob: User
let stranger: User
let roomId: string
let eventId: string
/** For the members of `roomId`. */
let restricted: string
beforeAll(async () => {
  node = await startNode()
  alice = await register(node.url, 'alice')
  bob = await register(node.url, 'bob')
  stranger = await register(node.url, 'stranger')
  roomId = await createRoom(alice, { preset: 'private_chat' })
  eventId = await sendText(alice, roomId, 'for members')
  const allow = [{ type: 'm.room_membership', room_id: roomId }]
  restricted = await createRoom(alice, {
    room_version: '11',
    initial_state: [
      { type: 'm.room.join_rules', state_key: '', content: { join_rule: 'restricted', allow } },
    ],
  })
})
afterAll(() => node.dispose())

interface Request {
  readonly what: string
  readonly method: 'GET' | 'POST' | 'PUT'
  /** After the room's id; `{room}` where it stands elsewhere. */
  readonly path: () => string
  readonly body?: () => object
}

const REQUESTS: readonly Request[] = [
  { what: 'reads the state', method: 'GET', path: () => 'state' },
  { what: 'reads the history', method: 'GET', path: () => 'messages?dir=b' },
  { what: 'reads the members', method: 'GET', path: () => 'members' },
  { what: 'reads an event', method: 'GET', path: () => `event/${enc(eventId)}` },
  { what: 'sends a message', method: 'PUT', path: () => 'send/m.room.message/1', body: () => ({ body: 'x' }) },
  { what: 'sets state', method: 'PUT', path: () => 'state/m.room.topic/', body: () => ({ topic: 'x' }) },
  { what: 'redacts an event', method: 'PUT', path: () => `redact/${enc(eventId)}/2`, body: () => ({}) },
  { what: 'invites somebody', method: 'POST', path: () => 'invite', body: () => ({ user_id: bob.userId }) },
  { what: 'removes a member', method: 'POST', path: () => 'kick', body: () => ({ user_id: alice.userId }) },
  { what: 'removes one who is none', method: 'POST', path: () => 'kick', body: () => ({ user_id: bob.userId }) },
  { what: 'bans a member', method: 'POST', path: () => 'ban', body: () => ({ user_id: alice.userId }) },
  { what: 'lets somebody in again', method: 'POST', path: () => 'unban', body: () => ({ user_id: bob.userId }) },
  { what: 'leaves', method: 'POST', path: () => 'leave', body: () => ({}) },
  { what: 'upgrades', method: 'POST', path: () => 'upgrade', body: () => ({ new_version: '12' }) },
  { what: 'joins', method: 'POST', path: () => 'join', body: () => ({}) },
  { what: 'joins by the path for aliases', method: 'POST', path: () => '/join/{room}', body: () => ({}) },
  { what: 'joins and gives a reason', method: 'POST', path: () => '/join/{room}', body: () => ({ reason: 'x' }) },
  { what: 'joins by a member event', method: 'PUT', path: () => `state/m.room.member/${enc(stranger.userId)}`, body: () => ({ membership: 'join' }) },
  { what: 'knocks', method: 'POST', path: () => '/knock/{room}', body: () => ({}) },
  { what: 'leaves by a member event', method: 'PUT', path: () => `state/m.room.member/${enc(stranger.userId)}`, body: () => ({ membership: 'leave' }) },
  { what: 'bans the own account', method: 'PUT', path: () => `state/m.room.member/${enc(stranger.userId)}`, body: () => ({ membership: 'ban' }) },
  { what: 'bans a member by an event', method: 'PUT', path: () => `state/m.room.member/${enc(alice.userId)}`, body: () => ({ membership: 'ban' }) },
  { what: 'knocks by a member event', method: 'PUT', path: () => `state/m.room.member/${enc(stranger.userId)}`, body: () => ({ membership: 'knock' }) },
  { what: 'asks whether it is listed', method: 'GET', path: () => '/directory/list/room/{room}' },
  { what: 'lists it', method: 'PUT', path: () => '/directory/list/room/{room}', body: () => ({ visibility: 'public' }) },
  { what: 'takes it from the list', method: 'PUT', path: () => '/directory/list/room/{room}', body: () => ({ visibility: 'private' }) },
  { what: 'gives it an alias', method: 'PUT', path: () => `/directory/room/${enc('#stranger:localhost')}`, body: () => ({ room_id: '{room}' }) },
  { what: 'asks for its aliases', method: 'GET', path: () => 'aliases' },
  { what: 'asks for its hierarchy', method: 'GET', path: () => '/_matrix/client/v1/rooms/{room}/hierarchy' },
  { what: 'asks for its summary', method: 'GET', path: () => '/_matrix/client/v1/room_summary/{room}' },
  { what: 'forgets it', method: 'POST', path: () => 'forget', body: () => ({}) },
  { what: 'types', method: 'PUT', path: () => `typing/${enc(stranger.userId)}`, body: () => ({ typing: true, timeout: 100 }) },
  { what: 'reads it', method: 'POST', path: () => `receipt/m.read/${enc(eventId)}`, body: () => ({}) },
  { what: 'reads up to', method: 'POST', path: () => 'read_markers', body: () => ({ 'm.fully_read': eventId }) },
  { what: 'asks for an event by time', method: 'GET', path: () => '/_matrix/client/v1/rooms/{room}/timestamp_to_event?ts=0&dir=f' },
  { what: 'asks for threads', method: 'GET', path: () => '/_matrix/client/v1/rooms/{room}/threads' },
  { what: 'asks for relations', method: 'GET', path: () => `/_matrix/client/v1/rooms/{room}/relations/${enc(eventId)}` },
  { what: 'asks for what is around an event', method: 'GET', path: () => `context/${enc(eventId)}` },
  { what: 'asks for the first synchronisation', method: 'GET', path: () => 'initialSync' },
  { what: 'asks for one piece of state', method: 'GET', path: () => 'state/m.room.name/' },
  { what: 'asks who is in it', method: 'GET', path: () => 'joined_members' },
  { what: 'reports it', method: 'POST', path: () => 'report', body: () => ({ reason: 'x' }) },
  { what: 'reports an event', method: 'POST', path: () => `report/${enc(eventId)}`, body: () => ({ reason: 'x' }) },
] // prettier-ignore

const pathOf = (request: Request, room: string): string => {
  const path = request.path().replaceAll('{room}', enc(room))
  if (path.startsWith('/_matrix')) return path
  return v3(path.startsWith('/') ? path : `/rooms/${enc(room)}/${path}`)
}

async function askedOf(user: User | undefined, request: Request, room: string): Promise<object> {
  const body = JSON.parse(JSON.stringify(request.body?.() ?? {}).replaceAll('{room}', room)) as object
  const { status, body: answer } = await call(node.url, request.method, pathOf(request, room), {
    ...(request.method === 'GET' ? {} : { body }),
    token: user?.token,
  })
  // What was asked for may be repeated.
  return { status, body: JSON.stringify(answer).replaceAll(room, '{room}') }
}

describe('a stranger to a private room', () => {
  it.each(REQUESTS)('who $what is told what one is told of a room that does not exist', async (request) => {
    const none = `${roomId.slice(0, -4)}AAAA`
    const there = await askedOf(stranger, request, roomId)
    const nowhere = await askedOf(stranger, request, none)
    expect(there).toEqual(nowhere)
    if (!request.what.startsWith('reports')) expect(there).not.toMatchObject({ status: 200 })
  })

  it.each(REQUESTS)(
    'who $what is told no more where the members of another room may join',
    async (request) => {
      const there = await askedOf(stranger, request, restricted)
      expect(there).toEqual(await askedOf(stranger, request, '!none:localhost'))
    },
  )

  it('who has no log-in is not told either whether it is listed', async () => {
    const request = REQUESTS.find(({ what }) => what === 'asks whether it is listed')!
    const there = await askedOf(undefined, request, roomId)
    expect(there).toMatchObject({ status: 404 })
    expect(there).toEqual(await askedOf(undefined, request, '!none:localhost'))
  })

  it('is told of those that are listed, which are for everybody', async () => {
    const list = (room: string): string => v3(`/directory/list/room/${enc(room)}`)
    const open = await createRoom(alice, { preset: 'public_chat', visibility: 'public' })
    expect(await stranger.ok('GET', list(open))).toEqual({ visibility: 'public' })
    expect((await call(node.url, 'GET', list(open))).body).toEqual({ visibility: 'public' })
    expect((await stranger.call('PUT', list(open), { body: { visibility: 'private' } })).status).toBe(403)
    const hidden = await createRoom(alice, { invite: [bob.userId] })
    expect(await bob.ok('GET', list(hidden))).toEqual({ visibility: 'private' })
  })

  it('is told why where a room shows itself to everybody', async () => {
    const open = await createRoom(alice, { preset: 'public_chat' })
    await alice.ok('POST', v3(`/rooms/${enc(open)}/ban`), { user_id: bob.userId })
    const banned = await bob.call('POST', v3(`/join/${enc(open)}`), { body: {} })
    expect([banned.status, banned.body.errcode]).toEqual([403, 'M_FORBIDDEN'])
    expect(banned.body.error).not.toBe('You are not invited to this room')
  })
})
