import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { testServices, type TestServices } from '../../composition/testing.js'
import type { JsonObject } from '../../core/json/value.js'
import { FederationError, type FederationRequest } from '../federation/client.js'
import type { Requester } from '../requester.js'
import { createSpaces, type Spaces } from './spaces.js'

const OTHER = 'other.example'
// What is looked at is whatever is there.
// oxlint-disable-next-line typescript/no-explicit-any
type Answer = any

let test: TestServices
let alice: Requester
let bob: Requester
let spaces: Spaces
let answers: Map<string, object | Error>
let asked: string[]
beforeAll(async () => {
  test = await testServices()
  alice = await test.user('alice')
  bob = await test.user('bob')
  answers = new Map()
  asked = []
  spaces = createSpaces({
    context: test.built.rooms.context,
    client: {
      request({ destination, path }: FederationRequest) {
        const key = `${destination} ${decodeURIComponent(path.split('/').at(-1)!)}`
        asked.push(key)
        const answer = answers.get(key) ?? new FederationError('status', 'no', { status: 404 })
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer as JsonObject)
      },
    },
    aliases: test.services.aliases,
  })
})
afterAll(() => test.close())

const { signal } = new AbortController()
type Query = Parameters<Spaces['hierarchy']['page']>[1]
const page = (who: Requester, roomId: string, query: Partial<Query> = {}): Promise<Answer> =>
  spaces.hierarchy.page(who, { roomId, signal, ...query })
const ids = (answer: { rooms: { room_id: string }[] }): string[] => answer.rooms.map((room) => room.room_id)
const refusal = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no refusal',
    (error: { errcode?: string; message: string }) => `${error.errcode}: ${error.message}`,
  )

async function room(
  who: Requester,
  name: string,
  options: { space?: boolean; preset?: 'private_chat' | 'public_chat'; state?: object[] } = {},
): Promise<string> {
  const { room_id: roomId } = await test.services.roomCreation.create(who, {
    name,
    preset: options.preset ?? 'public_chat',
    ...(options.space === true ? { creation_content: { type: 'm.space' } } : {}),
    initial_state: (options.state ?? []) as never,
  })
  return roomId
}
const space = (who: Requester, name: string): Promise<string> => room(who, name, { space: true })

async function link(parent: string, child: string, content: JsonObject = {}): Promise<void> {
  await test.services.sending.state(alice, {
    roomId: parent,
    type: 'm.space.child',
    stateKey: child,
    content: { via: ['ours.example'], ...content },
  })
}

const remoteRoom = (roomId: string, over: object = {}): object => ({
  room_id: roomId,
  name: roomId,
  num_joined_members: 3,
  world_readable: false,
  guest_can_join: false,
  join_rule: 'public',
  ...over,
})
const childEvent = (roomId: string, content: object = {}): object => ({
  type: 'm.space.child',
  state_key: roomId,
  sender: `@u:${OTHER}`,
  origin_server_ts: 1,
  content: { via: [OTHER], ...content },
})

