import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { until } from '../../../platform/testing-until.js'
import type { JsonObject } from '../../../core/json/value.js'
import { roomVersion } from '../../../core/room-version/versions.js'
import { as, createWorld, type HandshakeNode, type World } from '../testing/handshakes.js'

let world: World
let a: HandshakeNode
let b: HandshakeNode
beforeEach(async () => {
  world = createWorld()
  a = await world.node('a.example')
  b = await world.node('b.example')
})
afterEach(() => world.close())

const publicRoom = async (version = '12'): Promise<string> => {
  const { room_id: roomId } = await a.creation.create(as('@ana:a.example'), {
    preset: 'public_chat',
    room_version: version,
    name: 'Budget',
  })
  return roomId
}
const join = (roomId: string, userId = '@bo:b.example', via = ['a.example']) =>
  b.memberships.join(as(userId), { room: roomId, via })
/** Changes what a.example answers to requests of this kind. */
// oxlint-disable-next-line typescript/no-explicit-any -- what a peer answers
function tamper(part: string, change: (answer: any) => unknown): void {
  world.intercept = async (request, answer) => {
    const text = await answer()
    return request.path.includes(`/${part}/`) ? JSON.stringify(change(JSON.parse(text))) : text
  }
}
const sent = (): number => world.log.filter((line) => line.includes('/send_join/')).length

