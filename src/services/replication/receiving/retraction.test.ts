import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Json, JsonObject } from '../../../core/json/value.js'
import { createPduIntake, type PduIntake } from '../peers/pdu-intake.js'
import { outsideEnd } from '../../sync/outside-end.js'
import { createRetraction } from './retraction.js'
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

const ANA = '@ana:a.example'
const BO = '@bo:b.example'
/** What a.example would send to b.example about @bo's membership. */
async function told(roomId: string): Promise<JsonObject> {
  const id = (await a.state(roomId)).get(`m.room.member|${BO}`)!
  return (await a.context.events.byId(id))!.event.pdu
}
const take = (roomId: string, json: Json, origin = 'a.example'): Promise<string | undefined> =>
  createRetraction({
    context: b.context,
    outside: b.outside,
    intake: createPduIntake({ keys: b.keys, logger: b.context.logger }),
  }).take(origin, roomId, json, 5_000)

describe('a leave for a room that this server is not in', () => {
  it('takes back an invite, if it comes from the inviter and is signed', async () => {
    const { room_id: roomId } = await a.creation.create(as(ANA), { preset: 'private_chat' })
    await a.memberships.invite(as(ANA), { roomId, userId: BO })
    const invite = await told(roomId)
    await a.memberships.kick(as(ANA), { roomId, userId: BO })
    const kick = await told(roomId)
    const wrong: [Json, string?][] = [
      [invite],
      [{ ...kick, signatures: {} }],
      [{ ...kick, sender: '@other:a.example' }],
      [{ ...kick, state_key: '@bea:b.example' }],
      [{ ...kick, room_id: '!other:a.example' }],
      [kick, 'c.example'],
      [null],
    ]
    for (const [json, origin] of wrong) expect(await take(roomId, json, origin)).toBeUndefined()
    expect((await b.membership(roomId, BO))?.membership).toBe('invite')
    expect(await take(roomId, kick)).toBeDefined()
    expect((await b.membership(roomId, BO))?.membership).toBe('leave')
    // The user's clients are shown who took it back.
    expect(outsideEnd((await b.membership(roomId, BO))!)).toMatchObject({
      sender: ANA,
      type: 'm.room.member',
    })
    // Once is enough.
    expect(await take(roomId, kick)).toBeUndefined()
  })

  it('refuses a knock, from a server in the room', async () => {
    const { room_id: roomId } = await a.creation.create(as(ANA), {
      preset: 'private_chat',
      initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }],
    })
    await b.memberships.knock(as(BO), { room: roomId, via: ['a.example'] })
    await a.memberships.kick(as(ANA), { roomId, userId: BO })
    expect(await take(roomId, await told(roomId))).toBeDefined()
    expect((await b.membership(roomId, BO))?.membership).toBe('leave')
  })

  it('waits for keys no longer than it is told, and not at all when no time is left', async () => {
    const { room_id: roomId } = await a.creation.create(as(ANA), { preset: 'private_chat' })
    await a.memberships.invite(as(ANA), { roomId, userId: BO })
    await a.memberships.kick(as(ANA), { roomId, userId: BO })
    const kick = await told(roomId)
    const asked: object[] = []
    const { take: withStub } = createRetraction({
      context: b.context,
      outside: b.outside,
      intake: ((...[, , , options]: Parameters<PduIntake>) => {
        asked.push(options)
        return Promise.resolve([{ ok: false, reason: 'a key is not known' }])
      }) as unknown as PduIntake,
    })
    for (const keyWaitMs of [3_000, 0, -1])
      expect(await withStub('a.example', roomId, kick, keyWaitMs)).toBeUndefined()
    expect(asked).toEqual([
      { origin: 'a.example', keyWaitMs: 3_000 },
      { origin: 'a.example', knownOnly: true },
      { origin: 'a.example', knownOnly: true },
    ])
  })
})
