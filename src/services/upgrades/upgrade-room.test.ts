import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { untilPasses } from '../../platform/testing-until.js'
import { testServices, type TestServices } from '../../composition/testing.js'
import type { JsonObject } from '../../core/json/value.js'
import { putRoomUpgrade, roomUpgrades } from '../../storage/tables/room-upgrade.js'
import type { Requester } from '../requester.js'
import { readWholeState } from '../rooms/context.js'
import type { CreateRoomInput } from '../rooms/create-room-input.js'
import { createRoomUpgrades } from './upgrade-room.js'

let test: TestServices
let alice: Requester
let bob: Requester
let carol: Requester
beforeAll(async () => {
  test = await testServices()
  ;[alice, bob, carol] = await Promise.all([test.user('alice'), test.user('bob'), test.user('carol')])
})
afterAll(() => test.close())

const create = async (input: CreateRoomInput): Promise<string> =>
  (await test.services.roomCreation.create(alice, input)).room_id
const upgrade = async (
  who: Requester,
  roomId: string,
  newVersion: string,
  additionalCreators?: string[],
): Promise<string> =>
  (await test.services.roomUpgrades.upgrade(who, { roomId, newVersion, additionalCreators })).replacement_room
const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no refusal',
    (error: { errcode?: string; message: string }) => `${error.errcode}: ${error.message}`,
  )

/** Contents by `type|state key`. */
async function stateOf(roomId: string): Promise<Record<string, JsonObject>> {
  const { context } = test.built.rooms
  const room = (await context.loader.load(roomId))!
  const events = await readWholeState(context, room, room.root!)
  return Object.fromEntries(events.map(({ event }) => [`${event.type}|${event.stateKey}`, event.content]))
}
const setState = (
  who: Requester,
  roomId: string,
  type: string,
  content: JsonObject,
  stateKey = '',
): Promise<unknown> => test.services.sending.state(who, { roomId, type, stateKey, content })

