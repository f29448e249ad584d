import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createRoom, eventually, register, startSync, v3, type User } from '../harness/client.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'

const enc = encodeURIComponent
const v1 = (path: string): string => `/_matrix/client/v1${path}`
let one: Node
let two: Node
let alice: User
let bob: User
beforeAll(async () => {
  const authority = testAuthority()
  const config = { presence: { enabled: true, federation: true } }
  ;[one, two] = await Promise.all([startNode({ authority, config }), startNode({ authority, config })])
  ;[alice, bob] = await Promise.all([register(one.url, 'alice'), register(two.url, 'bob')])
})
afterAll(() => Promise.all([one.dispose(), two.dispose()]))

const idsIn = (answer: { rooms: { room_id: string }[] }): string[] => answer.rooms.map((room) => room.room_id)
const link = (user: User, parent: string, child: string, server: Node): Promise<unknown> =>
  user.ok('PUT', v3(`/rooms/${enc(parent)}/state/m.space.child/${enc(child)}`), { via: [server.serverName] })

describe('two nodes', () => {
  it('show each other’s spaces to their users, without what those may not see', async () => {
    const far = await createRoom(alice, {
      preset: 'public_chat',
      name: 'Far',
      creation_content: { type: 'm.space' },
    })
    const open = await createRoom(alice, { preset: 'public_chat', name: 'Open' })
    const closed = await createRoom(alice, { preset: 'private_chat' })
    await link(alice, far, open, one)
    await link(alice, far, closed, one)
    const near = await createRoom(bob, { preset: 'public_chat', creation_content: { type: 'm.space' } })
    await link(bob, near, far, one)
    const answer = await bob.ok('GET', v1(`/rooms/${enc(near)}/hierarchy`))
    expect(idsIn(answer)).toEqual([near, far, open])
    expect(answer.rooms[1]).toMatchObject({ name: 'Far', room_type: 'm.space', num_joined_members: 1 })

    const summary = await bob.ok('GET', v1(`/room_summary/${enc(open)}`), undefined, { via: one.serverName })
    expect(summary).toMatchObject({ room_id: open, name: 'Open', membership: 'leave', room_version: '12' })
    const hidden = await bob.call('GET', v1(`/room_summary/${enc(closed)}`), {
      query: { via: one.serverName },
    })
    expect([hidden.status, hidden.body.errcode]).toEqual([404, 'M_NOT_FOUND'])
  })

  it('tell each other who is there', async () => {
    const roomId = await createRoom(alice, { preset: 'public_chat' })
    await bob.ok('POST', v3(`/join/${enc(roomId)}`), undefined, { via: one.serverName })
    const following = await startSync(bob)
    await alice.ok('PUT', v3(`/presence/${enc(alice.userId)}/status`), {
      presence: 'unavailable',
      status_msg: 'away',
    })
    const events = await following.until('presence', (answer) =>
      (answer.presence?.events ?? []).find(
        (event: { sender: string; content: object }) =>
          event.sender === alice.userId && 'status_msg' in event.content,
      ),
    )
    expect(events).toMatchObject({ content: { presence: 'unavailable', status_msg: 'away' } })
  })

  it('follow an upgrade', async () => {
    const old = await createRoom(alice, { preset: 'public_chat', room_version: '11', name: 'Old' })
    await bob.ok('POST', v3(`/join/${enc(old)}`), undefined, { via: one.serverName })
    const { replacement_room: made } = await alice.ok('POST', v3(`/rooms/${enc(old)}/upgrade`), {
      new_version: '12',
    })
    await eventually('the tombstone', async () => {
      const answer = await bob.call('GET', v3(`/rooms/${enc(old)}/state/m.room.tombstone`))
      return answer.status === 200 && answer.body.replacement_room === made
    })
    await bob.ok('POST', v3(`/join/${enc(made)}`), undefined, { via: one.serverName })
    expect(await bob.ok('GET', v3(`/rooms/${enc(made)}/state/m.room.name`))).toEqual({ name: 'Old' })
  })

  it('find each other’s public rooms by words and by type, and list nothing for strangers elsewhere', async () => {
    const word = `w${Date.now().toString(36)}`
    const listed = { preset: 'public_chat', visibility: 'public' }
    const room = await createRoom(alice, { ...listed, name: `A room ${word}` })
    const space = await createRoom(alice, {
      ...listed,
      name: `A space ${word}`,
      creation_content: { type: 'm.space' },
    })
    const find = async (filter: object): Promise<string[]> => {
      const path = `${v3('/publicRooms')}?server=${enc(one.serverName)}`
      const url = new URL(path, two.url)
      const answer = await bob.call('POST', url.pathname, {
        query: { server: one.serverName },
        body: { filter },
      })
      expect(answer.status).toBe(200)
      return answer.body.chunk.map((entry: { room_id: string }) => entry.room_id)
    }
    expect((await find({ generic_search_term: word })).toSorted()).toEqual([room, space].toSorted())
    expect(await find({ generic_search_term: word, room_types: ['m.space'] })).toEqual([space])
    expect(await find({ generic_search_term: word, room_types: [null] })).toEqual([room])
    const stranger = await fetch(`${two.url}${v3('/publicRooms')}?server=${enc(one.serverName)}`)
    expect(stranger.status).toBe(401)
  })
})