describe('joining a room through another server', () => {
  it.each(['1', '2', '3', '5', '6', '8', '10', '11', '12'])(
    'brings the whole state over, and both servers agree (version %s)',
    async (version) => {
      const roomId = await publicRoom(version)
      await join(roomId)
      expect(await b.state(roomId)).toEqual(await a.state(roomId))
      expect((await b.state(roomId)).has('m.room.member|@bo:b.example')).toBe(true)
      expect((await b.membership(roomId, '@ana:a.example'))?.membership).toBe('join')
      const { servers, local } = await b.context.rosters.of((await b.context.loader.load(roomId))!.nid)
      expect([...servers.keys(), ...local]).toEqual(['a.example', '@bo:b.example'])
      // The room is whole: both can go on in it.
      await b.sending.message(as('@bo:b.example'), {
        roomId,
        type: 'm.room.message',
        content: { body: 'here' },
        txnId: '1',
      })
      expect(await b.memberships.joinedRooms('@bo:b.example')).toEqual([roomId])
    },
  )

  it('tries the next server when one is dead, does not know the room, or answers nonsense', async () => {
    const roomId = await publicRoom()
    await world.node('c.example')
    world.strangers.delete('c.example')
    world.intercept = (request, answer) =>
      request.destination === 'd.example' ? Promise.resolve('{"event":[],"room_version":"12"}') : answer()
    await join(roomId, '@bo:b.example', ['dead.example', 'c.example', 'd.example', 'b.example', 'a.example'])
    expect((await b.membership(roomId, '@bo:b.example'))?.membership).toBe('join')
  })

  it('goes on while other joins wait for a server that never ends its answers', async () => {
    const roomId = await publicRoom()
    const others = await Promise.all(Array.from({ length: 8 }, () => publicRoom()))
    await world.node('slow.example')
    let release!: () => void
    const held = new Promise<void>((resolve) => (release = resolve))
    let holding = 0
    world.intercept = async (request, answer) => {
      if (request.destination !== 'slow.example') return answer()
      if (request.path.includes('/make_join/')) {
        const template = await a.ask('b.example', 'GET', `${request.path}?ver=12`)
        return JSON.stringify(template.body)
      }
      holding++
      await held
      return '{}'
    }
    const slow = others.map((id) => join(id, '@bo:b.example', ['slow.example']).catch(() => undefined))
    await until(() => holding >= 2)
    await join(roomId, '@bee:b.example')
    expect(holding).toBe(2)
    release()
    await Promise.all(slow)
  })

  it('asks the servers that the client names, and the one in the id only where it names none', async () => {
    // Ids of later versions name no server.
    const options = { preset: 'public_chat', room_version: '11' } as const
    const { room_id: roomId } = await a.creation.create(as('@ana:a.example'), options)
    const bo = as('@bo:b.example')
    await expect(b.memberships.join(bo, { room: roomId, via: ['dead.example'] })).rejects.toMatchObject({
      errcode: 'M_UNKNOWN',
    })
    await b.memberships.join(bo, { room: roomId, via: [] })
    expect((await b.membership(roomId, bo.userId))?.membership).toBe('join')
  })

  it('passes on why the user may not come in', async () => {
    const { room_id: roomId } = await a.creation.create(as('@ana:a.example'), { preset: 'private_chat' })
    await expect(join(roomId)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await expect(join('!unknown:a.example')).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
    await expect(join(roomId, '@bo:b.example', ['dead.example'])).rejects.toMatchObject({
      errcode: 'M_UNKNOWN',
      status: 502,
    })
    expect(sent()).toBe(0)
  })

  it('joins again with the present state after everybody had left', async () => {
    const roomId = await publicRoom()
    await join(roomId)
    await b.memberships.leave(as('@bo:b.example'), { roomId })
    await a.sending.state(as('@ana:a.example'), {
      roomId,
      type: 'm.room.topic',
      stateKey: '',
      content: { topic: 'new' },
    })
    // The leave never reached a.example: for it @bo is still in the room, and joins again.
    await join(roomId)
    expect(await b.state(roomId)).toEqual(await a.state(roomId))
    expect((await b.membership(roomId, '@bo:b.example'))?.membership).toBe('join')
  })

  it('tells the user at once what is wrong with their own event, and signs nobody in on their word', async () => {
    const roomId = await publicRoom()
    const big = { displayname: 'x'.repeat(70_000) }
    const attempt = (content: JsonObject) =>
      b.memberships.join(as('@bo:b.example'), { room: roomId, via: ['a.example'], content })
    await expect(attempt(big)).rejects.toMatchObject({ errcode: 'M_TOO_LARGE' })
    await attempt({ join_authorised_via_users_server: '@boss:c.example', note: 'mine' })
    const id = (await b.state(roomId)).get('m.room.member|@bo:b.example')!
    expect((await b.context.events.byId(id))!.event.content).toEqual({ membership: 'join', note: 'mine' })
  })

  it('believes the room about its version, not the invite', async () => {
    const roomId = await publicRoom('11')
    await b.outside.put({
      roomId,
      rules: roomVersion('3')!,
      userId: '@bo:b.example',
      membership: 'invite',
      sender: '@ana:a.example',
      strippedState: [],
    })
    expect((await b.context.loader.load(roomId))?.rules.id).toBe('3')
    await join(roomId, '@bo:b.example', [])
    expect((await b.context.loader.load(roomId))?.rules.id).toBe('11')
    expect(await b.state(roomId)).toEqual(await a.state(roomId))
    expect(await b.membership(roomId, '@bo:b.example')).toMatchObject({
      membership: 'join',
      stripped_state: null,
    })
  })

  it('takes in who has come and gone while nobody of us was there', async () => {
    const roomId = await publicRoom()
    const c = await world.node('c.example')
    await c.memberships.join(as('@cid:c.example'), { room: roomId, via: ['a.example'] })
    await join(roomId)
    await b.memberships.leave(as('@bo:b.example'), { roomId })
    await a.memberships.kick(as('@ana:a.example'), { roomId, userId: '@cid:c.example' })
    await a.memberships.ban(as('@ana:a.example'), { roomId, userId: '@dan:d.example' })
    await join(roomId)
    const roster = await b.context.rosters.of((await b.context.loader.load(roomId))!.nid)
    expect([...roster.servers.keys()]).toEqual(['a.example'])
    expect((await b.membership(roomId, '@cid:c.example'))?.membership).toBe('leave')
    expect((await b.membership(roomId, '@dan:d.example'))?.membership).toBe('ban')
    expect(await b.state(roomId)).toEqual(await a.state(roomId))
  })

  it('lets several users join at the same time', async () => {
    const roomId = await publicRoom()
    const users = Array.from({ length: 5 }, (_, i) => `@u${i}:b.example`)
    await Promise.all(users.map((user) => join(roomId, user)))
    for (const user of users) expect((await b.membership(roomId, user))?.membership).toBe('join')
    expect((await b.context.rosters.of((await b.context.loader.load(roomId))!.nid)).local.size).toBe(5)
  })
})

describe('a hostile template', () => {
  const cases: [string, (event: Record<string, unknown>) => unknown][] = [
    ['another type', (event) => ({ ...event, type: 'm.room.power_levels' })],
    ['another room', (event) => ({ ...event, room_id: '!other:a.example' })],
    ['another sender', (event) => ({ ...event, sender: '@boss:b.example' })],
    ['another state key', (event) => ({ ...event, state_key: '@boss:b.example' })],
    ['another membership', (event) => ({ ...event, content: { membership: 'ban' } })],
    ['no membership', (event) => ({ ...event, content: {} })],
    ['a field that templates do not have', (event) => ({ ...event, redacts: '$x' })],
    ['no predecessors', (event) => ({ ...event, prev_events: [] })],
    ['too many predecessors', (event) => ({ ...event, prev_events: Array(21).fill(`$${'a'.repeat(43)}`) })],
    ['auth events that are no ids', (event) => ({ ...event, auth_events: [{}] })],
    ['a negative depth', (event) => ({ ...event, depth: -1 })],
    ['an authorising user who is none', (event) => ({ ...event, content: { membership: 'join', join_authorised_via_users_server: 'x' } })],
  ] // prettier-ignore

  it.each(cases)('with %s is refused before anything is signed', async (_name, change) => {
    const roomId = await publicRoom()
    tamper('make_join', (answer) => ({ ...answer, event: change(answer.event) }))
    await expect(join(roomId)).rejects.toMatchObject({ errcode: 'M_UNKNOWN' })
    expect(sent()).toBe(0)
  })

  it('of an unknown room version is refused', async () => {
    const roomId = await publicRoom()
    tamper('make_join', (answer) => ({ ...answer, room_version: 'org.evil' }))
    await expect(join(roomId)).rejects.toMatchObject({ errcode: 'M_INCOMPATIBLE_ROOM_VERSION' })
    expect(sent()).toBe(0)
  })

  it('has nothing of its content signed', async () => {
    const roomId = await publicRoom()
    tamper('make_join', (answer) => ({
      ...answer,
      event: { ...answer.event, content: { membership: 'join', displayname: 'Fool', extra: 1 }, origin: 'x' },
    }))
    await join(roomId)
    const id = (await b.state(roomId)).get('m.room.member|@bo:b.example')!
    const event = (await b.context.events.byId(id))!.event
    expect(event.content).toEqual({ membership: 'join' })
    expect(Object.hasOwn(event.pdu, 'origin')).toBe(false)
  })
})

describe('a hostile answer to a join', () => {
  type Answer = { state: JsonObject[]; auth_chain: JsonObject[] } & Record<string, unknown>
  const without = (list: JsonObject[], type: string): JsonObject[] =>
    list.filter((event) => event['type'] !== type)
  const cases: [string, (answer: Answer) => unknown][] = [
    ['no create event', (answer) => ({ ...answer, state: without(answer.state, 'm.room.create') })],
    ['no state', (answer) => ({ ...answer, state: [] })],
    ['no join rule', (answer) => ({ ...answer, state: without(answer.state, 'm.room.join_rules') })],
    [
      'unsigned state',
      (answer) => ({ ...answer, state: answer.state.map((event) => ({ ...event, signatures: {} })) }),
    ],
    ['state that is no list', (answer) => ({ ...answer, state: {} })],
    ['two events for one key', (answer) => ({ ...answer, state: [...answer.state, ...answer.state] })],
    ['members left out', (answer) => ({ ...answer, members_omitted: true })],
    ['nothing', () => ({})],
    ['a list', () => [1, 2]],
    [
      'a create event of another version',
      (answer) => ({
        ...answer,
        state: answer.state.map((event) =>
          event['type'] === 'm.room.create'
            ? { ...event, content: { ...(event['content'] as JsonObject), room_version: '11' } }
            : event,
        ),
      }),
    ],
  ]

  it.each(cases)('with %s is refused, and leaves no room behind', async (_name, change) => {
    const roomId = await publicRoom()
    tamper('send_join', change as never)
    await expect(join(roomId)).rejects.toMatchObject({ errcode: 'M_UNKNOWN' })
    expect(await b.memberships.joinedRooms('@bo:b.example')).toEqual([])
    expect((await b.context.loader.load(roomId))?.root).toBeUndefined()
    // The same server, honest again, is believed.
    world.intercept = (_request, answer) => answer()
    await join(roomId)
    expect(await b.state(roomId)).toEqual(await a.state(roomId))
  })

  it('with a wrong content hash has that event redacted', async () => {
    const roomId = await publicRoom()
    tamper('send_join', (answer: Answer) => ({
      ...answer,
      state: answer.state.map((event) =>
        event['type'] === 'm.room.name' ? { ...event, content: { name: 'forged' } } : event,
      ),
    }))
    await join(roomId)
    const id = (await b.state(roomId)).get('m.room.name|')!
    expect((await b.context.events.byId(id))!.event.content).toEqual({})
  })

  it('with a single bad event among good ones loses that one only', async () => {
    const roomId = await publicRoom()
    tamper('send_join', (answer: Answer) => ({
      ...answer,
      state: answer.state.map((event) =>
        event['type'] === 'm.room.name' ? { ...event, depth: 'deep' } : event,
      ),
    }))
    await join(roomId)
    expect((await b.state(roomId)).has('m.room.name|')).toBe(false)
    expect((await b.state(roomId)).has('m.room.create|')).toBe(true)
  })

  it('with the co-signed join changed is refused', async () => {
    const roomId = await publicRoom()
    tamper('make_join', (answer) => ({
      ...answer,
      event: {
        ...answer.event,
        content: { membership: 'join', join_authorised_via_users_server: '@ana:a.example' },
      },
    }))
    const honest = world.intercept
    world.intercept = async (request, answer) => {
      const text = await honest(request, answer)
      if (!request.path.includes('/send_join/')) return text
      const parsed = JSON.parse(text) as { event: JsonObject }
      return JSON.stringify({
        ...parsed,
        event: { ...parsed.event, content: { membership: 'join', admin: true } },
      })
    }
    await expect(join(roomId)).rejects.toMatchObject({ errcode: 'M_UNKNOWN' })
  })
})
