import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../../src/core/json/value.js'
import { createRoom, eventually, v3, type Answer } from '../harness/client.js'
import { answerJson } from '../harness/foreign-server.js'
import { foreignRoom, sendPdus, type ForeignRoom } from '../harness/foreign-room.js'
import { enc, signedAsItIs, startWorld, stateOf, textsIn, type Scene, type World } from './world.js'

let world: World
let scene: Scene
let names = 0
beforeAll(async () => {
  world = await startWorld({ federation: { timeouts: { request: '5s', join: '10s' } } })
  scene = await world.scene(world.hostile)
})
afterEach(async () => {
  world.hostile.server.answer = () => false
  await world.othersGoOn()
})
afterAll(() => world?.dispose())

const unchecked = { uncheckedBecause: 'what the other server says is not what the specification has' }
const name = (): string => world.hostile.server.name
const ask = (
  method: string,
  path: string,
  body?: unknown,
  query?: Record<string, string | number>,
): Promise<Answer> =>
  world.alice.call(method, path, {
    ...unchecked,
    ...(body !== undefined && { body }),
    ...(query && { query }),
  })

/** From now on the peer says this where a path contains the text; other paths go to `honest`. */
function saying(
  part: string,
  what: unknown,
  honest: (request: IncomingMessage, response: ServerResponse, path: string) => boolean = () => false,
): { asked: number } {
  const seen = { asked: 0 }
  world.hostile.server.answer = (request, response, path) => {
    if (!path.includes(part)) return honest(request, response, path)
    seen.asked += 1
    request.resume()
    const answer = typeof what === 'function' ? (what as (path: string) => unknown)(path) : what
    if (typeof answer === 'string') response.writeHead(200).end(answer)
    else answerJson(response, answer as object)
    return true
  }
  return seen
}

const JUNK: readonly unknown[] = ['', '<html>', '[]', 'null', '7', '{', '"x"', {}, { errcode: 7 }]

