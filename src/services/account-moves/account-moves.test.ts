import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { ACCESS_RULES } from '../../core/access-rules/room-access.js'
import {
  ACCOUNT_MOVE,
  certificateOf,
  readCertificate,
  signCertificate,
} from '../../core/account-move/move-certificate.js'
import type { JsonObject } from '../../core/json/value.js'
import { roomVersion } from '../../core/room-version/versions.js'
import { profileOf } from '../../storage/tables/profiles.js'
import { userById } from '../../storage/tables/users.js'
import type { CreateRoomInput } from '../rooms/create-room-input.js'
import { requesterOf } from '../requester.js'
import { as } from '../replication/testing/handshakes.js'
import { createMoveWorld, type MoveNode, type MoveWorld } from './testing.js'

const SOURCE = 'finances.example'
const TARGET = 'interieur.example'
const THIRD = 'justice.example'
const OLD = `@ana:${SOURCE}`
const NEW = `@ana.dupont:${TARGET}`
const PEER = `@bo:${SOURCE}`

let world: MoveWorld
let source: MoveNode
let target: MoveNode
beforeEach(async () => {
  world = createMoveWorld({ isExternalServer: (server) => server === 'partners.example' })
  source = await world.node(SOURCE)
  target = await world.node(TARGET)
  await source.user('ana')
  await source.user('bo')
  await target.user('ana.dupont')
})
afterEach(() => world.close())

const create = async (user: string, input: CreateRoomInput, node = source): Promise<string> =>
  (await node.node.creation.create(as(user), input)).room_id
const ruled = (rule: string, more: Partial<CreateRoomInput> = {}): CreateRoomInput => ({
  preset: rule === 'direct' ? 'trusted_private_chat' : 'private_chat',
  room_version: '11',
  initial_state: [{ type: ACCESS_RULES.type, content: { rule } }],
  ...(rule === 'direct' ? { is_direct: true } : {}),
  ...more,
})
async function enter(user: string, roomId: string, by: string): Promise<void> {
  await source.node.memberships.invite(as(by), { roomId, userId: user })
  await source.node.memberships.join(as(user), { room: roomId, via: [] })
}
const contentOf = async (
  node: MoveNode,
  roomId: string,
  type: string,
  key = '',
): Promise<JsonObject | undefined> => {
  const id = (await node.node.state(roomId)).get(`${type}|${key}`)
  return id === undefined ? undefined : (await node.node.context.events.byId(id))?.event.content
}
const membership = async (roomId: string, user: string, node = source): Promise<string | undefined> =>
  (await node.node.membership(roomId, user))?.membership
async function messages(roomId: string): Promise<JsonObject[]> {
  const rows = await source.store.read('test', function* () {
    const result = yield {
      sql: "SELECT e.json FROM events e JOIN rooms r ON r.nid = e.room_nid WHERE e.type = 'm.room.message' AND r.room_id = ?",
      params: [roomId],
      kind: 'rows',
    }
    return result.rows as readonly { json: string }[]
  })
  return rows.map(({ json }) => (JSON.parse(json) as { content: JsonObject }).content)
}
const step = async (node: MoveNode, user: string): Promise<string | undefined> =>
  (await node.moves.status(user))[0]?.step
const isDone = async (): Promise<boolean> =>
  (await step(source, OLD)) === 'done' && (await step(target, NEW)) === 'done'
const order = { oldUser: OLD, newUser: NEW, reason: 'by decree 7' }
async function move(): Promise<void> {
  await target.moves.expect(OLD, NEW)
  await source.moves.order(order)
  await world.until('the move is done', isDone)
}
const data = (node: MoveNode, user: string, type: string, room = ''): Promise<JsonObject | undefined> =>
  node.accountData.get(user, room, type).catch(() => undefined)
const acts = async (
  node: MoveNode,
): Promise<{ act: string; by: JsonObject; details: JsonObject; reason?: string }[]> =>
  (await node.audit.entries(0, 1_000)).map(({ entry }) => JSON.parse(entry) as never)
const SECRET = { encrypted: { k1: { iv: 'a', ciphertext: 'b', mac: 'c' } } }
const session = (n: number): JsonObject => ({
  first_message_index: n,
  forwarded_count: 0,
  is_verified: true,
  session_data: { ciphertext: `key ${n}` },
})

