import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { testServices, type TestServices } from '../../composition/testing.js'
import type { JsonObject } from '../../core/json/value.js'
import { FederationError, type FederationRequest } from '../federation/client.js'
import type { Requester } from '../requester.js'
import type { CreateRoomInput } from '../rooms/create-room-input.js'
import { createSpaces, type Spaces } from './spaces.js'

// What is looked at is whatever is there.
// oxlint-disable-next-line typescript/no-explicit-any
type Answer = any

let test: TestServices
let alice: Requester
let bob: Requester
let spaces: Spaces
const answers = new Map<string, object>()
const asked: string[] = []
beforeAll(async () => {
  test = await testServices()
  alice = await test.user('alice')
  bob = await test.user('bob')
  spaces = createSpaces({
    context: test.built.rooms.context,
    client: {
      request({ destination, path }: FederationRequest) {
        const key = `${destination} ${decodeURIComponent(path.split('/').at(-1)!)}`
        asked.push(key)
        const answer = answers.get(key)
        return answer === undefined
          ? Promise.reject(new FederationError('status', 'no', { status: 404 }))
          : Promise.resolve(answer as JsonObject)
      },
    },
    aliases: test.services.aliases,
  })
})
afterAll(() => test.close())

const { signal } = new AbortController()
const summary = (
  who: Requester | undefined,
  room: string,
  via: readonly string[] = [],
): Promise<JsonObject> => spaces.summaries.of(who, { room, via, signal })
const create = async (input: CreateRoomInput): Promise<string> =>
  (await test.services.roomCreation.create(alice, input)).room_id
const rule = (content: object): CreateRoomInput['initial_state'] => [
  { type: 'm.room.join_rules', content: content as JsonObject },
]
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no refusal',
    (error: { errcode: string; message: string }) => `${error.errcode}: ${error.message}`,
  )
const UNKNOWN = 'M_NOT_FOUND: The room was not found'

describe('the summary of a room', () => {
  it('tells what the room is, by id and by alias, and where the user stands', async () => {
    const roomId = await create({
      preset: 'public_chat',
      room_alias_name: 'square',
      name: 'Square',
      topic: 'All and sundry',
      initial_state: [{ type: 'm.room.encryption', content: { algorithm: 'm.megolm.v1.aes-sha2' } }],
    })
    const expected = {
      room_id: roomId,
      name: 'Square',
      topic: 'All and sundry',
      canonical_alias: '#square:ours.example',
      join_rule: 'public',
      encryption: 'm.megolm.v1.aes-sha2',
      room_version: '12',
      num_joined_members: 1,
      world_readable: false,
      guest_can_join: false,
    }
    expect(await summary(alice, roomId)).toEqual({ ...expected, membership: 'join' })
    expect(await summary(bob, '#square:ours.example')).toEqual({ ...expected, membership: 'leave' })
    expect(await summary(undefined, roomId)).toEqual(expected)
  })

  it('tells one who may not see a room what it tells of a room that is not there', async () => {
    const secret = await create({ preset: 'private_chat', room_alias_name: 'secret' })
    for (const room of [
      secret,
      '#secret:ours.example',
      '#nothing:ours.example',
      `!${'A'.repeat(43)}`,
      '!x:ours.example',
    ]) {
      expect(await codeOf(summary(bob, room))).toBe(UNKNOWN)
      expect(await codeOf(summary(undefined, room))).toBe(UNKNOWN)
    }
    await test.services.memberships.invite(alice, { roomId: secret, userId: bob.userId })
    expect(await summary(bob, secret)).toMatchObject({ room_id: secret, membership: 'invite' })
    await test.services.memberships.ban(alice, { roomId: secret, userId: bob.userId })
    expect(await codeOf(summary(bob, secret))).toBe(UNKNOWN)
  })

  it.each([['x'], ['@alice:ours.example'], [''], ['!'], ['#'], ['!a:../b']])('refuses %j', async (room) => {
    expect(await codeOf(summary(alice, room))).toMatch(/^M_(INVALID_PARAM|NOT_FOUND)/)
  })

  it('asks the servers that the client names, for those who are logged in alone', async () => {
    const far = '!far:far.example'
    answers.set(`near.example ${far}`, {
      room: {
        room_id: far,
        name: 'Far',
        num_joined_members: 9,
        join_rule: 'knock',
        room_version: '10',
        extra: 1,
      },
      children: [],
      inaccessible_children: [],
    })
    expect(await codeOf(summary(undefined, far, ['near.example']))).toBe(UNKNOWN)
    expect(asked).toEqual([])
    expect(await summary(bob, far, ['../x', 'near.example'])).toEqual({
      room_id: far,
      name: 'Far',
      num_joined_members: 9,
      join_rule: 'knock',
      room_version: '10',
      world_readable: false,
      guest_can_join: false,
      membership: 'leave',
    })
    expect(asked).toEqual([`near.example ${far}`])
  })

  it('hides what another server tells of a room that the user could not join', async () => {
    const far = '!closed:far.example'
    const room = {
      room_id: far,
      num_joined_members: 9,
      join_rule: 'restricted',
      allowed_room_ids: ['!other:far.example'],
    }
    answers.set(`far.example ${far}`, { room, children: [], inaccessible_children: [] })
    expect(await codeOf(summary(bob, far))).toBe(UNKNOWN)
  })
})

