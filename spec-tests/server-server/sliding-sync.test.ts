import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createRoom, eventually, register, sendText, v3, type User } from '../harness/client.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'

const PATH = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'
const enc = encodeURIComponent
let finances: Node
let interieur: Node
let alice: User
let benoit: User
beforeAll(async () => {
  const authority = testAuthority()
  finances = await startNode({ authority })
  interieur = await startNode({ authority })
  alice = await register(finances.url, 'alice')
  benoit = await register(interieur.url, 'benoit')
})
afterAll(async () => {
  await finances?.dispose()
  await interieur?.dispose()
})

// Tests look at whatever is there.
// oxlint-disable-next-line typescript/no-explicit-any
type Any = any

/** What one client of sliding sync is told of a room, answer by answer. */
function follow(user: User, roomId: string): (what: string, found: (room: Any) => unknown) => Promise<Any> {
  let pos: string | undefined
  const body = {
    lists: {
      all: {
        ranges: [[0, 99]],
        timeline_limit: 5,
        required_state: [
          ['m.room.create', ''],
          ['m.space.child', '*'],
          ['m.room.member', '$LAZY'],
          ['m.room.member', '$ME'],
        ],
      },
    },
  }
  return (what, found) =>
    eventually(what, async () => {
      const answer = await user.ok('POST', PATH, body, { pos, timeout: 500 })
      pos = answer.pos
      const room = answer.rooms[roomId]
      return room !== undefined && found(room) === true && room
    })
}

describe('sliding sync of a room that is elsewhere', () => {
  it('shows the invite, the room once it is joined, what is said, and how it ends', async () => {
    const roomId = await createRoom(alice, { invite: [benoit.userId], name: 'Together' })
    await alice.ok('PUT', v3(`/rooms/${enc(roomId)}/state/m.space.child/${enc('!child:x')}`), { via: ['x'] })
    const next = follow(benoit, roomId)
    const invite = await next('the invite', (room) => room.membership === 'invite')
    expect(invite.invite_state).toContainEqual(
      expect.objectContaining({ type: 'm.room.name', content: { name: 'Together' } }),
    )
    expect(invite).not.toHaveProperty('timeline')
    expect(invite).not.toHaveProperty('joined_count')

    await benoit.ok('POST', v3(`/join/${enc(roomId)}`), {}, { via: finances.serverName })
    const joined = await next('the room', (room) => room.membership === 'join')
    expect(joined).toMatchObject({ initial: true, name: 'Together', joined_count: 2 })
    const types = joined.required_state.map((event: Any) => event.type)
    // All keys of a type are found in a state that came as a whole, too.
    expect(types.toSorted()).toEqual(
      expect.arrayContaining(['m.room.create', 'm.room.member', 'm.space.child']),
    )
    expect(types).not.toContain('m.room.power_levels')

    const there = await sendText(alice, roomId, 'from finances')
    const told = await next('the message', (room) =>
      room.timeline.some((event: Any) => event.event_id === there),
    )
    expect(told.notification_count).toBe(1)
    expect(told.required_state.map((event: Any) => event.state_key)).toContain(alice.userId)

    await alice.ok('POST', v3(`/rooms/${enc(roomId)}/kick`), { user_id: benoit.userId, reason: 'enough' })
    const end = await next('the end', (room) => room.membership === 'leave')
    const own = end.required_state.find((event: Any) => event.state_key === benoit.userId)
    expect(own.content).toMatchObject({ membership: 'leave', reason: 'enough' })
  })

  it('tells of an invite that was turned down', async () => {
    const roomId = await createRoom(alice, { invite: [benoit.userId] })
    const next = follow(benoit, roomId)
    await next('the invite', (room) => room.membership === 'invite')
    await benoit.ok('POST', v3(`/rooms/${enc(roomId)}/leave`))
    const end = await next('the end', (room) => room.membership === 'leave')
    expect(end.required_state).toHaveLength(1)
    expect(end.required_state[0]).toMatchObject({
      type: 'm.room.member',
      state_key: benoit.userId,
      content: { membership: 'leave' },
    })
  })
})
