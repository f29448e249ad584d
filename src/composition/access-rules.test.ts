import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../core/json/value.js'
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
    expect(await publicRooms.list({ origin: 'other.example' })).toMatchObject({
      total_room_count_estimate: 1,
    })
    await expect(publicRooms.list({ origin: 'guests.example' })).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
  })

  it('opens a private room to whoever has its address, without guests, and without listing it', async () => {
    const bo = await node.user('bo')
    const eva = await node.user('eva')
    const { history, memberships, publicRooms, sending, aliases } = node.services
    const set = (roomId: string, type: string, content: JsonObject) =>
      sending.state(ana, { roomId, type, stateKey: '', content })
    const closed = await create({})
    const alias = `#project-x7Rt2mQz9k:${TEST_SERVER}`
    await aliases.set(ana, alias, closed)
    await expect(memberships.join(bo, { room: alias, via: [] })).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
    await set(closed, 'm.room.join_rules', { join_rule: 'public' })
    await memberships.join(bo, { room: alias, via: [] })
    const encryption = { type: 'm.room.encryption', stateKey: '' }
    expect(await history.stateEvent(bo, closed, encryption, 'content')).toHaveProperty('algorithm')
    expect(await publicRooms.list({})).not.toMatchObject({
      chunk: expect.arrayContaining([expect.objectContaining({ room_id: closed })]) as unknown,
    })
    await expect(set(closed, 'm.room.guest_access', { guest_access: 'can_join' })).rejects.toMatchObject(
      refusedBy('access.guests'),
    )
    await expect(memberships.join({ ...eva, isGuest: true }, { room: alias, via: [] })).rejects.toMatchObject(
      { errcode: 'M_GUEST_ACCESS_FORBIDDEN' },
    )
    // Who is not from here has no way in by an address.
    await set(closed, 'm.room.join_rules', { join_rule: 'invite' })
    await expect(memberships.join(eva, { room: alias, via: [] })).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
  })

  it('opens no room while guests may come in', async () => {
    const guests = { type: 'm.room.guest_access', content: { guest_access: 'can_join' } }
    const roomId = await create({ initial_state: [guests] })
    const set = (type: string, content: JsonObject) =>
      node.services.sending.state(ana, { roomId, type, stateKey: '', content })
    await expect(set('m.room.join_rules', { join_rule: 'public' })).rejects.toMatchObject(
      refusedBy('access.guests'),
    )
    await set('m.room.guest_access', { guest_access: 'forbidden' })
    await set('m.room.join_rules', { join_rule: 'public' })
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
