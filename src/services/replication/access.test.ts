import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { AccessPolicy } from '../../core/access-rules/access-policy.js'
import type { JsonObject } from '../../core/json/value.js'
import { until } from '../../platform/testing-until.js'
import { accessVerdictOf } from '../../storage/tables/access-verdicts.js'
import type { CreateRoomInput } from '../rooms/create-room-input.js'
import { as, createWorld, type HandshakeNode, type World } from './testing/handshakes.js'
import { addNode, createNetwork, type Network, type TestNode } from './testing/network.js'

const policy: AccessPolicy = {
  isExternalServer: (server) => server === 'partners.example',
  bypasses: () => false,
}
const ANA = '@ana:finances.example'
const BO = '@bo:interieur.example'
const CEM = '@cem:interieur.example'
const EVE = '@eve:partners.example'
const MAL = '@mal:rogue.example'

const ruled = (rule: string, more: Partial<CreateRoomInput> = {}): CreateRoomInput => ({
  preset: 'private_chat',
  initial_state: [{ type: 'im.vector.room.access_rules', content: { rule } }],
  ...more,
})
const refusedBy = (reason: string) => ({ errcode: 'M_FORBIDDEN', extra: { reason } })

describe('rooms of a circle, in handshakes', () => {
  let world: World
  let finances: HandshakeNode
  let interieur: HandshakeNode
  let partners: HandshakeNode
  beforeEach(async () => {
    world = createWorld()
    finances = await world.node('finances.example', policy)
    interieur = await world.node('interieur.example', policy)
    partners = await world.node('partners.example', policy)
  })
  afterEach(() => world.close())

  const create = async (input: CreateRoomInput): Promise<string> =>
    (await finances.creation.create(as(ANA), input)).room_id
  const invite = (roomId: string, userId: string) => finances.memberships.invite(as(ANA), { roomId, userId })
  const join = (node: HandshakeNode, userId: string, roomId: string, via = ['finances.example']) =>
    node.memberships.join(as(userId), { room: roomId, via })
  const set = (roomId: string, type: string, content: JsonObject) =>
    finances.sending.state(as(ANA), { roomId, type, stateKey: '', content })
  /** The external node, as one that has forgotten the rules. */
  async function lawlessPartners(): Promise<HandshakeNode> {
    await partners.server.close()
    await partners.store.close()
    world.nodes.delete(partners.name)
    return world.node(partners.name)
  }
  const contentOf = async (node: HandshakeNode, roomId: string, key: string) => {
    const id = (await node.state(roomId)).get(key)
    return id === undefined ? undefined : (await node.context.events.byId(id))?.event.content
  }

  it('are restricted unless they say otherwise, encrypted, and shown to those who are invited', async () => {
    const roomId = await create({})
    expect(await contentOf(finances, roomId, 'im.vector.room.access_rules|')).toEqual({
      rule: 'restricted',
      visibility: 'private',
    })
    expect(await contentOf(finances, roomId, 'm.room.encryption|')).toEqual({
      algorithm: 'm.megolm.v1.aes-sha2',
    })
    expect(await contentOf(finances, roomId, 'm.room.history_visibility|')).toEqual({
      history_visibility: 'invited',
    })
    expect(await contentOf(finances, roomId, 'm.room.power_levels|')).toMatchObject({
      invite: 50,
      state_default: 100,
    })
    await invite(roomId, BO)
    await join(interieur, BO, roomId)
    expect(await interieur.state(roomId)).toEqual(await finances.state(roomId))
    await expect(invite(roomId, EVE)).rejects.toMatchObject(refusedBy('access.external'))
    expect(world.log.filter((line) => line.includes('partners.example'))).toEqual([])
  })

  it('that are restricted let external people in neither by template nor by a join that they send', async () => {
    const roomId = await create(ruled('restricted', { preset: 'public_chat', visibility: 'public' }))
    await expect(join(partners, EVE, roomId)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    const path = `/_matrix/federation/v1/make_join/${encodeURIComponent(roomId)}/${encodeURIComponent(EVE)}?ver=12`
    expect(await finances.ask('partners.example', 'GET', path)).toMatchObject({
      status: 403,
      body: { errcode: 'M_FORBIDDEN', reason: 'access.external' },
    })
  })

  it('that are open take external people by invite, from either side, and say so in the invite', async () => {
    const roomId = await create(ruled('unrestricted'))
    await expect(join(partners, EVE, roomId)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await invite(roomId, EVE)
    await join(partners, EVE, roomId)
    expect(await partners.state(roomId)).toEqual(await finances.state(roomId))
    await expect(
      set(roomId, 'm.room.power_levels', { invite: 50, users: { [EVE]: 50 } }),
    ).rejects.toMatchObject(refusedBy('access.levels'))
  })

  it('refuse the invite of an external person to a room that shows no rule, whoever sends it', async () => {
    const rogue = await world.node('rogue.example')
    const { room_id: roomId } = await rogue.creation.create(as(MAL), { preset: 'private_chat' })
    await expect(rogue.memberships.invite(as(MAL), { roomId, userId: EVE })).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
    expect(await partners.membership(roomId, EVE)).toBeUndefined()
    await rogue.memberships.invite(as(MAL), { roomId, userId: BO })
  })

  it('are not made by external people, nor by others with them as creators', async () => {
    await expect(partners.creation.create(as(EVE), {})).rejects.toMatchObject(
      refusedBy('access.create.external'),
    )
    await expect(create({ creation_content: { additional_creators: [EVE] } })).rejects.toMatchObject(
      refusedBy('access.create.external'),
    )
    // Trust does not make a creator of an external person.
    const roomId = await create(
      ruled('direct', { preset: 'trusted_private_chat', is_direct: true, invite: [EVE] }),
    )
    expect(await contentOf(finances, roomId, 'm.room.create|')).not.toHaveProperty('additional_creators')
    await join(partners, EVE, roomId)
    await expect(invite(roomId, CEM)).rejects.toMatchObject(refusedBy('access.direct.third'))
  })

  it('that an external person has made are entered by nobody', async () => {
    const lawless = await world.node('lawless.example')
    const outlaw = await lawlessPartners()
    const { room_id: roomId } = await outlaw.creation.create(as(EVE), { preset: 'public_chat' })
    await expect(join(finances, ANA, roomId, ['partners.example'])).rejects.toMatchObject({})
    expect(await finances.membership(roomId, ANA)).toBeUndefined()
    await expect(outlaw.memberships.invite(as(EVE), { roomId, userId: BO })).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
    await join(lawless, '@l:lawless.example', roomId, ['partners.example'])
  })

  it('keep out of a state that is handed over whom they would not have let in', async () => {
    const rogue = await world.node('rogue.example')
    const { room_id: roomId } = await rogue.creation.create(as(MAL), {
      preset: 'public_chat',
      initial_state: [{ type: 'im.vector.room.access_rules', content: { rule: 'restricted' } }],
    })
    const outlaw = await lawlessPartners()
    await join(outlaw, EVE, roomId, ['rogue.example'])
    await join(interieur, BO, roomId, ['rogue.example'])
    const state = await interieur.state(roomId)
    expect(state.has(`m.room.member|${BO}`)).toBe(true)
    expect(state.has(`m.room.member|${EVE}`)).toBe(false)
    expect((await rogue.state(roomId)).has(`m.room.member|${EVE}`)).toBe(true)
  })

  it('are made by what goes together, and told what does not', async () => {
    const bad = (input: CreateRoomInput) =>
      expect(create(input)).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
    await bad(ruled('open'))
    await bad(ruled('direct'))
    await bad(ruled('restricted', { is_direct: true }))
    await bad(ruled('direct', { is_direct: true, preset: 'public_chat' }))
    await bad(ruled('unrestricted', { visibility: 'public' }))
    await bad({ power_level_content_override: { invite: 0 } })
    await bad({ power_level_content_override: { state_default: 50 } })
    await expect(
      create(
        ruled('unrestricted', {
          power_level_content_override: { users: { [EVE]: 100, [ANA]: 100 } },
          room_version: '11',
        }),
      ),
    ).rejects.toMatchObject(refusedBy('access.levels'))
  })

  it('are public, and without encryption, from their beginning or never', async () => {
    const forum = await create(ruled('restricted', { preset: 'public_chat', visibility: 'public' }))
    expect(await contentOf(finances, forum, 'm.room.encryption|')).toBeUndefined()
    await expect(set(forum, 'm.room.encryption', { algorithm: 'x' })).rejects.toMatchObject(
      refusedBy('access.encryption'),
    )
    const old = await roomOfBefore()
    await expect(
      set(old, 'im.vector.room.access_rules', { rule: 'restricted', visibility: 'public' }),
    ).rejects.toMatchObject(refusedBy('access.rule.late'))
    await set(old, 'im.vector.room.access_rules', { rule: 'restricted' })
  })

  /** A room of the time before there were rules. */
  async function roomOfBefore(): Promise<string> {
    const before = await world.node('before.example')
    const { room_id: roomId } = await before.creation.create(as('@b:before.example'), {
      preset: 'public_chat',
      room_version: '11',
      power_level_content_override: { users: { [ANA]: 100, '@b:before.example': 100 } },
    })
    await join(finances, ANA, roomId, ['before.example'])
    return roomId
  }
})

describe('rooms of a circle, beside a member that has forgotten the rules', () => {
  let network: Network
  let finances: TestNode
  let interieur: TestNode
  let rogue: TestNode
  let roomId: string
  beforeEach(async () => {
    network = createNetwork()
    finances = await addNode(network, 'finances.example', { access: policy })
    interieur = await addNode(network, 'interieur.example', { access: policy })
    rogue = await addNode(network, 'rogue.example')
    roomId = await finances.createRoom(ANA, {
      preset: 'public_chat',
      room_version: '11',
      power_level_content_override: { users: { [ANA]: 100, [MAL]: 100 } },
    })
    await interieur.join(BO, roomId, 'finances.example')
    await rogue.join(MAL, roomId, 'finances.example')
    await network.settle()
  })
  afterEach(() => network.close())

  /** Everybody who holds to the rules has the message, and none of what was refused. */
  async function seesOnly(message: string, refused: string, rule: string): Promise<void> {
    for (const node of [finances, interieur]) {
      await until(async () => (await node.context.events.byId(message)) !== undefined)
      const stored = await node.context.events.byId(message)
      expect([stored?.rejected, stored?.softFailed]).toEqual([undefined, false])
      const judged = await node.context.events.byId(refused)
      expect(judged?.rejected).toBe(rule)
      const verdict = await node.store.read('test', () => accessVerdictOf(judged!.nid))
      expect(verdict).toEqual({ rule, sequence: null })
      expect([...(await node.stateOf(roomId)).values()]).not.toContain(refused)
    }
    expect(await finances.stateOf(roomId)).toEqual(await interieur.stateOf(roomId))
  }

  it.each([
    ['m.room.member', EVE, { membership: 'invite' }, 'access.external'],
    ['im.vector.room.access_rules', '', { rule: 'direct', visibility: 'private' }, 'access.rule.change'],
    ['im.vector.room.access_rules', '', {}, 'access.rule.unknown'],
  ] as const)(
    'refuse %s of %j, and take what is said on top of it',
    async (type, stateKey, content, rule) => {
      const refused = await rogue.state(MAL, roomId, type, stateKey, content)
      expect([...(await rogue.stateOf(roomId)).values()]).toContain(refused)
      const message = await rogue.send(MAL, roomId, 'an innocent word')
      await seesOnly(message, refused, rule)
    },
  )

  it('refuse the power of external people in an open room, and what stands on it', async () => {
    await finances.state(ANA, roomId, 'm.room.power_levels', '', {
      users: { [ANA]: 100, [MAL]: 100 },
      invite: 50,
    })
    const rule = { rule: 'unrestricted', visibility: 'private' }
    await finances.state(ANA, roomId, 'im.vector.room.access_rules', '', rule)
    await network.settle()
    const refused = await rogue.state(MAL, roomId, 'm.room.power_levels', '', {
      users: { [ANA]: 100, [MAL]: 100, [EVE]: 50 },
      invite: 50,
    })
    // It names the refused levels as those that let it be said.
    const relying = await rogue.send(MAL, roomId, 'by my new levels')
    for (const node of [finances, interieur]) {
      await until(async () => (await node.context.events.byId(relying)) !== undefined)
      expect((await node.context.events.byId(refused))?.rejected).toBe('access.levels')
      expect((await node.context.events.byId(relying))?.rejected).toBe('auth_events.rejected')
      expect([...(await node.stateOf(roomId)).values()]).not.toContain(refused)
    }
    const message = await interieur.send(BO, roomId, 'an innocent word')
    await until(async () => (await finances.context.events.byId(message)) !== undefined)
    expect((await finances.context.events.byId(message))?.rejected).toBeUndefined()
    expect(await finances.stateOf(roomId)).toEqual(await interieur.stateOf(roomId))
  })

  it('do not let an external person speak who was let in elsewhere', async () => {
    const outlaw = await addNode(network, 'partners.example')
    await outlaw.join(EVE, roomId, 'rogue.example')
    const said = await outlaw.send(EVE, roomId, 'hello')
    const message = await rogue.send(MAL, roomId, 'an innocent word')
    const joined = (await rogue.stateOf(roomId)).get(`m.room.member|${EVE}`)!
    await seesOnly(message, joined, 'access.external')
    for (const node of [finances, interieur]) {
      const heard = await node.context.events.byId(said)
      expect(heard === undefined || heard.rejected !== undefined).toBe(true)
    }
    expect((await finances.stateOf(roomId)).has(`m.room.member|${EVE}`)).toBe(false)
  })
})