/** What somebody has who has been there for a while. */
async function furnish(): Promise<{ team: string; direct: string }> {
  const team = await create(OLD, ruled('restricted', { name: 'Budget' }))
  await enter(PEER, team, OLD)
  const direct = await create(OLD, ruled('direct', { invite: [PEER] }))
  await source.node.memberships.join(as(PEER), { room: direct, via: [] })
  const set = (type: string, content: JsonObject, room = ''): Promise<void> =>
    source.accountData.set(OLD, room, type, content)
  await set('m.direct', { [PEER]: [direct] })
  await set('m.tag', { tags: { 'm.favourite': { order: 0.5 } } }, team)
  await set('m.cross_signing.master', SECRET)
  await set('m.megolm_backup.v1', SECRET)
  await set('m.secret_storage.key.k1', { algorithm: 'm.secret_storage.v1.aes-hmac-sha2' })
  await set('m.secret_storage.key.k2', { algorithm: 'm.secret_storage.v1.aes-hmac-sha2' })
  await set('m.secret_storage.default_key', { key: 'k1' })
  await set('com.example.note', { text: 'x' })
  await source.profile.setManaged(OLD, 'displayname', 'Ana')
  await source.profile.setManaged(OLD, 'com.example.office', 'B 12')
  const { version } = await source.keyBackup.createVersion(OLD, 'm.megolm_backup.v1.curve25519-aes-sha2', {
    public_key: 'p',
  })
  const sessions = Object.fromEntries(Array.from({ length: 250 }, (_, n) => [`s${n}`, session(n)]))
  await source.keyBackup.put(OLD, version, {}, { rooms: { [team]: { sessions } } })
  return { team, direct }
}