describe('a hostile peer, asked', () => {
  it('R1: for a profile, tells clients nothing of a wrong type, nor more than a profile may hold', async () => {
    const far = `@far:${name()}`
    const lies = [
      ...JUNK,
      { displayname: 7 },
      { displayname: { a: 1 } },
      { displayname: null, avatar_url: [] },
      { displayname: 'x'.repeat(1_000_000) },
      { avatar_url: 'javascript:alert(1)' },
      { avatar_url: 'https://elsewhere.example/track' },
      JSON.parse('{"__proto__":{"a":1},"displayname":"Far"}'),
      Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`x.field${i}`, 'y'.repeat(100)])),
    ]
    for (const lie of lies) {
      const seen = saying('/query/profile', lie)
      const { status, body } = await ask('GET', v3(`/profile/${enc(far)}`))
      expect(seen.asked).toBeGreaterThan(0)
      expect([200, 404, 502]).toContain(status)
      if (status !== 200) continue
      expect([undefined, 'string']).toContain(
        body.displayname === undefined ? undefined : typeof body.displayname,
      )
      if (body.avatar_url !== undefined) expect(body.avatar_url).toMatch(/^mxc:\/\/|^$/)
      expect(JSON.stringify(body).length).toBeLessThan(100_000)
    }
  })

  it('R2: for keys, is believed about its own users alone', async () => {
    const { alice, honest } = world
    const theirs = honest.user()
    const keysOf = (userId: string, device: string): JsonObject => ({
      user_id: userId,
      device_id: device,
      algorithms: ['m.olm.v1.curve25519-aes-sha2'],
      keys: { [`curve25519:${device}`]: 'forged', [`ed25519:${device}`]: 'forged' },
      signatures: {},
    })
    const lies = [
      ...JUNK,
      { device_keys: [] },
      { device_keys: { [alice.userId]: { FORGED: keysOf(alice.userId, 'FORGED') } } },
      { device_keys: { [theirs]: { FORGED: keysOf(theirs, 'FORGED') }, [scene.eve]: 7 } },
      { device_keys: { [scene.eve]: { A: keysOf(alice.userId, 'A'), B: keysOf(scene.eve, 'C'), D: 7, E: { user_id: 7 } } } },
      { device_keys: { [scene.eve]: [] }, master_keys: { [alice.userId]: { user_id: alice.userId, usage: ['master'], keys: { 'ed25519:forged': 'forged' } } } },
      { device_keys: {}, self_signing_keys: { [scene.eve]: { user_id: alice.userId, usage: ['self_signing'], keys: {} } } },
      { user_id: alice.userId, stream_id: 5, devices: [{ device_id: 'FORGED', keys: keysOf(alice.userId, 'FORGED') }] },
      { user_id: scene.eve, stream_id: 'x', devices: [{ device_id: 7 }, null, { device_id: 'X', keys: keysOf(alice.userId, 'X') }] },
      { user_id: scene.eve, stream_id: 6, devices: Array.from({ length: 50_000 }, (_, i) => ({ device_id: `D${i}`, keys: {} })) },
    ] // prettier-ignore
    for (const lie of lies) {
      saying('/user/', lie)
      const { status, body } = await ask('POST', v3('/keys/query'), {
        device_keys: { [scene.eve]: [], [alice.userId]: [] },
        timeout: 5_000,
      })
      expect(status).toBe(200)
      expect(Object.keys(body.device_keys).toSorted()).toEqual(
        expect.arrayContaining(
          Object.keys(body.device_keys).filter((id) => [scene.eve, alice.userId].includes(id)),
        ),
      )
      expect(body.device_keys).not.toHaveProperty([theirs])
      for (const [userId, devices] of Object.entries<Record<string, JsonObject>>(body.device_keys)) {
        expect([scene.eve, alice.userId]).toContain(userId)
        for (const [device, keys] of Object.entries(devices))
          expect([keys['user_id'], keys['device_id']]).toEqual([userId, device])
        expect(Object.keys(devices).length).toBeLessThan(10_000)
      }
      expect(body.device_keys[alice.userId] ?? {}).not.toHaveProperty('FORGED')
      for (const part of ['master_keys', 'self_signing_keys'])
        for (const [userId, key] of Object.entries<JsonObject>(body[part] ?? {}))
          expect(key['user_id']).toBe(userId)
    }
    for (const lie of [
      ...JUNK,
      {
        one_time_keys: { [alice.userId]: { [alice.deviceId]: { 'signed_curve25519:A': { key: 'forged' } } } },
      },
      { one_time_keys: { [scene.eve]: { OTHER: { 'x:A': 'forged' } } } },
    ]) {
      saying('/user/keys/claim', lie)
      const { status, body } = await ask('POST', v3('/keys/claim'), {
        one_time_keys: { [scene.eve]: { DEVICE: 'signed_curve25519' } },
        timeout: 5_000,
      })
      expect(status).toBe(200)
      expect(body.one_time_keys).not.toHaveProperty([alice.userId])
      expect(body.one_time_keys[scene.eve] ?? {}).not.toHaveProperty(['OTHER'])
    }
  })

  it('R3: for the rooms of a space, adds none that are not its own to tell of, and no more than asked', async () => {
    const { alice } = world
    const secret = await createRoom(alice, { preset: 'private_chat', name: 'Secret' })
    const space = await createRoom(alice, { preset: 'public_chat', creation_content: { type: 'm.space' } })
    const child = `!child:${name()}`
    await alice.ok('PUT', v3(`/rooms/${enc(space)}/state/m.space.child/${enc(child)}`), { via: [name()] })
    const summary = (roomId: unknown, more: object = {}): object => ({
      room_id: roomId,
      num_joined_members: 1,
      world_readable: true,
      guest_can_join: false,
      join_rule: 'public',
      children_state: [],
      ...more,
    })
    const link = (to: string): object => ({ type: 'm.space.child', state_key: to, sender: '@x:y', origin_server_ts: 1, content: { via: [name()] } }) // prettier-ignore
    const lies = [
      ...JUNK,
      { room: summary(secret), children: [], inaccessible_children: [] },
      { room: summary(child, { name: 7, num_joined_members: -1, topic: [] }), children: [] },
      { room: summary(child, { children_state: [link(child), link(space), link(secret)] }), children: [summary(secret, { name: 'Forged' }), summary(space, { name: 'Forged' })] },
      { room: summary(child, { children_state: Array.from({ length: 20_000 }, (_, i) => link(`!c${i}:${name()}`)) }), children: [] },
      { room: summary(child), children: Array.from({ length: 20_000 }, (_, i) => summary(`!c${i}:${name()}`)) },
      { room: summary(child, { room_type: 'm.space', children_state: [7, null, {}, { type: 'm.space.child', state_key: 7, content: 7 }] }), children: [7, null] },
    ] // prettier-ignore
    for (const lie of lies) {
      const seen = saying('/hierarchy/', lie)
      const { status, body } = await ask('GET', `/_matrix/client/v1/rooms/${enc(space)}/hierarchy`, undefined, { limit: 50 }) // prettier-ignore
      expect(status).toBe(200)
      expect(seen.asked).toBeLessThan(100)
      expect(body.rooms.length).toBeLessThanOrEqual(50)
      expect(body.rooms[0].room_id).toBe(space)
      expect(JSON.stringify(body.rooms)).not.toContain('Forged')
      for (const room of body.rooms) {
        expect([undefined, 'string']).toContain(room.name === undefined ? undefined : typeof room.name)
        expect(room.num_joined_members).toBeGreaterThanOrEqual(0)
      }
    }
  })

  it('R7: for aliases and public rooms, is answered by nonsense that goes no further', async () => {
    const lies = [
      ...JUNK,
      { room_id: 7, servers: [] },
      { room_id: '../../etc', servers: [name()] },
      { room_id: `!a:${name()}`, servers: 7 },
      { room_id: `!a:${name()}`, servers: Array.from({ length: 50_000 }, (_, i) => `s${i}.example`) },
      { room_id: `!a:${name()}`, servers: ['', 'a b', '../..', null, '[::1]:99999'] },
    ]
    for (const lie of lies) {
      saying('/query/directory', lie)
      const { status, body } = await ask('GET', v3(`/directory/room/${enc(`#a:${name()}`)}`))
      expect([200, 404, 502]).toContain(status)
      if (status !== 200) continue
      expect(body.room_id).toMatch(/^![^/]+$/)
      expect(body.servers.length).toBeLessThanOrEqual(60)
      for (const server of body.servers) expect(server).toMatch(/^[A-Za-z0-9.:[\]-]+$/)
    }
    const rooms = [
      ...JUNK,
      { chunk: 7 },
      { chunk: [7, null, {}, { room_id: 7 }, { room_id: '!a:b', name: [], num_joined_members: 'x' }] },
      { chunk: Array.from({ length: 20_000 }, (_, i) => ({ room_id: `!c${i}:x`, num_joined_members: 1, world_readable: true, guest_can_join: true })), total_room_count_estimate: -5, next_batch: 7 },
    ] // prettier-ignore
    for (const lie of rooms) {
      saying('/publicRooms', lie)
      const { status, body } = await ask('GET', v3('/publicRooms'), undefined, { server: name(), limit: 10 })
      expect([200, 404, 502]).toContain(status)
      if (status !== 200) continue
      expect(body.chunk.length).toBeLessThanOrEqual(100)
      for (const room of body.chunk) expect([typeof room.room_id, typeof room.num_joined_members]).toEqual(['string', 'number']) // prettier-ignore
    }
  })

  it('R8: for media, has nothing stored that is not whole, and is followed to no other place', async () => {
    const boundary = (type: string, body: string | Buffer) => (response: ServerResponse) =>
      void response.writeHead(200, { 'content-type': type }).end(body)
    const part = (b: string, ...parts: string[]): string =>
      parts.map((text) => `--${b}\r\n${text}\r\n`).join('') + `--${b}--\r\n`
    const json = 'Content-Type: application/json\r\n\r\n{}'
    const lies: ((response: ServerResponse) => void)[] = [
      boundary('text/html', '<html>'),
      boundary('multipart/mixed', part('b', json, 'Content-Type: text/plain\r\n\r\nx')),
      boundary(`multipart/mixed; boundary=${'b'.repeat(5_000)}`, 'x'),
      boundary('multipart/mixed; boundary=b', ''),
      boundary('multipart/mixed; boundary=b', part('b', json)),
      boundary('multipart/mixed; boundary=b', part('b', 'Content-Type: text/plain\r\n\r\nx')),
      boundary('multipart/mixed; boundary=b', `--b\r\n${json}\r\n--b\r\nContent-Type: text/plain\r\n\r\nhalf of`),
      boundary('multipart/mixed; boundary=b', part('b', json, `X: ${'y'.repeat(200_000)}\r\n\r\nx`)),
      boundary('multipart/mixed; boundary=b', part('b', json, 'Location: http://127.0.0.1:1/private\r\n\r\n')),
      boundary('multipart/mixed; boundary=b', part('b', json, 'Location: file:///etc/passwd\r\n\r\n')),
      (response) => void response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
      (response) => void response.writeHead(200, { 'content-type': 'multipart/mixed; boundary=b', 'content-length': '99999999999' }).write('--b'),
    ] // prettier-ignore
    for (const [i, lie] of lies.entries()) {
      world.hostile.server.answer = (_request, response, path) => {
        if (!path.includes('/media/')) return false
        lie(response)
        return true
      }
      const { status } = await ask('GET', `/_matrix/client/v1/media/download/${name()}/m${i}`)
      expect([i, status]).toEqual([i, expect.any(Number)])
      expect([404, 502, 504, 413]).toContain(status)
    }
    for (const [server, id] of [
      [name(), '..%2f..%2fetc%2fpasswd'],
      ['..%2f..', 'x'],
      [name(), '%00'],
      ['localhost:1%2f..', 'x'],
    ]) {
      const { status } = await ask('GET', `/_matrix/client/v1/media/download/${server}/${id}`)
      expect([400, 404]).toContain(status)
    }
  })
})