describe('the hierarchy of a space', () => {
  it('is walked depth first, in the order of the children, each room once however often it is linked', async () => {
    const root = await space(alice, 'root')
    const [late, early, inner, leaf] = await Promise.all([
      room(alice, 'late'),
      room(alice, 'early'),
      space(alice, 'inner'),
      room(alice, 'leaf'),
    ])
    await link(root, late)
    await link(root, inner, { order: 'b' })
    await link(root, early, { order: 'a' })
    await link(inner, leaf)
    // Round and round.
    await link(inner, root)
    await link(root, leaf)
    const answer = await page(alice, root)
    expect(ids(answer)).toEqual([root, early, inner, leaf, late])
    expect(answer).not.toHaveProperty('next_batch')
    expect(answer.rooms[0]).toMatchObject({
      name: 'root',
      room_type: 'm.space',
      join_rule: 'public',
      room_version: '12',
      num_joined_members: 1,
    })
    expect(answer.rooms[0].children_state.map((child: JsonObject) => child['state_key'])).toEqual([early, inner, late, leaf]) // prettier-ignore
    expect(answer.rooms[0].children_state[0]).toEqual({
      type: 'm.space.child',
      state_key: early,
      sender: alice.userId,
      content: { via: ['ours.example'], order: 'a' },
      origin_server_ts: expect.any(Number),
    })
    expect(answer.rooms[1].children_state).toEqual([])
  })

  it('shows a user the rooms that they are in, may join, or may look into, and none besides', async () => {
    const root = await space(alice, 'root')
    const allow = [{ type: 'm.room_membership', room_id: root }]
    const rules = (content: object): object[] => [{ type: 'm.room.join_rules', content }]
    const made = {
      secret: await room(alice, 'secret', { preset: 'private_chat' }),
      invited: await room(alice, 'invited', { preset: 'private_chat' }),
      readable: await room(alice, 'readable', {
        preset: 'private_chat',
        state: [{ type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } }],
      }),
      knock: await room(alice, 'knock', { state: rules({ join_rule: 'knock' }) }),
      restricted: await room(alice, 'restricted', { state: rules({ join_rule: 'restricted', allow }) }),
      knockRestricted: await room(alice, 'kr', { state: rules({ join_rule: 'knock_restricted', allow }) }),
      banned: await room(alice, 'banned'),
    }
    for (const [i, id] of Object.values(made).entries()) await link(root, id, { order: `${i}` })
    await test.services.memberships.invite(alice, { roomId: made.invited, userId: bob.userId })
    await test.services.memberships.ban(alice, { roomId: made.banned, userId: bob.userId })
    const { secret, banned, restricted, ...seen } = made
    expect(ids(await page(bob, root))).toEqual([root, ...Object.values(seen)].toSorted(byLink([root, ...Object.values(made)]))) // prettier-ignore
    await test.services.memberships.join(bob, { room: root, via: [] })
    expect(ids(await page(bob, root))).toContain(restricted)
    expect(ids(await page(bob, root))).not.toContain(secret)
    expect(ids(await page(alice, root))).toEqual([root, ...Object.values(made)])
    expect(ids(await page(alice, root))).toContain(banned)
    const shown = (await page(alice, root)).rooms.find((one: JsonObject) => one['room_id'] === restricted)
    expect(shown).toMatchObject({ join_rule: 'restricted', allowed_room_ids: [root] })
  })

  const byLink =
    (order: readonly string[]) =>
    (a: string, b: string): number =>
      order.indexOf(a) - order.indexOf(b)

  it('tells a room that one may not see and a room that is not there alike', async () => {
    const secret = await room(alice, 'secret', { preset: 'private_chat' })
    const told = await refusal(page(bob, secret))
    expect(told).toBe('M_FORBIDDEN: You may not see this room')
    expect(await refusal(page(bob, `!${'A'.repeat(43)}`))).toBe(told)
    expect(await refusal(page(bob, '!nothing:ours.example'))).toBe(told)
  })

  it('comes in pages, whose tokens are the user’s own and can be used again', async () => {
    const root = await space(alice, 'root')
    const rooms: string[] = []
    for (let i = 0; i < 5; i++) {
      rooms.push(await room(alice, `r${i}`))
      await link(root, rooms[i]!, { order: `${i}`, suggested: i % 2 === 0 })
    }
    const first = await page(alice, root, { limit: 2 })
    expect(ids(first)).toEqual([root, rooms[0]])
    const second = await page(alice, root, { limit: 3, from: first.next_batch })
    expect(ids(second)).toEqual(rooms.slice(1, 4))
    expect(ids(await page(alice, root, { limit: 3, from: first.next_batch }))).toEqual(ids(second))
    const third = await page(alice, root, { from: second.next_batch })
    expect(ids(third)).toEqual(rooms.slice(4))
    expect(third).not.toHaveProperty('next_batch')

    const bad = [
      refusal(page(bob, root, { from: first.next_batch })),
      refusal(page(alice, rooms[0]!, { from: first.next_batch })),
      refusal(page(alice, root, { from: 'h1_nothing' })),
      refusal(page(alice, root, { from: first.next_batch, suggestedOnly: true })),
      refusal(page(alice, root, { from: first.next_batch, maxDepth: 1 })),
    ]
    for (const one of await Promise.all(bad)) expect(one).toMatch(/^M_INVALID_PARAM/)
    expect(ids(await page(alice, root, { suggestedOnly: true }))).toEqual([
      root,
      rooms[0],
      rooms[2],
      rooms[4],
    ])
  })

  it('goes no deeper than asked', async () => {
    const chain: string[] = []
    for (let i = 0; i < 4; i++) {
      chain.push(await space(alice, `s${i}`))
      if (i > 0) await link(chain[i - 1]!, chain[i]!)
    }
    for (const depth of [0, 1, 2]) {
      expect(ids(await page(alice, chain[0]!, { maxDepth: depth }))).toEqual(chain.slice(0, depth + 1))
    }
    expect(ids(await page(alice, chain[0]!))).toEqual(chain)
  })

  it('leaves out a child that was taken out', async () => {
    const root = await space(alice, 'root')
    const gone = await room(alice, 'gone')
    await link(root, gone)
    await test.services.sending.state(alice, {
      roomId: root,
      type: 'm.space.child',
      stateKey: gone,
      content: {},
    })
    expect(await page(alice, root)).toMatchObject({ rooms: [{ room_id: root, children_state: [] }] })
  })
})