const ACL = { allow: ['*'], deny: ['bad.example'], allow_ip_literals: false }
const everything: CreateRoomInput = {
  name: 'The council',
  topic: 'Matters',
  preset: 'public_chat',
  initial_state: [
    { type: 'm.room.avatar', content: { url: 'mxc://ours.example/a' } },
    { type: 'm.room.encryption', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
    { type: 'm.room.server_acl', content: ACL },
    { type: 'm.room.history_visibility', content: { history_visibility: 'joined' } },
    { type: 'm.room.guest_access', content: { guest_access: 'can_join' } },
    { type: 'org.example.widget', content: { secret: true } },
  ],
}
const CARRIED = ['avatar', 'encryption', 'server_acl', 'history_visibility', 'guest_access', 'name', 'topic', 'join_rules'] // prettier-ignore

describe('an upgrade', () => {
  it.each([
    ['1', '12'],
    ['6', '10'],
    ['11', '12'],
    ['12', '12'],
    ['12', '11'],
    ['12', '1'],
  ])('from version %s to %s carries the state over and ends the old room', async (from, to) => {
    const old = await create({
      ...everything,
      room_version: from,
      creation_content: { type: 'org.example.kind' },
    })
    await test.services.memberships.join(bob, { room: old, via: [] })
    await test.services.memberships.ban(alice, { roomId: old, userId: '@villain:bad.example', reason: 'why' })
    const before = await stateOf(old)
    const made = await upgrade(alice, old, to)
    const now = await stateOf(made)
    for (const type of CARRIED) expect(now[`m.room.${type}|`]).toEqual(before[`m.room.${type}|`])
    const after = await stateOf(old)
    const tombstone = { body: 'This room has been replaced', replacement_room: made }
    expect(after['m.room.tombstone|']).toEqual(tombstone)
    expect(now['m.room.create|']).toMatchObject({
      room_version: to,
      type: 'org.example.kind',
      predecessor: { room_id: old, ...(to === '12' ? {} : { event_id: expect.stringMatching(/^\$/) }) },
    })
    expect(now['org.example.widget|']).toBeUndefined()
    expect(Object.keys(now).filter((key) => key.startsWith('m.room.member'))).toEqual(
      expect.arrayContaining([`m.room.member|${alice.userId}`, 'm.room.member|@villain:bad.example']),
    )
    expect(now['m.room.member|@villain:bad.example']).toEqual({ membership: 'ban', reason: 'why' })
    expect(now[`m.room.member|${bob.userId}`]).toBeUndefined()
    // The event that the new room names is the old one's last word.
    const predecessor = now['m.room.create|']!['predecessor'] as JsonObject
    if (predecessor['event_id'] !== undefined) {
      const named = await test.built.rooms.context.events.byId(predecessor['event_id'] as string)
      expect(named?.event.content).toEqual(tombstone)
    }
    // Who could merely speak is silent.
    expect(after['m.room.power_levels|']).toMatchObject({ events_default: 50, invite: 50 })
    const say = (who: Requester, roomId: string): Promise<unknown> =>
      test.services.sending.message(who, {
        roomId,
        type: 'm.room.message',
        content: { body: 'x' },
        txnId: `${Math.random()}`,
      })
    expect(await refusal(say(bob, old))).toMatch(/^M_FORBIDDEN/)
    await say(alice, made)
    await test.services.memberships.join(bob, { room: made, via: [] })
    await say(bob, made)
    await setState(alice, made, 'm.room.topic', { topic: 'New matters' })
  })

  it('keeps levels, writes them as the new version wants, and keeps creators of version 12 out of them', async () => {
    const old = await create({ room_version: '9', power_level_content_override: { users: { [alice.userId]: '100' as never, [bob.userId]: 50, [carol.userId]: '70' as never }, ban: '60' as never } }) // prettier-ignore
    const made = await upgrade(alice, old, '12', [bob.userId, alice.userId])
    const now = await stateOf(made)
    expect(now['m.room.create|']).toMatchObject({ additional_creators: [bob.userId] })
    expect(now['m.room.power_levels|']).toMatchObject({
      users: { [carol.userId]: 70 },
      ban: 60,
      events: { 'm.room.tombstone': 150, 'm.room.name': 50 },
    })
    const again = await upgrade(alice, made, '11')
    const levels = (await stateOf(again))['m.room.power_levels|']!
    expect(levels).toMatchObject({ users: { [alice.userId]: 150, [bob.userId]: 150, [carol.userId]: 70 } })
    expect((await stateOf(again))['m.room.create|']).not.toHaveProperty('additional_creators')
    const third = await upgrade(alice, again, '12')
    expect((await stateOf(third))['m.room.create|']).not.toHaveProperty('additional_creators')
    expect((await stateOf(third))['m.room.power_levels|']).toMatchObject({ users: { [bob.userId]: 150 } })
  })

  it('lets a moderator do it who lacks the power for all that is carried over, and gives them no more in the end', async () => {
    const old = await create({
      preset: 'public_chat',
      room_version: '10',
      name: 'x',
      power_level_content_override: {
        users: { [alice.userId]: 100, [bob.userId]: 50 },
        events: {
          'm.room.tombstone': 50,
          'm.room.power_levels': 50,
          'm.room.name': 100,
          'm.room.encryption': 100,
        },
      },
    })
    await test.services.memberships.join(bob, { room: old, via: [] })
    const made = await upgrade(bob, old, '11')
    const now = await stateOf(made)
    expect(now['m.room.name|']).toEqual({ name: 'x' })
    expect(now['m.room.power_levels|']).toMatchObject({ users: { [alice.userId]: 100, [bob.userId]: 50 } })
  })

  it('moves the aliases of this server and the listing', async () => {
    const old = await create({ preset: 'public_chat', visibility: 'public', room_alias_name: 'forum', room_version: '11' }) // prettier-ignore
    await test.services.aliases.set(alice, '#second:ours.example', old)
    await setState(alice, old, 'm.room.canonical_alias', { alias: '#forum:ours.example', alt_aliases: ['#second:ours.example'] }) // prettier-ignore
    const made = await upgrade(alice, old, '12')
    for (const alias of ['#forum:ours.example', '#second:ours.example']) {
      expect((await test.services.aliases.resolve(alias)).room_id).toBe(made)
    }
    expect((await stateOf(made))['m.room.canonical_alias|']).toEqual({
      alias: '#forum:ours.example',
      alt_aliases: ['#second:ours.example'],
    })
    expect((await stateOf(old))['m.room.canonical_alias|']).toEqual({})
    expect(await test.services.publicRooms.visibility(alice, old)).toEqual({ visibility: 'private' })
    expect(await test.services.publicRooms.visibility(alice, made)).toEqual({ visibility: 'public' })
    const { chunk } = (await test.services.publicRooms.list({})) as unknown as { chunk: JsonObject[] }
    expect(chunk.map((entry) => entry['room_id'])).toContain(made)
  })

  it('takes the rooms of a space along, and lets members of the old room into a restricted one', async () => {
    const old = await create({
      creation_content: { type: 'm.space', 'm.federate': false },
      initial_state: [
        {
          type: 'm.space.child',
          state_key: '!a:ours.example',
          content: { via: ['ours.example'], order: 'a' },
        },
        { type: 'm.space.child', state_key: '!gone:ours.example', content: {} },
        { type: 'm.room.join_rules', content: { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: '!s:ours.example' }] } }, // prettier-ignore
      ],
      invite: [bob.userId],
    })
    await test.services.memberships.join(bob, { room: old, via: [] })
    const made = await upgrade(alice, old, '12')
    const now = await stateOf(made)
    expect(now['m.room.create|']).toMatchObject({ type: 'm.space', 'm.federate': false })
    expect(Object.keys(now).filter((key) => key.startsWith('m.space.child'))).toEqual([
      'm.space.child|!a:ours.example',
    ])
    expect((now['m.room.join_rules|']!['allow'] as JsonObject[]).map((item) => item['room_id'])).toEqual(['!s:ours.example', old]) // prettier-ignore
    await test.services.memberships.join(bob, { room: made, via: [] })
    expect(await refusal(test.services.memberships.join(carol, { room: made, via: [] }))).toMatch(
      /^M_FORBIDDEN/,
    )
    expect((await stateOf(await upgrade(alice, made, '7')))['m.room.join_rules|']).toEqual({
      join_rule: 'invite',
    })
  })

  it('carries tags, push rules and the mark as a direct chat to those who follow, and to nobody’s trap', async () => {
    const old = await create({ preset: 'public_chat', room_version: '11' })
    await test.services.memberships.join(bob, { room: old, via: [] })
    const { accountData, ruleEditor, pushRules } = test.services
    for (const who of [alice, bob]) {
      await accountData.setTag(who.userId, old, 'm.favourite', { order: 0.5 })
      await accountData.set(who.userId, '', 'm.direct', { [carol.userId]: ['!x:y', old] })
      await ruleEditor.put(who.userId, 'room', old, { actions: ['notify'] }, {})
      const conditions = [{ kind: 'event_match', key: 'room_id', pattern: old }]
      await ruleEditor.put(who.userId, 'override', old, { actions: [], conditions }, {})
      await ruleEditor.setEnabled(who.userId, 'override', old, false)
    }
    // Anybody can say that their room replaces another.
    const trap = await create({ preset: 'public_chat', creation_content: { predecessor: { room_id: old } } })
    const made = await upgrade(alice, old, '12')
    await test.services.memberships.join(bob, { room: trap, via: [] })
    await test.services.memberships.join(bob, { room: made, via: [] })
    for (const who of [alice, bob]) {
      await untilPasses(async () => {
        const rules = await pushRules.of(who.userId)
        expect(await accountData.get(who.userId, '', 'm.direct')).toEqual({
          [carol.userId]: ['!x:y', old, ...(who === alice ? [trap, made] : [made])],
        })
        expect(await accountData.tags(who.userId, made)).toEqual({ 'm.favourite': { order: 0.5 } })
        expect(rules.room.map((rule) => rule.rule_id)).toEqual(expect.arrayContaining([old, made]))
        expect(rules.override.find((rule) => rule.rule_id === made)).toMatchObject({
          enabled: false,
          conditions: [{ kind: 'event_match', key: 'room_id', pattern: made }],
        })
      })
    }
    expect(await accountData.tags(bob.userId, trap)).toEqual({})
  })
})

