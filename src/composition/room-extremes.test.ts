import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { buildEvent } from '../core/event/build.js'
import { applyEvent } from '../services/rooms/apply-event.js'
import { prepareLocalEvent } from '../services/rooms/local-event.js'
import type { Requester } from '../services/requester.js'
import { testServices, type TestServices } from './testing.js'

let node: TestServices
let alice: Requester
beforeEach(async () => {
  node = await testServices()
  alice = await node.user('alice')
})
afterEach(() => node.close())

describe('a room in which somebody wrote an event of the greatest depth', () => {
  it('goes on: the newest messages are the first that /messages gives', async () => {
    const roomId = (await node.services.roomCreation.create(alice, {})).room_id
    const { context } = node.built.rooms
    await context.writer.write(roomId, async (room) => {
      const draft = { type: 'm.room.message', sender: alice.userId, content: { body: 'deepest' } }
      const { event } = await prepareLocalEvent(room, draft, context.local)
      const deepest = buildEvent(
        {
          ...draft,
          roomId,
          depth: Number.MAX_SAFE_INTEGER,
          originServerTs: 1,
          prevEvents: event.prevEvents,
          authEvents: event.authEvents,
        },
        event.rules,
        context.local.signer,
      )
      return applyEvent(room, deepest, { live: true, origin: context.serverName }, context.local)
    })
    for (const body of ['one', 'two']) {
      const message = { roomId, type: 'm.room.message', content: { body }, txnId: body }
      await node.services.sending.message(alice, message)
    }
    const read = async (from?: string): Promise<{ bodies: unknown[]; end: string }> => {
      const page = await node.services.history.messages(alice, { roomId, dir: 'b', limit: 2, from })
      const chunk = page['chunk'] as { content: { body: unknown } }[]
      return { bodies: chunk.map((event) => event.content.body), end: page['end'] as string }
    }
    const first = await read()
    expect(first.bodies).toEqual(['two', 'one'])
    expect((await read(first.end)).bodies[0]).toBe('deepest')
  })
})

describe('POST /createRoom', () => {
  const state = (count: number): { type: string; state_key: string; content: object }[] =>
    Array.from({ length: count }, (_, i) => ({ type: 'org.example.x', state_key: `${i}`, content: {} }))

  it('takes some hundred events of initial state, not thousands: the whole node would wait for them', async () => {
    const make = (count: number): Promise<{ room_id: string }> =>
      node.services.roomCreation.create(alice, { initial_state: state(count) } as never)
    await expect(make(501)).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
    expect((await make(500)).room_id).toMatch(/^!/)
  })
})