describe('the hierarchy for other servers', () => {
  const serve = (origin: string, roomId: string, suggested = false): Promise<Answer> =>
    spaces.serving.hierarchy(origin, roomId, suggested)

  it('describes a space and its children, names those that are closed, and passes over what is not here', async () => {
    const root = await create({ preset: 'public_chat', creation_content: { type: 'm.space' } })
    const open = await create({ preset: 'public_chat', name: 'open' })
    const closed = await create({ preset: 'private_chat' })
    const lonely = await create({ preset: 'public_chat', creation_content: { 'm.federate': false } })
    const shut = await create({
      preset: 'public_chat',
      initial_state: [{ type: 'm.room.server_acl', content: { allow: ['*'], deny: ['bad.example'] } }],
    })
    for (const [i, child] of [open, closed, lonely, shut, '!gone:far.example'].entries()) {
      const content = { via: ['ours.example'], order: `${i}`, suggested: child === shut }
      await test.services.sending.state(alice, {
        roomId: root,
        type: 'm.space.child',
        stateKey: child,
        content,
      })
    }
    const answer = await serve('good.example', root)
    expect(answer.room).toMatchObject({ room_id: root, room_type: 'm.space', num_joined_members: 1 })
    expect(answer.room.children_state).toHaveLength(5)
    expect(answer.children.map((child: JsonObject) => child['room_id'])).toEqual([open, shut])
    expect(answer.inaccessible_children).toEqual([closed, lonely])
    const suggested = await serve('bad.example', root, true)
    expect(suggested).toMatchObject({ room: { children_state: [{ state_key: shut }] }, children: [] })
    expect(suggested.inaccessible_children).toEqual([shut])
  })

  it('knows nothing of rooms that nobody of the other server may see', async () => {
    const closed = await create({ preset: 'private_chat' })
    const shut = await create({
      preset: 'public_chat',
      initial_state: [{ type: 'm.room.server_acl', content: { allow: ['good.example'] } }],
    }).catch(() => undefined)
    expect(shut).toBeUndefined()
    for (const id of [closed, '!nothing:ours.example', 'x']) {
      expect(await codeOf(serve('other.example', id))).toBe(UNKNOWN)
    }
  })

  it('shows a restricted room to servers with a user in a room that it names', async () => {
    const gate = await create({ preset: 'public_chat' })
    const allow = [{ type: 'm.room_membership', room_id: gate }]
    const restricted = await create({ initial_state: rule({ join_rule: 'restricted', allow })! })
    expect(await codeOf(serve('other.example', restricted))).toBe(UNKNOWN)
    const { rosters, loader } = test.built.rooms.context
    const { nid } = (await loader.load(gate))!
    const roster = await rosters.of(nid)
    rosters.set(nid, { ...roster, servers: new Map([['other.example', 1]]) })
    expect(await serve('other.example', restricted)).toMatchObject({
      room: { room_id: restricted, join_rule: 'restricted', allowed_room_ids: [gate], children_state: [] },
    })
    expect(await codeOf(serve('third.example', restricted))).toBe(UNKNOWN)
  })
})
