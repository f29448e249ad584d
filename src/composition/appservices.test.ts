import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../core/json/value.js'
import { systemClock } from '../platform/clock.js'
import { silentLogger } from '../platform/logger.js'
import { beginAppservices } from '../services/appservices/begin.js'
import { createAppserviceRegistry } from '../services/appservices/registry.js'
import { startAppservice, type TestAppservice } from '../services/appservices/testing-appservice.js'
import type { Requester } from '../services/requester.js'
import { allocatePosition } from '../storage/tables/positions.js'
import { all, many } from '../storage/tx.js'
import { testServices, TEST_SERVER, type TestServices } from './testing.js'

const REGISTRATION = {
  id: 'irc',
  as_token: 'as_secret',
  hs_token: 'hs_secret',
  sender_localpart: 'ircbot',
  receive_ephemeral: true,
  'org.matrix.msc3202': true,
  protocols: ['irc'],
  namespaces: {
    users: [{ exclusive: true, regex: '@irc_.*' }],
    aliases: [{ exclusive: true, regex: '#irc_.*' }],
    rooms: [],
  },
}

let folder: string
let as: TestAppservice
let node: TestServices
let alice: Requester
const BOT = `@ircbot:${TEST_SERVER}`

async function start(more: JsonObject = {}): Promise<void> {
  folder = mkdtempSync(join(tmpdir(), 'chancery-as-'))
  as = await startAppservice()
  writeFileSync(join(folder, 'irc.yaml'), JSON.stringify({ ...REGISTRATION, url: as.url, ...more }))
  node = await testServices({ appservices: [join(folder, 'irc.yaml')] })
  node.built.appservices.start()
  alice = await node.user('alice')
}
beforeEach(() => start())
afterEach(async () => {
  await node.close()
  await as.close()
  rmSync(folder, { recursive: true, force: true })
})

/** As the application service acts. */
const by = (userId: string): Requester => ({
  userId,
  deviceId: undefined,
  isGuest: false,
  isAdmin: false,
  isSuspended: false,
  appserviceId: 'irc',
})
let txn = 0
const say = (from: Requester, roomId: string, body: string): Promise<{ event_id: string }> =>
  node.services.sending.message(from, {
    roomId,
    type: 'm.room.message',
    content: { msgtype: 'm.text', body },
    txnId: String(++txn),
  })
async function room(...members: string[]): Promise<string> {
  const { roomCreation, memberships } = node.services
  const { room_id: roomId } = await roomCreation.create(alice, { preset: 'public_chat' })
  for (const userId of members) await memberships.join(by(userId), { room: roomId, via: [] })
  return roomId
}
// oxlint-disable-next-line typescript/no-explicit-any
const events = (): any[] => as.taken.flatMap(({ body }) => body.events)
const bodies = (): string[] => events().flatMap((event) => event.content.body ?? [])