describe('a hostile peer that hosts a room', () => {
  const forgery = (room: ForeignRoom, body: string, changes: object = {}): JsonObject => ({
    ...signedAsItIs(
      {
        type: 'm.room.message',
        sender: `@creator:${world.honest.server.name}`,
        room_id: room.roomId,
        content: { msgtype: 'm.text', body },
        depth: 3,
        origin_server_ts: 1,
        prev_events: [room.state[3]!.id],
        auth_events: [room.state[0]!.id, room.state[1]!.id, room.state[2]!.id],
        ...changes,
      },
      room.state[0]!.rules,
      world.hostile.server.signer,
    ),
  })
  async function hosted(): Promise<ForeignRoom> {
    const room = foreignRoom([world.hostile.server], 3, 1, `host${names++}`)
    world.hostile.server.answer = room.answer
    await world.alice.ok('POST', v3(`/join/${enc(room.roomId)}`), {}, { via: name() })
    return room
  }

  it('R4: is not believed about the event next to a moment', async () => {
    const room = await hosted()
    const stranger = await createRoom(world.alice)
    const lies = [...JUNK, { event_id: 7, origin_server_ts: 1 }, { event_id: `$${'A'.repeat(43)}`, origin_server_ts: 1 }, { event_id: 'x'.repeat(1_000), origin_server_ts: 1 }, { event_id: await secretIn(stranger), origin_server_ts: 'x' }] // prettier-ignore
    for (const lie of lies) {
      saying('/timestamp_to_event/', lie, room.answer)
      const path = `/_matrix/client/v1/rooms/${enc(room.roomId)}/timestamp_to_event`
      const { status, body } = await ask('GET', path, undefined, { ts: 1_700_000_000_001, dir: 'f' })
      expect([200, 404]).toContain(status)
      if (status !== 200) continue
      const event = await world.alice.ok('GET', v3(`/rooms/${enc(room.roomId)}/event/${enc(body.event_id)}`))
      expect(event.room_id).toBe(room.roomId)
    }
  })

  const secretIn = async (roomId: string): Promise<string> =>
    (await world.alice.ok('PUT', v3(`/rooms/${enc(roomId)}/send/m.room.message/t${names++}`), { msgtype: 'm.text', body: 'a secret' })).event_id // prettier-ignore

  it('R5: is not believed about history that others would have signed, or that is of another room', async () => {
    const lies = (room: ForeignRoom): readonly unknown[] => [
      ...JUNK,
      { pdus: 7 },
      { pdus: ['x', 7, null, {}] },
      { pdus: [forgery(room, 'forged')] },
      { pdus: [forgery(room, 'forged', { sender: world.alice.userId })] },
      { pdus: [forgery(room, 'forged', { room_id: '!other:localhost' })] },
      { pdus: Array.from({ length: 2_000 }, (_, i) => forgery(room, 'forged', { depth: i })).slice(0, 400) },
    ]
    const count = lies(await hosted()).length
    for (let i = 0; i < count; i++) {
      const room = await hosted()
      saying('/backfill/', lies(room)[i], room.answer)
      const page = await ask('GET', v3(`/rooms/${enc(room.roomId)}/messages`), undefined, {
        dir: 'b',
        limit: 100,
      })
      expect(page.status).toBe(200)
      expect(JSON.stringify(page.body)).not.toContain('forged')
      // What it sends now is read all the same.
      world.hostile.server.answer = room.answer
      await sendPdus(world.hostile.server, world.node, [room.say(`text ${i}`)])
      await eventually('the text', async () =>
        (await textsIn(world.alice, room.roomId)).includes(`text ${i}`),
      )
    }
  })

  it('R6: is not believed about what lies between two events, nor about the state there', async () => {
    const room = await hosted()
    const before = await stateOf(world.alice, room.roomId)
    const lies: unknown[] = [
      ...JUNK,
      { events: 7, pdu_ids: 7, auth_chain_ids: 7 },
      { events: ['x', 7, {}], pdu_ids: ['x', 7, null], auth_chain_ids: [{}] },
      { events: [forgery(room, 'forged')], pdu_ids: [], auth_chain_ids: [] },
      {
        pdu_ids: Array.from({ length: 5_000 }, (_, i) => `$${`${i}`.padStart(43, 'A')}`),
        auth_chain_ids: [],
      },
      { pdus: [forgery(room, 'Forged', { type: 'm.room.name', state_key: '', content: { name: 'Forged' } })], auth_chain: [] },
    ] // prettier-ignore
    for (const [i, lie] of lies.entries()) {
      // An event whose predecessor nobody gives.
      const hidden = room.say(`hidden ${i}`)
      const visible = room.say(`visible ${i}`)
      world.hostile.server.answer = (request, response, path) => {
        const between = ['/get_missing_events/', '/state_ids/', '/state/', `/event/`].some((part) => path.includes(part)) // prettier-ignore
        if (!between) return room.answer(request, response, path)
        request.resume()
        if (typeof lie === 'string') response.writeHead(200).end(lie)
        else answerJson(response, lie as object)
        return true
      }
      await sendPdus(world.hostile.server, world.node, [visible])
      await world.othersGoOn()
      expect(await textsIn(world.alice, room.roomId)).not.toContain('forged')
      expect(await stateOf(world.alice, room.roomId)).toEqual(before)
      // Once it is honest, the room goes on.
      world.hostile.server.answer = room.answer
      await sendPdus(world.hostile.server, world.node, [hidden])
      await eventually('what was hidden', async () =>
        (await textsIn(world.alice, room.roomId)).includes(`hidden ${i}`),
      )
    }
  })
})