describe('an upgrade that is refused', () => {
  it('says why, and makes no room', async () => {
    const old = await create({ preset: 'public_chat' })
    await test.services.memberships.join(bob, { room: old, via: [] })
    const count = (await test.services.memberships.joinedRooms(alice.userId)).length
    expect(await refusal(upgrade(alice, old, '99'))).toMatch(/^M_UNSUPPORTED_ROOM_VERSION/)
    expect(await refusal(upgrade(alice, old, '__proto__'))).toMatch(/^M_UNSUPPORTED_ROOM_VERSION/)
    expect(await refusal(upgrade(alice, old, '12', ['nobody']))).toMatch(/^M_BAD_JSON/)
    expect(await refusal(upgrade({ ...alice, isSuspended: true }, old, '12'))).toMatch(/^M_USER_SUSPENDED/)
    expect(await refusal(upgrade(bob, old, '12'))).toMatch(/^M_FORBIDDEN/)
    expect(await refusal(upgrade(carol, old, '12'))).toBe(
      await refusal(upgrade(carol, '!nothing:ours.example', '12')),
    )
    expect((await stateOf(old))['m.room.tombstone|']).toBeUndefined()
    expect(await test.services.memberships.joinedRooms(alice.userId)).toHaveLength(count)
  })

  it('leaves the successor again where the old room refuses at the last moment', async () => {
    const old = await create({ preset: 'public_chat', room_version: '11', room_alias_name: 'race' })
    const count = (await test.services.memberships.joinedRooms(alice.userId)).length
    const { writer } = test.built.rooms.context
    const { create: make } = writer
    // Between the making of the new room and the end of the old one, the upgrader gives their power up.
    Object.assign(writer, {
      create: async (...args: Parameters<typeof make>) => {
        const done = await make(...args)
        const levels = (await stateOf(old))['m.room.power_levels|']!
        await setState(alice, old, 'm.room.power_levels', { ...levels, users: { [alice.userId]: 0 } })
        return done
      },
    })
    try {
      expect(await refusal(upgrade(alice, old, '12'))).toMatch(/^M_FORBIDDEN/)
    } finally {
      Object.assign(writer, { create: make })
    }
    expect(await test.services.memberships.joinedRooms(alice.userId)).toHaveLength(count)
    expect((await stateOf(old))['m.room.tombstone|']).toBeUndefined()
    expect((await test.services.aliases.resolve('#race:ours.example')).room_id).toBe(old)
  })

  it('happens once however often the client repeats it, and not twice at the same time', async () => {
    const old = await create({
      preset: 'public_chat',
      power_level_content_override: { users: { [bob.userId]: 200 } },
    })
    await test.services.memberships.join(bob, { room: old, via: [] })
    const [first, second, other] = await Promise.all([upgrade(alice, old, '12'), upgrade(alice, old, '12'), refusal(upgrade(bob, old, '12'))]) // prettier-ignore
    expect(second).toBe(first)
    expect(other).toMatch(/being upgraded/)
  })
})