describe('an application service', () => {
  it('is told in order of what happens in rooms of its users, and of no others', async () => {
    const elsewhere = await room()
    await say(alice, elsewhere, 'private')
    const roomId = await room(BOT)
    for (let i = 0; i < 5; i++) await say(alice, roomId, `m${i}`)
    await as.until(() => bodies().includes('m4'), 'm4')
    expect(bodies()).toEqual(['m0', 'm1', 'm2', 'm3', 'm4'])
    expect(events().every((event) => event.room_id === roomId)).toBe(true)
    expect(events()[0]).toMatchObject({ type: 'm.room.member', state_key: BOT, sender: BOT })
    expect(as.got.every(({ authorization }) => authorization === 'Bearer hs_secret')).toBe(true)
    expect(as.got[0]?.path).toMatch(/^\/_matrix\/app\/v1\/transactions\//)
  })

  it('is told of an invite of its user with the state of the room, and of what happens up to its leaving', async () => {
    const { roomCreation, memberships } = node.services
    const { room_id: roomId } = await roomCreation.create(alice, { name: 'Tea', invite: [BOT] })
    await as.until(() => events().length === 1, 'the invite')
    const [invite] = events()
    expect(invite).toMatchObject({ room_id: roomId, state_key: BOT, content: { membership: 'invite' } })
    expect(invite.unsigned.invite_room_state).toContainEqual(
      expect.objectContaining({ type: 'm.room.name', content: { name: 'Tea' } }),
    )
    await memberships.join(by(BOT), { room: roomId, via: [] })
    await Promise.all([
      say(alice, roomId, 'before'),
      memberships.leave(by(BOT), { roomId }),
      memberships.leave(by(BOT), { roomId }).catch(() => undefined),
    ])
    await say(alice, roomId, 'after')
    const last = await room(BOT)
    await as.until(() => events().some((event) => event.room_id === last), 'the next room')
    expect(bodies()).toEqual(['before'])
    expect(
      events().filter((event) => event.room_id === roomId && event.content.membership === 'leave'),
    ).toHaveLength(1)
  })

  it('gets a transaction again with the same id and body until it takes it, and after a restart', async () => {
    const roomId = await room(BOT)
    await as.until(() => events().length === 1, 'the join')
    as.answer(({ path }) => (path.includes('/transactions/') ? 'break' : undefined))
    const before = as.transactions.length
    await say(alice, roomId, 'lost')
    await as.until(() => as.transactions.length > before, 'the first attempt')
    const { id, text } = as.transactions[before]!
    await say(alice, roomId, 'later')
    await node.built.appservices.close()
    as.answer(() => undefined)
    const again = await node.restarted()
    again.appservices.start()
    await as.until(() => bodies().includes('later'), 'what came later')
    expect(as.transactions.filter((one) => one.id === id).every((one) => one.text === text)).toBe(true)
    expect(as.transactions.filter((one) => one.id === id).length).toBeGreaterThan(1)
    expect(bodies()).toEqual(['lost', 'later'])
    expect(await node.store.read('test', () => all('SELECT * FROM appservice_events'))).toEqual([])
  })

  it('that hangs or fails holds up nobody, and gets everything in batches once it is back', async () => {
    const roomId = await room(BOT)
    await as.until(() => events().length === 1, 'the join')
    as.answer(() => ({ status: 500 }))
    for (let i = 0; i < 230; i++) await say(alice, roomId, `m${i}`)
    while (node.built.appservices.sender().failing === 0) await delay(10)
    expect(await node.built.appservices.sender().lag()).toBeGreaterThan(0)
    as.answer(() => undefined)
    node.built.appservices.sender().retryNow('irc')
    await as.until(() => bodies().includes('m229'), 'the last message')
    expect(bodies()).toEqual(Array.from({ length: 230 }, (_, i) => `m${i}`))
    expect(Math.max(...as.taken.map(({ body }) => body.events.length as number))).toBeLessThanOrEqual(100)
    while (node.built.appservices.sender().failing > 0) await delay(10)
  })

  it('is told of typing, receipts and presence, by both names', async () => {
    const roomId = await room(BOT)
    const { event_id: eventId } = await say(alice, roomId, 'hi')
    // oxlint-disable-next-line typescript/no-explicit-any
    const ephemeral = (): any[] => as.taken.flatMap(({ body }) => body.ephemeral)
    await node.services.typingNotices.set(alice, { roomId, userId: alice.userId, timeoutMs: 10_000 })
    await as.until(() => ephemeral().some((event) => event.type === 'm.typing'), 'typing')
    expect(ephemeral()).toContainEqual({
      type: 'm.typing',
      room_id: roomId,
      content: { user_ids: [alice.userId] },
    })
    await node.services.receipts.set(alice, { roomId, type: 'm.read', eventId })
    await as.until(() => ephemeral().some((event) => event.type === 'm.receipt'), 'a receipt')
    expect(ephemeral().find((event) => event.type === 'm.receipt')).toMatchObject({
      room_id: roomId,
      content: { [eventId]: { 'm.read': { [alice.userId]: { ts: expect.any(Number) } } } },
    })
    for (const { body } of as.taken) expect(body['de.sorunome.msc2409.ephemeral']).toEqual(body.ephemeral)
  })

  it('is told of private receipts of its own users alone', async () => {
    const roomId = await room(BOT)
    const { event_id: eventId } = await say(alice, roomId, 'hi')
    await node.services.receipts.set(alice, { roomId, type: 'm.read.private', eventId })
    await node.services.receipts.set(by(BOT), { roomId, type: 'm.read.private', eventId })
    const told = (): string => JSON.stringify(as.taken.map(({ body }) => body.ephemeral))
    await as.until(() => told().includes('m.read.private'), 'the private receipt')
    expect(told()).toContain(BOT)
    expect(told()).not.toContain(alice.userId)
  })

  it('is asked for users and aliases of its namespaces that are not there', async () => {
    const { memberships, aliases, profile } = node.services
    const roomId = await room()
    const bob = `@irc_bob:${TEST_SERVER}`
    const asked: string[] = []
    as.answer(async ({ path }) => {
      asked.push(decodeURIComponent(path))
      if (path.startsWith('/_matrix/app/v1/users/')) {
        await node.services.accounts.registration.registerForAppservice('as_secret', {
          username: 'irc_bob',
          inhibitLogin: true,
          canRefresh: false,
          ip: '',
        })
        return { status: 200 }
      }
      if (!path.startsWith('/_matrix/app/v1/rooms/') || path.includes('none')) return undefined
      await aliases.set(by(BOT), `#irc_tea:${TEST_SERVER}`, roomId)
      return { status: 200 }
    })
    await memberships.invite(alice, { roomId, userId: bob })
    expect(asked).toContain(`/_matrix/app/v1/users/${bob}`)
    expect(await profile.get(bob, alice)).toMatchObject({ displayname: 'irc_bob' })
    expect(await aliases.resolve(`#irc_tea:${TEST_SERVER}`)).toMatchObject({ room_id: roomId })
    await expect(aliases.resolve(`#irc_none:${TEST_SERVER}`)).rejects.toThrow('not found')
    await expect(aliases.resolve(`#tea:${TEST_SERVER}`)).rejects.toThrow('not found')
    expect(asked.filter((path) => path.includes('#tea'))).toEqual([])
  })

  it('has its namespaces for itself, and nothing beyond them', async () => {
    const { aliases, roomCreation } = node.services
    const roomId = await room(BOT)
    await expect(aliases.set(alice, `#irc_x:${TEST_SERVER}`, roomId)).rejects.toMatchObject({
      errcode: 'M_EXCLUSIVE',
    })
    await expect(roomCreation.create(alice, { room_alias_name: 'irc_x' })).rejects.toMatchObject({
      errcode: 'M_EXCLUSIVE',
    })
    await expect(aliases.set(by(BOT), `#x:${TEST_SERVER}`, roomId)).rejects.toMatchObject({
      errcode: 'M_EXCLUSIVE',
    })
    await aliases.set(alice, `#x:${TEST_SERVER}`, roomId)
    await expect(aliases.remove(by(BOT), `#x:${TEST_SERVER}`)).rejects.toMatchObject({
      errcode: 'M_EXCLUSIVE',
    })
    await aliases.set(by(BOT), `#irc_x:${TEST_SERVER}`, roomId)
    await expect(aliases.remove(alice, `#irc_x:${TEST_SERVER}`)).rejects.toMatchObject({
      errcode: 'M_EXCLUSIVE',
    })
    await aliases.remove(by(`@irc_other:${TEST_SERVER}`), `#irc_x:${TEST_SERVER}`)
  })
})

describe('an application service that encrypts', () => {
  const device = (userId: string, deviceId: string): Requester => ({ ...by(userId), deviceId })
  const alicesDevice = async (): Promise<Requester> => {
    await node.services.devices.createOrRename(alice.userId, 'PHONE', 'Phone')
    return { ...alice, deviceId: 'PHONE' }
  }
  const keysOf = (userId: string, deviceId: string): JsonObject => ({
    device_keys: {
      user_id: userId,
      device_id: deviceId,
      algorithms: ['m.olm.v1.curve25519-aes-sha2'],
      keys: { [`curve25519:${deviceId}`]: 'A'.repeat(43), [`ed25519:${deviceId}`]: 'A'.repeat(43) },
      signatures: { [userId]: { [`ed25519:${deviceId}`]: 'A'.repeat(86) } },
    },
  })
  const send = (from: Requester, userId: string, deviceId: string, body: string): Promise<unknown> =>
    node.services.toDevice.send(from, 'm.room_key', `t${++txn}`, { [userId]: { [deviceId]: { body } } })
  // oxlint-disable-next-line typescript/no-explicit-any
  const parts = (name: string): any[] => as.taken.flatMap(({ body }) => body[name] ?? [])
  const waiting = (): Promise<readonly unknown[]> =>
    node.store.read('test', () => all('SELECT * FROM to_device_messages'))

  it('gets messages to devices of its users, once, with the counts of their keys, by both names', async () => {
    await node.services.devices.createOrRename(BOT, 'BRIDGE', undefined)
    await send(alice, BOT, 'BRIDGE', 'one')
    await send(alice, BOT, '*', 'two')
    await as.until(() => parts('to_device').length === 2, 'both messages')
    expect(parts('to_device')).toEqual(
      ['one', 'two'].map((body) => ({
        type: 'm.room_key',
        sender: alice.userId,
        content: { body },
        to_user_id: BOT,
        to_device_id: 'BRIDGE',
      })),
    )
    const { body } = as.taken.find((one) => one.body.to_device.length > 0)!
    expect(body['de.sorunome.msc2409.to_device']).toEqual(body.to_device)
    const counts = { [BOT]: { BRIDGE: { signed_curve25519: 0 } } }
    expect(body.device_one_time_keys_count).toEqual(counts)
    expect(body['org.matrix.msc3202.device_one_time_keys_count']).toEqual(counts)
    expect(body['org.matrix.msc3202.device_unused_fallback_key_types']).toEqual({ [BOT]: { BRIDGE: [] } })
    // Nobody else fetches them: they are not kept.
    expect(await waiting()).toEqual([])
  })

  it('leaves messages for a user who is not its alone to their device too', async () => {
    await node.close()
    await as.close()
    await start({ namespaces: { users: [{ exclusive: false, regex: '@.*' }] } })
    const phone = await alicesDevice()
    await send(by(BOT), alice.userId, 'PHONE', 'one')
    await as.until(() => parts('to_device').length === 1, 'the message')
    expect((await node.sync(phone)).to_device.events).toHaveLength(1)
  })

  it('is told when keys of those in its rooms change, and when they leave', async () => {
    const phone = await alicesDevice()
    const carol = await node.user('carol')
    const roomId = await room(BOT)
    await node.services.e2ee.uploadKeys(phone, keysOf(alice.userId, 'PHONE'))
    await node.services.devices.createOrRename(carol.userId, 'X', undefined)
    await node.services.e2ee.uploadKeys({ ...carol, deviceId: 'X' }, keysOf(carol.userId, 'X'))
    await as.until(
      () => parts('device_lists').some((list) => list.changed.includes(alice.userId)),
      'the change',
    )
    await node.services.memberships.leave(alice, { roomId })
    await as.until(
      () => parts('device_lists').some((list) => list.left.includes(alice.userId)),
      'the leaving',
    )
    expect(JSON.stringify(parts('device_lists'))).not.toContain(carol.userId)
    for (const { body } of as.taken)
      expect(body['org.matrix.msc3202.device_lists']).toEqual(body.device_lists)
  })

  it('is told when others have taken one-time keys of its devices', async () => {
    await node.services.devices.createOrRename(BOT, 'BRIDGE', undefined)
    const key = { key: 'A'.repeat(43), signatures: { [BOT]: { 'ed25519:BRIDGE': 'A'.repeat(86) } } }
    await node.services.e2ee.uploadKeys(device(BOT, 'BRIDGE'), {
      one_time_keys: { 'signed_curve25519:a': key, 'signed_curve25519:b': key },
      fallback_keys: { 'signed_curve25519:c': { ...key, fallback: true } },
    })
    const counts = (n: number): boolean =>
      parts('device_one_time_keys_count').some((part) => part[BOT]?.BRIDGE?.signed_curve25519 === n)
    await as.until(() => counts(2), 'two keys')
    expect(as.taken.at(-1)!.body.device_unused_fallback_key_types).toEqual({
      [BOT]: { BRIDGE: ['signed_curve25519'] },
    })
    await node.services.e2ee.claimKeys({ one_time_keys: { [BOT]: { BRIDGE: 'signed_curve25519' } } })
    await as.until(() => counts(1), 'one key')
  })

  it('is told what stands behind much that does not concern it', async () => {
    await room(BOT)
    await node.store.write('test', function* () {
      const last = yield* allocatePosition(1_201)
      yield* many(
        'INSERT INTO device_list_changes (user_id, pos) VALUES (?, ?)',
        Array.from({ length: 1_201 }, (_, i) => [
          i === 1_200 ? alice.userId : `@stranger${i}:elsewhere.example`,
          last - 1_200 + i,
        ]),
      )
    })
    node.built.appservices.sender().nudge()
    await as.until(
      () => parts('device_lists').some((list) => list.changed.includes(alice.userId)),
      'the change',
    )
    expect(JSON.stringify(parts('device_lists'))).not.toContain('stranger')
  })
})

describe('two application services', () => {
  it('do not wait for each other, and nobody waits for them: one that hangs holds up itself alone', async () => {
    await node.close()
    const other = await startAppservice()
    try {
      const second = {
        ...REGISTRATION,
        id: 'log',
        as_token: 'log_as',
        sender_localpart: 'logbot',
        url: other.url,
      }
      writeFileSync(join(folder, 'log.yaml'), JSON.stringify(second))
      node = await testServices({ appservices: [join(folder, 'irc.yaml'), join(folder, 'log.yaml')] })
      node.built.appservices.start()
      alice = await node.user('alice')
      as.answer(() => 'hang')
      const roomId = await room(BOT)
      await node.services.memberships.join(
        { ...by(`@logbot:${TEST_SERVER}`), appserviceId: 'log' },
        { room: roomId, via: [] },
      )
      await as.until(() => as.transactions.length > 0, 'the one that hangs')
      for (let i = 0; i < 20; i++) await say(alice, roomId, `m${i}`)
      // oxlint-disable-next-line typescript/no-explicit-any
      const got = (): any[] => other.taken.flatMap(({ body }) => body.events)
      await other.until(() => got().some((event) => event.content.body === 'm19'), 'the last message')
      expect(as.transactions).toHaveLength(1)
      expect(as.taken).toEqual([])
    } finally {
      await other.close()
    }
  })
})

describe('an application service that is registered no more', () => {
  const deps = () => ({
    store: node.store,
    clock: systemClock,
    logger: silentLogger,
    serverName: TEST_SERVER,
  })

  it('is forgotten with what waited for it, and told only of what comes later where it is registered again', async () => {
    const roomId = await room(BOT)
    await as.until(() => events().length === 1, 'the join')
    await node.built.appservices.close()
    await say(alice, roomId, 'before')
    const rows = (): Promise<readonly unknown[]> =>
      node.store.read('test', () => all('SELECT * FROM appservice_events'))
    expect(await rows()).toHaveLength(1)
    await beginAppservices({
      ...deps(),
      registry: createAppserviceRegistry({ ...deps(), registrations: [] }),
    })
    expect(await rows()).toEqual([])
    const again = await node.restarted()
    again.appservices.start()
    await again.services.sending.message(alice, {
      roomId,
      type: 'm.room.message',
      content: { msgtype: 'm.text', body: 'after' },
      txnId: 'after',
    })
    await as.until(() => bodies().includes('after'), 'the later message')
    expect(bodies()).toEqual(['after'])
  })
})
