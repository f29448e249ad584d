import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { CreateRoomInput } from '../services/rooms/create-room-input.js'
import type { Requester } from '../services/requester.js'
import { readStateEvent } from '../services/rooms/context.js'
import { TEST_SERVER, testServices, type TestServices } from './testing.js'

const EVE = '@eve:guests.example'

let node: TestServices
let ana: Requester
beforeEach(async () => {
  node = await testServices({ access_rules: { enforced: true, external_servers: ['guests.example'] } })
  ana = await node.user('ana')
})
afterEach(() => node.close())

const create = async (input: CreateRoomInput): Promise<string> =>
  (await node.services.roomCreation.create(ana, input)).room_id
const rule = (name: string): CreateRoomInput['initial_state'] => [
  { type: 'im.vector.room.access_rules', content: { rule: name } },
]
const refusedBy = (reason: string) => ({ errcode: 'M_FORBIDDEN', extra: { reason } })
async function ruleOf(roomId: string): Promise<unknown> {
  const { context } = node.built.rooms
  const room = await context.loader.load(roomId)
  return (await readStateEvent(context, room!, 'im.vector.room.access_rules', ''))?.event.content
}

describe('a node that holds rooms to their access rules', () => {
  it('lists restricted rooms alone', async () => {
    const open = await create({ initial_state: rule('unrestricted')! })
    const { publicRooms } = node.services
    await expect(publicRooms.setVisibility(ana, open, 'public')).rejects.toMatchObject(
      refusedBy('access.listing'),
    )
    const closed = await create({})
    await publicRooms.setVisibility(ana, closed, 'public')
    await publicRooms.setVisibility(ana, open, 'private')
  })

  it('carries the rule over into an upgraded room', async () => {
    const old = await create({ initial_state: rule('unrestricted')!, room_version: '10' })
    const { replacement_room: next } = await node.services.roomUpgrades.upgrade(ana, {
      roomId: old,
      newVersion: '11',
    })
    expect(await ruleOf(next)).toMatchObject({ rule: 'unrestricted', visibility: 'private' })
  })

  it('refuses the invite of an external person before anybody is asked for anything', async () => {
    const roomId = await create({})
    await expect(node.services.memberships.invite(ana, { roomId, userId: EVE })).rejects.toMatchObject(
      refusedBy('access.external'),
    )
  })
})

it('a node of external people makes no rooms, and gives notices all the same', async () => {
  const guests = await testServices({
    access_rules: { enforced: true, external_servers: [TEST_SERVER] },
    server_notices: { localpart: 'notices' },
  })
  try {
    const eve = await guests.user('eve')
    await expect(guests.services.roomCreation.create(eve, {})).rejects.toMatchObject(
      refusedBy('access.create.external'),
    )
    await guests.services.serverNotices.send({
      userId: eve.userId,
      content: { msgtype: 'm.text', body: 'hello' },
    })
    const { rooms } = await guests.sync(eve)
    expect(Object.keys(rooms?.invite ?? {})).toHaveLength(1)
    const [roomId] = Object.keys(rooms?.invite ?? {})
    await guests.services.memberships.join(eve, { room: roomId!, via: [] })
  } finally {
    await guests.close()
  }
})
