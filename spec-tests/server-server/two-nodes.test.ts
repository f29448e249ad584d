import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createRoom, eventually, register, sendText, startSync, v3, type User } from '../harness/client.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'

const enc = encodeURIComponent
let finances: Node
let interieur: Node
let alice: User
let benoit: User
beforeAll(async () => {
  const authority = testAuthority()
  finances = await startNode({ authority })
  interieur = await startNode({ authority })
  alice = await register(finances.url, 'alice')
  benoit = await register(interieur.url, 'benoit')
})
afterAll(async () => {
  await finances?.dispose()
  await interieur?.dispose()
})

/** A room of Alice's that Benoît of the other node has joined. */
async function sharedRoom(body: object = {}): Promise<string> {
  const roomId = await createRoom(alice, { invite: [benoit.userId], ...body })
  await benoit.ok('POST', v3(`/join/${enc(roomId)}`), {}, { via: finances.serverName })
  return roomId
}

interface Event {
  readonly event_id: string
  readonly type: string
  readonly content: Record<string, unknown>
}

async function sees(user: User, roomId: string, eventId: string): Promise<Event> {
  return eventually(`${user.userId} sees ${eventId}`, async () => {
    const answer = await user.call('GET', v3(`/rooms/${enc(roomId)}/event/${enc(eventId)}`))
    return answer.status === 200 ? (answer.body as Event) : undefined
  })
}

