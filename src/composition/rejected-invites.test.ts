import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Requester } from '../services/requester.js'
import { allocatePosition } from '../storage/tables/positions.js'
import { upsertMemberships } from '../storage/tables/memberships.js'
import { insertRoom, roomById } from '../storage/tables/rooms.js'
import { testServices, type TestServices } from './testing.js'

let node: TestServices
let alice: Requester
beforeAll(async () => {
  node = await testServices()
  alice = await node.user('alice')
})
afterAll(() => node.close())

const EVE = '@eve:gone.example'

/** An invite from a server that cannot be reached. */
async function invited(roomId: string, nid: number): Promise<void> {
  await node.store.write('test.invite', function* () {
    yield* insertRoom({
      nid,
      room_id: roomId,
      version: '11',
      rev: 1,
      state_root: null,
      heads: '[]',
      last_pos: 0,
      published: 0,
    })
    yield* upsertMemberships([
      {
        room_nid: (yield* roomById(roomId))!.nid,
        user_id: alice.userId,
        membership: 'invite',
        event_nid: null,
        sender: EVE,
        pos: yield* allocatePosition(),
        server: 'ours.example',
        local: 1,
        forgotten: 0,
        stripped_state: JSON.stringify([
          { type: 'm.room.member', sender: EVE, state_key: alice.userId, content: { membership: 'invite' } },
        ]),
      },
    ])
  })
}

describe('an invite that was rejected', () => {
  it('comes to the other devices as the event of the leave, once', async () => {
    const roomId = '!room:gone.example'
    await invited(roomId, 900_001)
    const first = await node.sync(alice)
    expect(first.rooms.invite[roomId]).toBeDefined()
    await node.services.memberships.leave(alice, { roomId, reason: 'no' })
    const second = await node.sync(alice, { since: first.next_batch })
    expect(second.rooms.leave[roomId].timeline.events).toEqual([
      {
        type: 'm.room.member',
        sender: alice.userId,
        state_key: alice.userId,
        content: { membership: 'leave', reason: 'no' },
        event_id: expect.stringMatching(/^\$[A-Za-z0-9]{43}$/),
        origin_server_ts: expect.any(Number),
      },
    ])
    expect((await node.sync(alice, { since: second.next_batch })).rooms).not.toHaveProperty('leave')
  })

  it('is left out where the filter does not admit it', async () => {
    const roomId = '!other:gone.example'
    await invited(roomId, 900_002)
    const { next_batch: since } = await node.sync(alice)
    await node.services.memberships.leave(alice, { roomId })
    const filter = { room: { timeline: { not_types: ['m.room.member'] } } }
    const { rooms } = await node.sync(alice, { since, filter })
    expect(rooms.leave[roomId].timeline.events).toEqual([])
  })
})