describe('somebody who changes ministry', () => {
  it('goes on with the new account in the rooms, with the power, and the old one points to it and is locked', async () => {
    const { team, direct } = await furnish()
    await move()
    expect(await membership(team, NEW)).toBe('join')
    expect(await membership(direct, NEW)).toBe('join')
    expect(await membership(team, NEW, target)).toBe('join')
    const { users } = (await contentOf(source, team, 'm.room.power_levels')) as { users: JsonObject }
    expect(users).toEqual({ [NEW]: 100 })
    expect((await source.store.read('test', () => userById(OLD)))?.locked).toBe(1)
    const profile = await source.profile.queryLocal(OLD, undefined, { kind: 'stranger' } as never)
    expect(profile['org.chancery.moved_to']).toBe(NEW)
    expect(await source.moves.movedTo(OLD)).toBe(NEW)
    expect(await source.moves.movedTo(PEER)).toBeUndefined()
  })

  it('takes along profile, account data, push rules and the key backup, and leaves other secrets behind', async () => {
    const { team, direct } = await furnish()
    await target.profile.setManaged(NEW, 'displayname', 'Ana Dupont [Intérieur]')
    await target.accountData.set(NEW, '', 'm.direct', { '@cem:x.example': ['!other:x.example'] })
    await target.accountData.set(NEW, '', 'com.example.note', { text: 'own' })
    await move()
    const fields = await target.store.read('test', () => profileOf(NEW))
    expect(
      Object.fromEntries(fields.map(({ field, value }) => [field, JSON.parse(value) as string])),
    ).toEqual({
      displayname: 'Ana Dupont [Intérieur]',
      'com.example.office': 'B 12',
    })
    expect(await data(target, NEW, 'm.direct')).toEqual({
      '@cem:x.example': ['!other:x.example'],
      [PEER]: [direct],
    })
    expect(await data(target, NEW, 'm.tag', team)).toEqual({ tags: { 'm.favourite': { order: 0.5 } } })
    expect(await data(target, NEW, 'com.example.note')).toEqual({ text: 'own' })
    expect(await data(target, NEW, 'm.megolm_backup.v1')).toEqual(SECRET)
    expect(await data(target, NEW, 'm.secret_storage.key.k1')).toBeDefined()
    expect(await data(target, NEW, 'm.secret_storage.default_key')).toEqual({ key: 'k1' })
    for (const type of ['m.secret_storage.key.k2', 'm.cross_signing.master'])
      expect(await data(target, NEW, type)).toBeUndefined()
    const backup = await target.keyBackup.version(NEW)
    expect([backup.algorithm, backup.auth_data, backup.count]).toEqual([
      'm.megolm_backup.v1.curve25519-aes-sha2',
      { public_key: 'p' },
      250,
    ])
    expect(await target.keyBackup.session(NEW, backup.version, team, 's249')).toEqual(session(249))
  })

  it('keeps a key backup of the new account, and takes no secret of the old one then', async () => {
    await furnish()
    const own = await target.keyBackup.createVersion(NEW, 'm.megolm_backup.v1.curve25519-aes-sha2', {
      public_key: 'q',
    })
    await move()
    const backup = await target.keyBackup.version(NEW)
    expect([backup.version, backup.count]).toEqual([own.version, 0])
    for (const type of ['m.megolm_backup.v1', 'm.secret_storage.key.k1', 'm.secret_storage.default_key'])
      expect(await data(target, NEW, type)).toBeUndefined()
  })

  it('is announced in words, once, where anybody could read them; elsewhere the invite has them', async () => {
    const open = await create(PEER, ruled('restricted', { visibility: 'public', preset: 'public_chat' }))
    await source.node.memberships.join(as(OLD), { room: open, via: [] })
    const { team } = await furnish()
    await move()
    expect(await messages(open)).toEqual([
      expect.objectContaining({ msgtype: 'm.notice', body: expect.stringContaining(`goes on as ${NEW}`) }),
    ])
    expect(await messages(team)).toEqual([])
    const invites = await source.store.read('test', function* () {
      const result = yield {
        sql: "SELECT json FROM events WHERE type = 'm.room.member' AND json LIKE '%goes on with this account%'",
        params: [],
        kind: 'rows',
      }
      return result.rows
    })
    expect(invites.length).toBeGreaterThanOrEqual(2)
  })

  it('is told in the audit logs of both nodes, with the order and its reason', async () => {
    await furnish()
    await move()
    const steps = async (node: MoveNode): Promise<unknown[]> =>
      (await acts(node)).filter(({ act }) => act === 'account.moved').map(({ details }) => details['step'])
    expect(await steps(source)).toEqual([
      'ordered',
      'certified',
      'taken',
      'rooms',
      'closing',
      'telling',
      'done',
    ])
    expect(await steps(target)).toEqual([
      'expected',
      'certified',
      'reading',
      'received',
      'joining',
      'finished',
      'done',
    ])
    const [ordered] = await acts(source)
    expect(ordered).toMatchObject({
      by: { kind: 'operator' },
      reason: 'by decree 7',
      details: { consent: false },
    })
    expect((await acts(source)).map(({ act }) => act)).toContain('account.locked')
  })

  it('may be asked instead, and says yes to this very account, or no', async () => {
    await target.moves.expect(OLD, NEW)
    await source.moves.order({ ...order, reason: undefined })
    await world.until('nothing happens', () => Promise.resolve(world.ahead > 600_000))
    expect(await step(source, OLD)).toBe('asked')
    expect((await source.moves.own(OLD)).newUser).toBe(NEW)
    for (const [who, where] of [
      [OLD, `@eve:${TARGET}`],
      [PEER, NEW],
    ] as const)
      await expect(source.moves.consent(who, where)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
    await source.moves.consent(OLD, NEW)
    await world.until('the move is done', isDone)
    expect((await acts(source))[1]).toMatchObject({
      by: { kind: 'user', id: OLD },
      details: { step: 'ordered', consent: true },
    })
  })

  it('who says no stays, and can be asked again', async () => {
    await source.moves.order({ ...order, reason: undefined })
    await source.moves.decline(OLD)
    expect(await step(source, OLD)).toBe('cancelled')
    await expect(source.moves.consent(OLD, NEW)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
    await source.moves.order({ ...order, reason: undefined })
    expect(await step(source, OLD)).toBe('asked')
  })

  it('leaves no order of an operator by themselves', async () => {
    await source.moves.order(order)
    await expect(source.moves.decline(OLD)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await source.moves.cancel(OLD)
    expect(await step(source, OLD)).toBe('cancelled')
  })

  it('is not moved twice, nor back into a move under way', async () => {
    await move()
    await expect(source.moves.order(order)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await expect(source.moves.cancel(OLD)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
  })

  it('is told what stays behind, before and after', async () => {
    const closed = await create(PEER, ruled('restricted', { name: 'Closed' }))
    await enter(OLD, closed, PEER)
    const made = await create(OLD, ruled('restricted', { name: 'Mine', room_version: '12' }))
    const weak = await create(PEER, ruled('direct', { preset: 'private_chat', invite: [OLD] }))
    await source.node.memberships.join(as(OLD), { room: weak, via: [] })
    const before = await source.moves.report(OLD, NEW)
    expect(before).toMatchObject({ rooms: 3, encrypted: 3, backup: undefined })
    expect(before.outside.map(({ roomId, name }) => [roomId, name])).toEqual(
      expect.arrayContaining([
        [closed, 'Closed'],
        [weak, undefined],
      ]),
    )
    expect(before.powersBehind.map(({ roomId }) => roomId)).toEqual([made])
    expect(await step(source, OLD)).toBeUndefined()
    await move()
    const [status] = await source.moves.status(OLD)
    expect(status!.rooms).toEqual({ moved: 1, left: 2 })
    expect(new Set(status!.remarks.map(({ roomId }) => roomId))).toEqual(new Set([closed, made, weak]))
    const { users } = (await contentOf(source, made, 'm.room.power_levels')) as { users: JsonObject }
    expect(users[NEW]).toBe(150)
  })
})

describe('a room of version 12', () => {
  it('is replaced by one that both accounts have made, where that is configured', async () => {
    await world.close()
    world = createMoveWorld()
    source = await world.node(SOURCE, { upgradeRooms: true })
    target = await world.node(TARGET)
    await source.user('ana')
    await target.user('ana.dupont')
    const made = await create(OLD, ruled('restricted', { room_version: '12' }))
    await move()
    const { replacement_room: replacement } = (await contentOf(source, made, 'm.room.tombstone')) as {
      replacement_room: string
    }
    expect((await contentOf(source, replacement, 'm.room.create'))!['additional_creators']).toEqual([NEW])
    expect(roomVersion('12')!.creator).toBe('privileged')
    expect(await membership(replacement, NEW)).toBe('join')
    expect(await membership(made, NEW)).toBeUndefined()
  })
})

describe('an order', () => {
  it.each<[string, Partial<typeof order>]>([
    ['to an account of the same node', { newUser: PEER }],
    ['to a server that is no member', { newUser: '@ana:elsewhere.example' }],
    ['to what is no user', { newUser: 'ana' }],
    ['for somebody who is not there', { oldUser: `@nobody:${SOURCE}` }],
    ['for an account of another node', { oldUser: NEW, newUser: NEW }],
  ])('is not taken %s', async (_what, change) => {
    await expect(source.moves.order({ ...order, ...change })).rejects.toMatchObject({
      errcode: expect.stringMatching(/^M_(INVALID_PARAM|NOT_FOUND)$/),
    })
    expect(await source.moves.status()).toEqual([])
    expect(await acts(source)).toEqual([])
  })

  it('is not taken for administrators, nor to nodes for external people', async () => {
    const root = await source.user('root', { isAdmin: true })
    await expect(source.moves.order({ ...order, oldUser: root })).rejects.toMatchObject({
      errcode: 'M_INVALID_PARAM',
    })
    await world.node('partners.example')
    const external = { ...order, newUser: '@ana:partners.example' }
    await expect(source.moves.order(external)).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
  })

  it('is not waited for by an account that is not there, or that moves already', async () => {
    await expect(target.moves.expect(OLD, `@nobody:${TARGET}`)).rejects.toMatchObject({
      errcode: 'M_INVALID_PARAM',
    })
    await target.moves.expect(OLD, NEW)
    await expect(target.moves.expect(OLD, NEW)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await target.moves.cancel(NEW)
    await target.moves.expect(OLD, NEW)
  })

  it('runs out where the other node never waits for it, and changes nothing', async () => {
    const { team } = await furnish()
    await source.moves.order(order)
    await world.until('it has run out', async () => {
      world.ahead += 12 * 3_600_000
      return (await step(source, OLD)) === 'expired'
    })
    expect(await membership(team, NEW)).toBeUndefined()
    expect((await source.store.read('test', () => userById(OLD)))?.locked).toBe(0)
    expect(await source.moves.movedTo(OLD)).toBeUndefined()
  })
})

describe('a member node that is not honest', () => {
  const certificate = (more: object = {}): JsonObject => {
    const now = Date.now()
    return certificateOf({
      oldUser: OLD,
      newUser: NEW,
      source: SOURCE,
      target: TARGET,
      nonce: 'n'.repeat(43),
      issuedAt: now,
      notAfter: now + 600_000,
      ...more,
    })
  }
  const signed = (json: JsonObject, node: MoveNode): JsonObject => signCertificate(json, node.node.signer)
  const nonceOf = (bodies: readonly JsonObject[]): string =>
    bodies.map((body) => readCertificate(body['certificate'])?.nonce).find((nonce) => nonce !== undefined)!

  it('gets no bundle of somebody who was not ordered, with whatever nonce', async () => {
    await furnish()
    for (const nonce of ['', 'n'.repeat(43), '__proto__'])
      await expect(source.moves.part(TARGET, nonce, undefined)).rejects.toMatchObject({
        errcode: 'M_NOT_FOUND',
      })
    const bodies: JsonObject[] = []
    world.intercept = (_from, request, answer) => {
      bodies.push(request.body!)
      return answer()
    }
    await source.moves.order(order)
    await source.moves.run()
    await expect(source.moves.part(TARGET, nonceOf(bodies), undefined)).rejects.toMatchObject({
      errcode: 'M_NOT_FOUND',
    })
    expect(await step(source, OLD)).toBe('ordered')
  })

  it('reads the bundle neither in the place of another, nor once it was taken', async () => {
    await furnish()
    await world.node(THIRD)
    const requests: { from: string; nonce: string; answer: JsonObject }[] = []
    world.intercept = async (from, request, answer) => {
      const found = await answer()
      if (request.path.endsWith('bundle'))
        requests.push({ from, nonce: request.body!['nonce'] as string, answer: found })
      if (request.path.endsWith('bundle'))
        await expect(
          source.moves.part(THIRD, request.body!['nonce'] as string, undefined),
        ).rejects.toMatchObject({
          errcode: 'M_NOT_FOUND',
        })
      return found
    }
    await move()
    expect(requests.length).toBeGreaterThan(3)
    expect(JSON.stringify(requests)).not.toContain('m.megolm_backup')
    await expect(source.moves.part(TARGET, requests[0]!.nonce, undefined)).rejects.toMatchObject({
      errcode: 'M_NOT_FOUND',
    })
    await expect(source.moves.progress(THIRD, requests[0]!.nonce, 'received')).rejects.toMatchObject({
      errcode: 'M_NOT_FOUND',
    })
  })

  it('offers nobody who is not waited for, for somebody else, or another day', async () => {
    await target.moves.expect(OLD, NEW)
    const third = await world.node(THIRD)
    const refused = async (from: string, json: JsonObject): Promise<void> => {
      await expect(target.moves.offer(from, json)).rejects.toBeInstanceOf(Error)
      expect(await step(target, NEW)).toBe('expected')
    }
    const now = Date.now()
    await refused(SOURCE, certificate())
    await refused(SOURCE, signed(certificate(), third))
    await refused(THIRD, signed(certificate(), source))
    await refused(THIRD, signed(certificate({ source: THIRD, oldUser: `@ana:${THIRD}` }), third))
    await refused(SOURCE, signed(certificate({ oldUser: PEER }), source))
    await refused(SOURCE, signed(certificate({ newUser: `@eve:${TARGET}` }), source))
    await refused(SOURCE, signed(certificate({ issuedAt: now - 1_000, notAfter: now - 1 }), source))
    await refused(
      SOURCE,
      signed(certificate({ issuedAt: now + 3_600_000, notAfter: now + 7_200_000 }), source),
    )
    await refused(SOURCE, {})
    await target.moves.offer(SOURCE, signed(certificate(), source))
    expect(await step(target, NEW)).toBe('certified')
  })

  it('gets a certificate signed once: not for the next move, and not under its nonce for another', async () => {
    const offers: JsonObject[] = []
    world.intercept = (_from, request, answer) => {
      if (request.path.endsWith('offer')) offers.push(request.body!['certificate'] as JsonObject)
      return answer()
    }
    await move()
    await expect(target.moves.offer(SOURCE, offers[0]!)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
    const { nonce } = readCertificate(offers[0])!
    const other = signed(certificate({ nonce, oldUser: PEER }), source)
    await target.user('bo')
    await target.moves.expect(PEER, `@bo:${TARGET}`)
    await expect(target.moves.offer(SOURCE, other)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
  })

  it('signs something else than it was asked, or nothing, and gets nothing', async () => {
    const { team } = await furnish()
    await target.moves.expect(OLD, NEW)
    await source.moves.order(order)
    let round = 0
    world.intercept = async (_from, request, answer) => {
      if (!request.path.endsWith('offer')) return answer()
      const good = await answer()
      const asked = request.body!['certificate'] as JsonObject
      const lies: JsonObject[] = [
        {},
        { ...good, certificate: asked },
        { ...good, certificate: signed(signed(certificate(), source), target) },
        { ...good, key: { ...(good['key'] as JsonObject), key: 'A'.repeat(43) } },
        { certificate: good['certificate']! },
      ]
      return lies[round++ % lies.length]!
    }
    await world.until('it has lied enough', () => Promise.resolve(round >= 5))
    expect(await step(source, OLD)).toBe('ordered')
    expect(await membership(team, NEW)).toBeUndefined()
    world.intercept = (_from, _request, answer) => answer()
    await world.until('the move is done', isDone)
  })

  it('lies about rooms, and nobody is drawn into them', async () => {
    const { team } = await furnish()
    const trap = await create(PEER, ruled('restricted', { preset: 'public_chat', visibility: 'public' }))
    await source.node.memberships.invite(as(PEER), { roomId: trap, userId: NEW })
    await move()
    // Who invited is somebody else than the old account.
    expect(await membership(trap, NEW, target)).toBe('invite')
    expect(await membership(team, NEW, target)).toBe('join')
  })

  it('gives a bundle that is none, too much of it, or that of another, and the new account is not changed by it', async () => {
    await target.moves.expect(OLD, NEW)
    await source.moves.order(order)
    const lies: JsonObject[] = [
      {},
      { sealed: 7 },
      { sealed: 'AAAA' },
      { sealed: '*' },
      { sealed: 'A'.repeat(400) },
    ]
    let round = 0
    world.intercept = (_from, request, answer) =>
      request.path.endsWith('bundle') ? Promise.resolve(lies[round++ % lies.length]!) : answer()
    await world.until('it has lied enough', () => Promise.resolve(round >= 6))
    expect(await step(target, NEW)).toBe('certified')
    expect(await target.store.read('test', () => profileOf(NEW))).toEqual([])
  })

  it('ties a third person to a direct conversation with a certificate for somebody else', async () => {
    const { direct } = await furnish()
    await move()
    const known = (await contentOf(source, direct, ACCOUNT_MOVE, OLD))!
    expect(readCertificate(known)).toMatchObject({ oldUser: OLD, newUser: NEW })
    const eve = `@eve:${TARGET}`
    await target.user('eve')
    const state = (by: string, content: JsonObject): Promise<unknown> =>
      source.node.sending.state(requesterOf(by), {
        roomId: direct,
        type: ACCOUNT_MOVE,
        stateKey: by,
        content,
      })
    for (const content of [known, signed(signed(certificate({ newUser: eve }), source), target)])
      await expect(state(PEER, content)).rejects.toMatchObject({ extra: { reason: 'access.move' } })
    // With a certificate for yet another account, whose power it has given away besides.
    await expect(
      state(OLD, signed(signed(certificate({ newUser: eve }), source), target)),
    ).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await expect(
      source.node.memberships.invite(as(PEER), { roomId: direct, userId: eve }),
    ).rejects.toMatchObject({ extra: { reason: 'access.direct.third' } })
  })
})

describe('a node that is killed', () => {
  /** What there is in the end, whatever happened. */
  async function outcome(rooms: { team: string; direct: string }): Promise<unknown> {
    const backup = await target.keyBackup.version(NEW)
    return {
      steps: [await step(source, OLD), await step(target, NEW)],
      rooms: [await membership(rooms.team, NEW), await membership(rooms.direct, NEW)],
      levels: ((await contentOf(source, rooms.team, 'm.room.power_levels')) as { users: JsonObject }).users,
      keys: [backup.version, backup.count],
      tag: await data(target, NEW, 'm.tag', rooms.team),
      locked: (await source.store.read('test', () => userById(OLD)))?.locked,
      moved: await source.moves.movedTo(OLD),
      locks: (await acts(source)).filter(({ act }) => act === 'account.locked').length,
      told: (await acts(source)).filter(({ act }) => act === 'account.moved').length,
    }
  }
  const expected = {
    steps: ['done', 'done'],
    rooms: ['join', 'join'],
    levels: { [NEW]: 100 },
    keys: ['1', 250],
    tag: { tags: { 'm.favourite': { order: 0.5 } } },
    locked: 1,
    moved: NEW,
    locks: 1,
    told: 7,
  }

  const when = ['after-first', 'before-second'] as const
  it.each(
    when.flatMap((dies) => [
      [['source'], dies] as const,
      [['target'], dies] as const,
      [['source', 'target'], dies] as const,
    ]),
  )('again and again, %j, at every write (%s), ends up where it would have', async (sides, dies) => {
    const rooms = await furnish()
    await target.moves.expect(OLD, NEW)
    await source.moves.order(order)
    for (const side of sides) (side === 'source' ? source : target).dies = dies
    await world.until('the move is done', isDone)
    expect(await outcome(rooms)).toEqual(expected)
    for (const side of sides) expect((side === 'source' ? source : target).deaths).toBeGreaterThanOrEqual(7)
  })
})