describe('two nodes', () => {
  it.each(['6', '9', '10', '11', '12'])(
    'share a room of version %s: invite, join, messages both ways',
    async (version) => {
      const sync = await startSync(benoit)
      const roomId = await createRoom(alice, {
        room_version: version,
        invite: [benoit.userId],
        name: 'Together',
      })
      const invited = await sync.until('the invite', (answer) => answer.rooms.invite?.[roomId])
      expect(invited.invite_state.events).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ type: 'm.room.name', content: { name: 'Together' } }),
        ]),
      )
      await benoit.ok('POST', v3(`/join/${enc(roomId)}`))
      const joined = await sync.until('the room', (answer) => answer.rooms.join?.[roomId])
      const types = [...joined.state.events, ...joined.timeline.events].map((event: Event) => event.type)
      expect(types).toEqual(expect.arrayContaining(['m.room.create', 'm.room.power_levels', 'm.room.name']))
      const there = await sendText(alice, roomId, 'from finances')
      expect((await sees(benoit, roomId, there)).content['body']).toBe('from finances')
      const back = await sendText(benoit, roomId, 'from interieur')
      expect((await sees(alice, roomId, back)).content['body']).toBe('from interieur')
      const states = await Promise.all(
        [alice, benoit].map(async (user) => {
          const events = (await user.ok('GET', v3(`/rooms/${enc(roomId)}/state`))) as Event[]
          return events.map((event) => event.event_id).sort((a, b) => (a < b ? -1 : 1))
        }),
      )
      expect(states[0]).toEqual(states[1])
    },
  )

  it('deliver what was said while one of them was down, in order', async () => {
    const roomId = await sharedRoom()
    const sync = await startSync(benoit)
    await interieur.stop()
    const sent: string[] = []
    for (let i = 0; i < 120; i++) sent.push(await sendText(alice, roomId, `while you were away ${i}`))
    await interieur.start()
    await sees(benoit, roomId, sent.at(-1)!)
    const seen: string[] = []
    await sync.until('all of them', (answer) => {
      for (const event of answer.rooms.join?.[roomId]?.timeline.events ?? []) seen.push(event.event_id)
      return seen.includes(sent.at(-1)!)
    })
    const page = await benoit.ok('GET', v3(`/rooms/${enc(roomId)}/messages`), undefined, {
      dir: 'b',
      limit: 120,
    })
    expect(page.chunk.map((event: Event) => event.event_id)).toEqual(sent.toReversed())
  })

  it('go on with what waits after the sender was killed', async () => {
    const roomId = await sharedRoom()
    await interieur.stop()
    const sent: string[] = []
    for (let i = 0; i < 10; i++) sent.push(await sendText(alice, roomId, `kept ${i}`))
    await finances.kill()
    await interieur.start()
    await finances.start()
    await sees(benoit, roomId, sent.at(-1)!)
    for (const id of sent) await sees(benoit, roomId, id)
  })

  it('show typing and receipts to each other', async () => {
    const roomId = await sharedRoom()
    const eventId = await sendText(alice, roomId, 'read me')
    await sees(benoit, roomId, eventId)
    const sync = await startSync(alice)
    await benoit.ok('PUT', v3(`/rooms/${enc(roomId)}/typing/${enc(benoit.userId)}`), {
      typing: true,
      timeout: 10_000,
    })
    const ofType =
      (type: string) => (answer: { rooms: { join?: Record<string, { ephemeral: { events: Event[] } }> } }) =>
        answer.rooms.join?.[roomId]?.ephemeral.events.find((event) => event.type === type)
    expect((await sync.until('typing', ofType('m.typing'))).content).toEqual({ user_ids: [benoit.userId] })
    await benoit.ok('POST', v3(`/rooms/${enc(roomId)}/receipt/m.read/${enc(eventId)}`))
    expect((await sync.until('a receipt', ofType('m.receipt'))).content).toMatchObject({
      [eventId]: { 'm.read': { [benoit.userId]: {} } },
    })
  })

  it('tell each other of leaving, kicking and rejecting', async () => {
    const roomId = await sharedRoom()
    const membership = async (): Promise<string> =>
      (await alice.ok('GET', v3(`/rooms/${enc(roomId)}/state/m.room.member/${enc(benoit.userId)}`)))
        .membership
    await benoit.ok('POST', v3(`/rooms/${enc(roomId)}/leave`))
    await eventually('the leave', async () => (await membership()) === 'leave')
    await alice.ok('POST', v3(`/rooms/${enc(roomId)}/invite`), { user_id: benoit.userId })
    await eventually('the invite', async () => {
      const sync = await benoit.ok('GET', v3('/sync'))
      return sync.rooms.invite?.[roomId] !== undefined
    })
    await benoit.ok('POST', v3(`/rooms/${enc(roomId)}/leave`))
    await eventually('the rejection', async () => (await membership()) === 'leave')
    await alice.ok('POST', v3(`/rooms/${enc(roomId)}/invite`), { user_id: benoit.userId })
    await benoit.ok('POST', v3(`/join/${enc(roomId)}`))
    const sync = await startSync(benoit)
    await alice.ok('POST', v3(`/rooms/${enc(roomId)}/kick`), { user_id: benoit.userId })
    await sync.until('the kick', (answer) => answer.rooms.leave?.[roomId])
  })

  it('join by alias, page back through history from before, and see profiles and media of the other', async () => {
    await alice.ok('PUT', v3(`/profile/${enc(alice.userId)}/displayname`), {
      displayname: 'Alice des Finances',
    })
    const picture = Buffer.from(
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
      'base64',
    )
    const upload = await alice.call('POST', '/_matrix/media/v3/upload', {
      body: picture,
      query: { filename: 'x.png' },
      headers: { 'content-type': 'image/png' },
    })
    const uri = upload.body.content_uri as string
    const name = `forum-${Date.now()}`
    const roomId = await createRoom(alice, { preset: 'public_chat', room_alias_name: name })
    const old: string[] = []
    for (let i = 0; i < 60; i++) old.push(await sendText(alice, roomId, `old ${i}`))
    const alias = `#${name}:${finances.serverName}`
    expect((await benoit.ok('POST', v3(`/join/${enc(alias)}`))).room_id).toBe(roomId)
    const found: string[] = []
    let from: string | undefined
    for (let i = 0; i < 20 && !found.includes(old[0]!); i++) {
      const page = await benoit.ok('GET', v3(`/rooms/${enc(roomId)}/messages`), undefined, {
        dir: 'b',
        limit: 20,
        from,
      })
      found.push(
        ...page.chunk
          .filter((event: Event) => event.type === 'm.room.message')
          .map((event: Event) => event.event_id),
      )
      if (page.end === undefined) break
      from = page.end
    }
    expect(found).toEqual(old.toReversed())
    const profile = await benoit.ok('GET', v3(`/profile/${enc(alice.userId)}`))
    expect(profile.displayname).toBe('Alice des Finances')
    const [, , server, media] = uri.split('/')
    const download = await fetch(`${interieur.url}/_matrix/client/v1/media/download/${server}/${media}`, {
      headers: { authorization: `Bearer ${benoit.token}` },
    })
    expect(Buffer.from(await download.arrayBuffer()).equals(picture)).toBe(true)
  })

  it('exchange device keys, one-time keys and messages to devices', async () => {
    const roomId = await sharedRoom()
    const sync = await startSync(alice)
    await benoit.ok('POST', v3('/keys/upload'), {
      device_keys: {
        user_id: benoit.userId,
        device_id: benoit.deviceId,
        algorithms: ['m.olm.v1.curve25519-aes-sha2', 'm.megolm.v1.aes-sha2'],
        keys: { [`curve25519:${benoit.deviceId}`]: 'a', [`ed25519:${benoit.deviceId}`]: 'b' },
        signatures: { [benoit.userId]: { [`ed25519:${benoit.deviceId}`]: 'c' } },
      },
      one_time_keys: {
        'signed_curve25519:A': {
          key: 'x',
          signatures: { [benoit.userId]: { [`ed25519:${benoit.deviceId}`]: 'y' } },
        },
      },
    })
    const keys = await eventually('keys', async () => {
      const answer = await alice.ok('POST', v3('/keys/query'), { device_keys: { [benoit.userId]: [] } })
      return answer.device_keys[benoit.userId]?.[benoit.deviceId]
    })
    expect(keys.keys[`curve25519:${benoit.deviceId}`]).toBe('a')
    const claimed = await alice.ok('POST', v3('/keys/claim'), {
      one_time_keys: { [benoit.userId]: { [benoit.deviceId]: 'signed_curve25519' } },
    })
    expect(claimed.one_time_keys[benoit.userId][benoit.deviceId]['signed_curve25519:A'].key).toBe('x')
    const other = await startSync(benoit)
    await alice.ok('PUT', v3('/sendToDevice/m.test/txn1'), {
      messages: { [benoit.userId]: { [benoit.deviceId]: { hello: 'device' } } },
    })
    const message = await other.until('a message to the device', (answer) => answer.to_device.events[0])
    expect(message).toEqual({ sender: alice.userId, type: 'm.test', content: { hello: 'device' } })
    await benoit.ok('PUT', v3(`/devices/${enc(benoit.deviceId)}`), { display_name: 'renamed' })
    await benoit.ok('POST', v3('/keys/upload'), {
      device_keys: {
        ...keys,
        keys: { ...keys.keys },
        unsigned: undefined,
        algorithms: ['m.megolm.v1.aes-sha2'],
      },
    })
    await sync.until('changed devices', (answer) => answer.device_lists.changed.includes(benoit.userId))
    expect(roomId).toBeDefined()
  })
})