describe('an upgrade that the end of the process cuts short', () => {
  /** Ends as a process would, at the so-manieth turn of the old room. */
  async function cutShort(roomId: string, newVersion: string, turn: number): Promise<void> {
    const { context } = test.built.rooms
    let turns = 0
    await new Promise<void>((resolve) => {
      const write: typeof context.writer.write = (id, job) => {
        if (id !== roomId || ++turns < turn) return context.writer.write(id, job)
        resolve()
        return new Promise(() => undefined)
      }
      const { memberships } = test.services
      const memberProfile = (): Promise<JsonObject> => Promise.resolve({ displayname: 'Alice' })
      const deps = {
        context: { ...context, writer: { ...context.writer, write } },
        memberships,
        memberProfile,
      }
      void createRoomUpgrades(deps).upgrade(alice, { roomId, newVersion })
    })
  }
  const left = (): Promise<unknown> => test.store.read('test', () => roomUpgrades(10))

  it.each([
    ['11', '12'],
    ['12', '11'],
  ])('is gone on with at the next start, from version %s to %s', async (from, to) => {
    const alias = `cut-short-${from}`
    const old = await create({
      ...everything,
      room_version: from,
      room_alias_name: alias,
      visibility: 'public',
    })
    await test.services.memberships.ban(alice, { roomId: old, userId: '@eve:elsewhere.example' })
    await cutShort(old, to, 2)
    expect((await stateOf(old))['m.room.tombstone|']).toBeUndefined()
    expect(await left()).toHaveLength(1)
    await test.services.roomUpgrades.resume()
    const successor = (await stateOf(old))['m.room.tombstone|']!['replacement_room'] as string
    expect(await stateOf(successor)).toMatchObject({
      'm.room.name|': { name: 'The council' },
      'm.room.member|@eve:elsewhere.example': { membership: 'ban' },
    })
    const resolved = await test.services.aliases.resolve(`#${alias}:${alice.userId.split(':')[1]!}`)
    expect(resolved.room_id).toBe(successor)
    expect(await left()).toEqual([])
    // What is over is not begun again.
    await test.services.roomUpgrades.resume()
    expect((await stateOf(old))['m.room.tombstone|']!['replacement_room']).toBe(successor)
  })

  it('is forgotten where the new room was never made', async () => {
    const old = await create({ room_version: '11' })
    await test.store.write('test', () =>
      putRoomUpgrade({
        room_id: old,
        successor: '!none:x.example',
        upgrader: alice.userId,
        creators: '[]',
        tombstone: '{}',
      }),
    )
    await test.services.roomUpgrades.resume()
    expect(await left()).toEqual([])
    expect((await stateOf(old))['m.room.tombstone|']).toBeUndefined()
  })
})