describe('the hierarchy of a space with rooms of other servers', () => {
  it('asks again for what was refused, since the user may have been let in meanwhile', async () => {
    const root = await space(alice, 'root')
    const far = '!later:other.example'
    await link(root, far, { via: [OTHER] })
    expect(ids(await page(alice, root))).toEqual([root])
    answers.set(`${OTHER} ${far}`, { room: remoteRoom(far), children: [], inaccessible_children: [] })
    expect(ids(await page(alice, root))).toEqual([root, far])
  })

  it('asks the servers that the child names, takes what they say of its children, and asks once', async () => {
    const root = await space(alice, 'root')
    const far = '!far:other.example'
    await link(root, far, { via: ['dead.example', OTHER] })
    answers.set(`dead.example ${far}`, new FederationError('unreachable', 'dead'))
    answers.set(`${OTHER} ${far}`, {
      room: remoteRoom(far, {
        room_type: 'm.space',
        children_state: ['open', 'closed', 'hidden', 'allowed', 'deep'].map((name, i) =>
          childEvent(`!${name}:other.example`, { order: `${i}` }),
        ),
      }),
      children: [
        remoteRoom('!open:other.example'),
        remoteRoom('!closed:other.example', { join_rule: 'invite' }),
        remoteRoom('!allowed:other.example', { join_rule: 'restricted', allowed_room_ids: [root] }),
        remoteRoom('!deep:other.example', { room_type: 'm.space' }),
      ],
      inaccessible_children: ['!hidden:other.example'],
    })
    answers.set(`${OTHER} !deep:other.example`, {
      room: remoteRoom('!deep:other.example', {
        room_type: 'm.space',
        children_state: [childEvent(root), childEvent(far)],
      }),
      children: [],
      inaccessible_children: [],
    })
    asked.length = 0
    const expected = [root, far, '!open:other.example', '!allowed:other.example', '!deep:other.example']
    expect(ids(await page(alice, root))).toEqual(expected)
    expect(asked).toEqual([`dead.example ${far}`, `${OTHER} ${far}`, `${OTHER} !deep:other.example`])
    // Bob is not in the root, which the restricted room asks for.
    expect(ids(await page(bob, root))).toEqual(expected.filter((id) => id !== '!allowed:other.example'))
    expect(asked).toHaveLength(3)
  })

  it('believes no server about a room that was not asked for, and shows nothing that is malformed', async () => {
    const root = await space(alice, 'root')
    const liar = '!liar:other.example'
    const odd = '!odd:other.example'
    await link(root, liar, { via: [OTHER], order: 'a' })
    await link(root, odd, { via: [OTHER], order: 'b' })
    answers.set(`${OTHER} ${liar}`, { room: remoteRoom(root, { name: 'taken over' }), children: [] })
    answers.set(`${OTHER} ${odd}`, {
      room: {
        ...remoteRoom(odd, {
          name: { a: 1 },
          topic: 'x'.repeat(100_000),
          num_joined_members: -5,
          room_type: 'm.space',
        }),
        secret: 1,
        children_state: [
          null,
          5,
          { type: 'm.space.child' },
          childEvent('no room'),
          childEvent('!x:y', { via: 'y' }),
        ],
      },
      children: [null, 'x', { room_id: 7 }],
      inaccessible_children: [null, 7, 'x'],
    })
    const answer = await page(alice, root)
    expect(ids(answer)).toEqual([root, odd])
    expect(answer.rooms[1]).toEqual({
      room_id: odd,
      num_joined_members: 0,
      world_readable: false,
      guest_can_join: false,
      join_rule: 'public',
      room_type: 'm.space',
      topic: 'x'.repeat(8_000),
      children_state: [],
    })
  })

  it('ends, whatever a server makes up', async () => {
    const root = await space(alice, 'root')
    await link(root, '!endless0:other.example', { via: [OTHER] })
    // Each room is a space of a hundred further ones, half of which nobody describes.
    let made = 0
    let requests = 0
    const trap = createSpaces({
      context: test.built.rooms.context,
      client: {
        request({ path }) {
          requests++
          const roomId = decodeURIComponent(path.split('/').at(-1)!)
          if (Number(/\d+/.exec(roomId)![0]) % 2 === 1)
            return Promise.reject(new FederationError('status', 'no', { status: 404 }))
          const children = Array.from({ length: 100 }, () => childEvent(`!endless${++made}:other.example`))
          const answer = { room: remoteRoom(roomId, { room_type: 'm.space', children_state: children }) }
          return Promise.resolve(answer as unknown as JsonObject)
        },
      },
      aliases: test.services.aliases,
    })
    let shown = 0
    let from: string | undefined
    for (let pages = 0; pages < 30; pages++) {
      const answer: Answer = await trap.hierarchy.page(alice, {
        roomId: root,
        from,
        limit: 100,
        maxDepth: 50,
        signal,
      })
      shown += answer.rooms.length
      from = answer.next_batch
      if (from === undefined) break
    }
    expect(from).toBeUndefined()
    expect(shown).toBe(1_000)
    expect(requests).toBeLessThan(5_100)
  })

  it('lets a space be looked at to which one is invited from elsewhere', async () => {
    const far = '!invitation:other.example'
    answers.set(`${OTHER} ${far}`, { room: remoteRoom(far, { join_rule: 'invite' }), children: [] })
    expect(await refusal(page(bob, far))).toMatch(/^M_FORBIDDEN/)
    await test.built.rooms.outside.put({
      roomId: far,
      rules: test.built.rooms.context.defaultVersion,
      userId: bob.userId,
      membership: 'invite',
      sender: `@u:${OTHER}`,
      strippedState: [],
    })
    expect(ids(await page(bob, far))).toEqual([far])
  })
})
