import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createRoom, register, sendText, v3, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'

let node: Node
let user: User
let room: string
beforeAll(async () => {
  node = await startNode()
  user = await register(node.url)
  room = encodeURIComponent(await createRoom(user))
})
afterAll(() => node.dispose())

describe('a read marker', () => {
  it.each(['', '$', 'x', '!room:localhost', '<script>', `$${'é'.repeat(200)}`])(
    'for %j, which is no event id, is refused and stored nowhere',
    async (eventId) => {
      for (const type of ['m.fully_read', 'm.read', 'm.read.private']) {
        const answer = await user.call('POST', v3(`/rooms/${room}/read_markers`), {
          body: { [type]: eventId },
        })
        expect({ status: answer.status, errcode: answer.body.errcode }).toEqual({
          status: 400,
          errcode: 'M_INVALID_PARAM',
        })
      }
      const path = v3(`/user/${encodeURIComponent(user.userId)}/rooms/${room}/account_data/m.fully_read`)
      expect((await user.call('GET', path)).status).toBe(404)
    },
  )

  it('for an event is kept', async () => {
    const eventId = await sendText(user, decodeURIComponent(room), 'x')
    await user.ok('POST', v3(`/rooms/${room}/read_markers`), { 'm.fully_read': eventId })
    const path = v3(`/user/${encodeURIComponent(user.userId)}/rooms/${room}/account_data/m.fully_read`)
    expect(await user.ok('GET', path)).toEqual({ event_id: eventId })
  })
})
