import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { eventId } from '../../src/core/event/event-id.js'
import type { Pdu } from '../../src/core/event/types.js'
import type { JsonObject } from '../../src/core/json/value.js'
import { createRoom, sendText, v3 } from '../harness/client.js'
import { fed, type Peer } from '../harness/peer.js'
import { enc, signedAsItIs, startWorld, stateId, stateOf, textsIn, type Scene, type World } from './world.js'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterEach(() => world.othersGoOn())
afterAll(() => world?.dispose())

const UNKNOWN = `$${'A'.repeat(43)}`
/** On each branch. */
const CHANGES = 100
const state = (roomId: string, rest: string): string => v3(`/rooms/${enc(roomId)}/state/${rest}`)
/** A room with the hostile peer and the honest one in it. */
async function both(body: object = {}): Promise<{ scene: Scene; honest: Scene }> {
  const scene = await world.scene(world.hostile, '11', body)
  return { scene, honest: await world.sceneIn(world.honest, scene.roomId) }
}
const eventOf = async (peer: Peer, id: string): Promise<JsonObject> =>
  (await peer.ok('GET', fed(`/event/${enc(id)}`))).pdus[0]

describe('what a hostile peer says of a room', () => {
  it('I1: is not shown where its auth events do not authorise it', async () => {
    const scene = await world.scene(world.hostile)
    const elsewhere = await world.scene(world.hostile)
    const [create, power, member] = [
      await stateId(world.alice, scene.roomId, 'm.room.create'),
      await stateId(world.alice, scene.roomId, 'm.room.power_levels'),
      scene.joined.event.id,
    ]
    const joinRules = await stateId(world.alice, scene.roomId, 'm.room.join_rules')
    const ofAlice = await stateId(world.alice, scene.roomId, 'm.room.member', world.alice.userId)
    // Eve may not do this: it is rejected, and so is what rests on it.
    const rejected = scene.forge({
      type: 'm.room.power_levels',
      state_key: '',
      content: { users: { [scene.eve]: 100 } },
    })
    const lists = [
      [create],
      [create, power],
      [power, member],
      [create, power, ofAlice],
      [create, power, member, member],
      [create, power, member, joinRules],
      [create, power, member, ofAlice],
      [create, power, member, UNKNOWN],
      [await stateId(world.alice, elsewhere.roomId, 'm.room.create'), power, member],
      [create, power, elsewhere.joined.event.id],
      [create, scene.idOf(rejected), member],
    ]
    const forged = lists.map((list) => scene.forge({ auth_events: list }))
    expect((await scene.send([rejected, ...forged])).status).toBe(200)
    expect(await scene.textsAfterMarker()).not.toContain('forged')
    const levels = (await stateOf(world.alice, scene.roomId)).get('m.room.power_levels/')!
    expect(levels['users']).not.toHaveProperty([scene.eve])
  })

  it('I1: changes no state that its user may not change, nor anything in the name of others', async () => {
    const scene = await world.scene(world.hostile)
    const before = await stateOf(world.alice, scene.roomId)
    const change = (type: string, key: string, content: object, more: object = {}): JsonObject =>
      scene.forge({ type, state_key: key, content, ...more })
    const { userId } = world.alice
    await scene.send([
      change('m.room.name', '', { name: 'Forged' }),
      change('m.room.join_rules', '', { join_rule: 'invite' }),
      change('m.room.member', userId, { membership: 'ban' }),
      change('m.room.member', userId, { membership: 'leave' }),
      change('m.room.member', userId, { membership: 'join', displayname: 'Forged' }, { sender: userId }),
      change('m.room.server_acl', '', { allow: [], deny: ['*'] }),
      change('m.room.tombstone', '', { replacement_room: scene.roomId }),
      change(`x.of.others`, userId, { a: 1 }),
      change('m.room.member', scene.eve, { membership: 'invite' }),
    ])
    await scene.textsAfterMarker()
    expect(await stateOf(world.alice, scene.roomId)).toEqual(before)
  })

  it('I2: makes no second create event, and none where the version has it in the room id', async () => {
    for (const version of ['11', '12']) {
      const scene = await world.scene(world.hostile, version)
      const { alice } = world
      const create = version === '12' ? `$${scene.roomId.slice(1)}` : await stateId(alice, scene.roomId, 'm.room.create') // prettier-ignore
      const before = (await stateOf(alice, scene.roomId)).get('m.room.create/')
      const second = {
        type: 'm.room.create',
        state_key: '',
        content: { room_version: version, creator: scene.eve },
      }
      const forged = [
        scene.forge(second),
        scene.forge({ ...second, prev_events: [], auth_events: [], depth: 1 }),
        scene.forge({ ...second, auth_events: [] }),
        scene.forge({ ...second, room_id: undefined, prev_events: [], auth_events: [] }),
        // Version 12 has the create event in the room id, and nowhere else; the others must name it.
        scene.forge({
          auth_events: version === '12' ? [...scene.auth, create] : scene.auth.filter((id) => id !== create),
        }),
      ]
      expect((await scene.send(forged)).status).toBe(200)
      expect(await scene.textsAfterMarker()).not.toContain('forged')
      expect((await stateOf(alice, scene.roomId)).get('m.room.create/')).toEqual(before)
    }
  })

  it('I3: is neither shown nor built upon where it stands before a ban that this server knows', async () => {
    const { scene, honest } = await both()
    await scene.textsAfterMarker()
    await world.alice.ok('POST', v3(`/rooms/${enc(scene.roomId)}/ban`), { user_id: scene.eve })
    const late = [1, 2, 3].map((n) => scene.forge({ content: { msgtype: 'm.text', body: `late ${n}` } }))
    const answer = await scene.send(late)
    expect(answer.status).toBe(200)
    const seen = await honest.textsAfterMarker()
    expect(seen.filter((text) => text.startsWith('late'))).toEqual([])
    const next = await sendText(world.alice, scene.roomId, 'after the ban')
    const { prev_events: heads } = await eventOf(world.honest, next)
    for (const event of late) expect(heads).not.toContain(scene.idOf(event))
    // K3: what soft-failed is told to nobody as part of the room.
    const path = fed(`/backfill/${enc(scene.roomId)}`)
    const { pdus } = await world.honest.ok('GET', path, { query: `v=${enc(next)}&limit=50` })
    expect(JSON.stringify(pdus)).not.toContain('late ')
  })

  it('I4: lets nobody into a restricted room on a word that this server did not give', async () => {
    const { alice, hostile, node } = world
    const allowed = await createRoom(alice, { room_version: '11' })
    const roomId = await createRoom(alice, {
      room_version: '11',
      preset: 'public_chat',
      initial_state: [
        {
          type: 'm.room.join_rules',
          state_key: '',
          content: { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: allowed }] },
        },
      ],
    })
    const eve = hostile.user()
    const make = await hostile.call('GET', fed(`/make_join/${enc(roomId)}/${enc(eve)}`), { query: 'ver=11' })
    expect([make.status, make.body.errcode]).toEqual([
      expect.any(Number),
      expect.stringMatching(/^M_(FORBIDDEN|UNABLE_TO_AUTHORISE_JOIN)$/),
    ])
    const ids = await Promise.all(
      ['m.room.create', 'm.room.power_levels', 'm.room.join_rules'].map((type) =>
        stateId(alice, roomId, type),
      ),
    )
    const ofAlice = await stateId(alice, roomId, 'm.room.member', alice.userId)
    const keyDocument = (await (await fetch(`${node.url}/_matrix/key/v2/server`)).json()) as {
      verify_keys: object
    }
    const [keyId] = Object.keys(keyDocument.verify_keys)
    const rules = (await world.scene(world.honest)).rules
    for (const [auth, via, signatures] of [
      [[...ids, ofAlice], alice.userId, { [node.serverName]: { [keyId!]: 'A'.repeat(86) } }],
      [[...ids, ofAlice], alice.userId, {}],
      [[...ids, ofAlice], eve, {}],
      [[...ids, ofAlice], 7, {}],
      [ids, undefined, {}],
    ] as const) {
      const event = signedAsItIs(
        {
          type: 'm.room.member',
          sender: eve,
          state_key: eve,
          room_id: roomId,
          content: {
            membership: 'join',
            ...(via !== undefined && { join_authorised_via_users_server: via }),
          },
          depth: 20,
          origin_server_ts: Date.now(),
          prev_events: [await sendText(alice, roomId, 'before')],
          auth_events: auth,
          signatures,
        },
        rules,
        hostile.server.signer,
      )
      const path = fed(`/send_join/${enc(roomId)}/${enc(idOf(event, rules))}`, 2)
      const answer = await hostile.call('PUT', path, { body: event })
      expect([400, 403]).toContain(answer.status)
    }
    expect((await stateOf(alice, roomId)).has(`m.room.member/${eve}`)).toBe(false)
  })

  it('I6: does not come into a room that is for this server alone', async () => {
    const { alice, hostile } = world
    const roomId = await createRoom(alice, {
      preset: 'public_chat',
      room_version: '11',
      creation_content: { 'm.federate': false },
    })
    const eve = hostile.user()
    const make = await hostile.call('GET', fed(`/make_join/${enc(roomId)}/${enc(eve)}`), { query: 'ver=11' })
    expect([403, 404]).toContain(make.status)
    const invite = await alice.call('POST', v3(`/rooms/${enc(roomId)}/invite`), { body: { user_id: eve } })
    expect([invite.status, invite.body.errcode]).toEqual([403, 'M_FORBIDDEN'])
    const { rules } = await world.scene(world.honest)
    const auth = await Promise.all(['m.room.create', 'm.room.power_levels', 'm.room.join_rules'].map((type) => stateId(alice, roomId, type))) // prettier-ignore
    const join = signedAsItIs(
      {
        type: 'm.room.member',
        sender: eve,
        state_key: eve,
        room_id: roomId,
        content: { membership: 'join' },
        depth: 20,
        origin_server_ts: Date.now(),
        prev_events: [await sendText(alice, roomId, 'inside')],
        auth_events: auth,
      },
      rules,
      hostile.server.signer,
    )
    const path = fed(`/send_join/${enc(roomId)}/${enc(idOf(join, rules))}`, 2)
    expect([403, 404]).toContain((await hostile.call('PUT', path, { body: join })).status)
    const sent = await hostile.call('PUT', fed(`/send/x${Date.now()}`), {
      body: { origin: hostile.server.name, origin_server_ts: 1, pdus: [join], edus: [] },
    })
    expect(sent.status).toBe(200)
    expect(await textsIn(alice, roomId)).toEqual(['inside'])
    expect((await stateOf(alice, roomId)).has(`m.room.member/${eve}`)).toBe(false)
  })

  it('I7: cannot stop a room by hundreds of changes of power on two branches', async () => {
    const scene = await world.scene(world.hostile)
    const { alice } = world
    const levels = (extra: number): object => ({
      users: { [alice.userId]: 100, [scene.eve]: 100 },
      users_default: 0,
      events_default: 0,
      state_default: 50,
      kick: extra,
    })
    await alice.ok('PUT', state(scene.roomId, 'm.room.power_levels/'), levels(50))
    const create = await stateId(alice, scene.roomId, 'm.room.create')
    const granted = await stateId(alice, scene.roomId, 'm.room.power_levels')
    const branch = async (
      length: number,
      prev: { id: string; depth: number },
    ): Promise<{ id: string; depth: number }> => {
      let power = granted
      let last = prev
      const events: JsonObject[] = []
      for (let i = 0; i < length; i++) {
        const event = scene.forge({
          type: 'm.room.power_levels',
          state_key: '',
          content: levels(i % 100),
          prev_events: [last.id],
          depth: last.depth + 1,
          auth_events: [create, power, scene.joined.event.id],
        })
        last = { id: scene.idOf(event), depth: last.depth + 1 }
        power = last.id
        events.push(event)
      }
      for (let i = 0; i < events.length; i += 50)
        expect((await scene.send(events.slice(i, i + 50))).status).toBe(200)
      return last
    }
    const start = { id: granted, depth: scene.last.depth + 20 }
    await branch(CHANGES, start)
    const other = await branch(CHANGES, { ...start, depth: start.depth + 1 })
    scene.last = { id: other.id, depth: other.depth }
    const power = other.id
    scene.forge = ((forge) => (changes = {}) => forge({ auth_events: [create, power, scene.joined.event.id], ...changes }))(scene.forge) // prettier-ignore
    await scene.textsAfterMarker()
    const now = (await stateOf(alice, scene.roomId)).get('m.room.power_levels/')!
    expect(now['users']).toEqual({ [alice.userId]: 100, [scene.eve]: 100 })
    await sendText(alice, scene.roomId, 'still here')
  })

  it('I8: leaves no more loose ends than an event may refer to, and the room takes them up', async () => {
    const scene = await world.scene(world.hostile)
    const { last } = scene
    for (let i = 0; i < 6; i++) {
      const ends = Array.from({ length: 50 }, (_, n) =>
        scene.forge({ prev_events: [last.id], content: { msgtype: 'm.text', body: `end ${i} ${n}` } }),
      )
      expect((await scene.send(ends)).status).toBe(200)
    }
    await scene.textsAfterMarker()
    const sizes: number[] = []
    for (let i = 0; i < 20; i++) {
      const event = await eventOf(world.hostile, await sendText(world.alice, scene.roomId, `mine ${i}`))
      sizes.push((event['prev_events'] as unknown[]).length)
    }
    expect(Math.max(...sizes)).toBeLessThanOrEqual(20)
    expect(sizes.at(-1)).toBe(1)
  })
})

const idOf = (event: JsonObject, rules: Scene['rules']): string => eventId(event as unknown as Pdu, rules)
