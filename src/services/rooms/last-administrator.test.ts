import { afterEach, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../../core/json/value.js'
import { untilPasses } from '../../platform/testing-until.js'
import { testServices, TEST_SERVER, type TestServices } from '../../composition/testing.js'
import type { Requester } from '../requester.js'

let node: TestServices
let ana: Requester
let bo: Requester
let cem: Requester
let eve: Requester
afterEach(() => node.close())

const PARTNERS = 'partners.example'

async function start(rule: 'allow' | 'refuse' | 'hand-over', enforced = false): Promise<void> {
  node = await testServices({
    access_rules: { last_administrator: rule, enforced, external_servers: [PARTNERS] },
  })
  ana = await node.user('ana')
  bo = await node.user('bo')
  cem = await node.user('cem')
  eve = await node.user('eve')
}

async function room(input: JsonObject, ...members: Requester[]): Promise<string> {
  const { room_id: roomId } = await node.services.roomCreation.create(ana, {
    preset: 'public_chat',
    ...input,
  } as never)
  for (const one of members) await node.services.memberships.join(one, { room: roomId, via: [] })
  return roomId
}
const leave = (who: Requester, roomId: string) => node.services.memberships.leave(who, { roomId })
const levelsIn = async (who: Requester, roomId: string): Promise<Record<string, number>> => {
  const key = { type: 'm.room.power_levels', stateKey: '' }
  return (await node.services.history.stateEvent(who, roomId, key, 'content'))['users'] as Record<
    string,
    number
  >
}
const setLevels = async (who: Requester, roomId: string, users: Record<string, number>) => {
  const key = { type: 'm.room.power_levels', stateKey: '' }
  const content = await node.services.history.stateEvent(who, roomId, key, 'content')
  return node.services.sending.state(who, { roomId, ...key, content: { ...content, users } })
}
const isIn = async (who: Requester, roomId: string): Promise<boolean> =>
  (await node.services.memberships.joinedRooms(who.userId)).includes(roomId)
const kept = {
  errcode: 'M_FORBIDDEN',
  extra: { reason: 'access.last_administrator' },
  message:
    'You are the last administrator of this room: give somebody else the power to administer it, then leave',
}

describe.each(['11', '12'])('the last administrator of a room of version %s', (room_version) => {
  it('may go where nobody minds', async () => {
    await start('allow')
    const roomId = await room({ room_version }, bo)
    await leave(ana, roomId)
    expect(await isIn(ana, roomId)).toBe(false)
  })

  it('is kept, in words for them, until somebody else administers it', async () => {
    await start('refuse')
    const roomId = await room({ room_version }, bo)
    await expect(leave(ana, roomId)).rejects.toMatchObject(kept)
    const put = node.services.memberships.put(ana, {
      roomId,
      userId: ana.userId,
      content: { membership: 'leave' },
    })
    await expect(put).rejects.toMatchObject(kept)
    expect(await isIn(ana, roomId)).toBe(true)
    const own = room_version === '12' ? {} : { [ana.userId]: 100 }
    await setLevels(ana, roomId, { ...own, [bo.userId]: 100 })
    await leave(ana, roomId)
    expect(await isIn(ana, roomId)).toBe(false)
  })

  it('is kept by no administrator who is not there', async () => {
    await start('refuse')
    const roomId = await room({ room_version }, bo)
    const own = room_version === '12' ? {} : { [ana.userId]: 100 }
    await setLevels(ana, roomId, { ...own, [cem.userId]: 100 })
    await expect(leave(ana, roomId)).rejects.toMatchObject(kept)
    await node.services.memberships.invite(ana, { roomId, userId: cem.userId })
    await leave(ana, roomId)
  })

  it('hands over to those who have the most power, and can be left then', async () => {
    await start('hand-over')
    const roomId = await room({ room_version }, bo, cem, eve)
    const own = room_version === '12' ? {} : { [ana.userId]: 100 }
    await setLevels(ana, roomId, { ...own, [bo.userId]: 50, [cem.userId]: 50, [eve.userId]: 20 })
    await leave(ana, roomId)
    expect(await isIn(ana, roomId)).toBe(false)
    // So much as an upgrade takes.
    const heir = room_version === '12' ? 150 : 100
    expect(await levelsIn(bo, roomId)).toEqual({
      ...own,
      [bo.userId]: heir,
      [cem.userId]: heir,
      [eve.userId]: 20,
    })
    await node.services.sending.state(bo, {
      ...{ roomId, type: 'm.room.tombstone', stateKey: '' },
      content: { body: 'moved', replacement_room: `!other:${TEST_SERVER}` },
    })
  })

  it('hands over to everybody who is there where nobody has power', async () => {
    await start('hand-over')
    const roomId = await room({ room_version }, bo, cem)
    await leave(ana, roomId)
    expect(Object.keys(await levelsIn(bo, roomId))).toEqual(expect.arrayContaining([bo.userId, cem.userId]))
  })

  it('may leave a room in which nobody else is', async () => {
    await start('refuse')
    const roomId = await room({ room_version })
    await leave(ana, roomId)
    expect(await isIn(ana, roomId)).toBe(false)
  })

  it('hands over when their account is deactivated, also where they would be kept', async () => {
    await start('refuse')
    const roomId = await room({ room_version }, bo)
    await node.services.accounts.credentials.deactivate(ana.userId, false)
    await untilPasses(async () => expect(await isIn(ana, roomId)).toBe(false))
    expect((await levelsIn(bo, roomId))[bo.userId]).toBeGreaterThanOrEqual(100)
  })

  it('does not take their own powers from a room that has nobody else', async () => {
    await start('refuse')
    if (room_version === '12') return
    const roomId = await room({ room_version }, bo)
    await expect(setLevels(ana, roomId, { [ana.userId]: 50 })).rejects.toMatchObject({
      extra: { reason: 'access.last_administrator.levels' },
    })
    await setLevels(ana, roomId, { [ana.userId]: 50, [bo.userId]: 100 })
  })
})

it('external people inherit nothing, and a direct conversation is left by whoever wants', async () => {
  await start('refuse', true)
  const { room_id: direct } = await node.services.roomCreation.create(ana, {
    preset: 'private_chat',
    is_direct: true,
    invite: [bo.userId],
  })
  await node.services.memberships.join(bo, { room: direct, via: [] })
  await leave(ana, direct)
  const { room_id: shared } = await node.services.roomCreation.create(bo, {
    preset: 'private_chat',
    invite: [cem.userId],
  })
  await node.services.memberships.join(cem, { room: shared, via: [] })
  await expect(leave(bo, shared)).rejects.toMatchObject(kept)
})
