import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createRoom, enc, register, sendText, v3, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'

let node: Node
let alice: User
let bob: User
let stranger: User
let roomId: string
let eventId: string
beforeAll(async () => {
  node = await startNode()
  alice = await register(node.url, 'alice')
  bob = await register(node.url, 'bob')
  stranger = await register(node.url, 'stranger')
  roomId = await createRoom(alice, { preset: 'private_chat' })
  eventId = await sendText(alice, roomId, 'for members')
})
afterAll(() => node.dispose())

interface Request {
  readonly what: string
  readonly method: 'GET' | 'POST' | 'PUT'
  /** After the room's id. */
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
] // prettier-ignore

describe('a stranger to a private room', () => {
  it.each(REQUESTS)('who $what is told what one is told of a room that does not exist', async (request) => {
    const none = `${roomId.slice(0, -4)}AAAA`
    const answers = await Promise.all(
      [roomId, none].map((room) =>
        stranger.call(
          request.method,
          v3(`/rooms/${enc(room)}/${request.path()}`),
          request.body === undefined ? {} : { body: request.body() },
        ),
      ),
    )
    const [there, nowhere] = answers.map(({ status, body }) => ({ status, body }))
    expect(there?.status).toBeGreaterThanOrEqual(400)
    expect(there).toEqual(nowhere)
  })
})
