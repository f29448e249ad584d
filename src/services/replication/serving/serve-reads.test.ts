import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../../../core/json/value.js'
import { applyEvent } from '../../rooms/apply-event.js'
import type { CreateRoomInput } from '../../rooms/create-room-input.js'
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
const F = '/_matrix/federation/v1'
const enc = encodeURIComponent
let txn = 0
const roomOf = async (input: CreateRoomInput = { preset: 'public_chat' }): Promise<string> =>
  (await a.creation.create(as(ANA), input)).room_id
const say = async (roomId: string, body: string): Promise<string> =>
  (
    await a.sending.message(as(ANA), {
      roomId,
      type: 'm.room.message',
      content: { body },
      txnId: `t${txn++}`,
    })
  ).event_id
const join = (roomId: string) => b.memberships.join(as(BO), { room: roomId, via: ['a.example'] })
/** What b.example, or another server, is told by a.example. */
const get = (path: string, origin = 'b.example') => a.ask(origin, 'GET', F + path) as Promise<Told>
const missing = (roomId: string, body: JsonObject, origin = 'b.example') =>
  a.ask(origin, 'POST', `${F}/get_missing_events/${enc(roomId)}`, body) as Promise<Told>
const bodies = (pdus: JsonObject[]): unknown[] => pdus.map((pdu) => (pdu['content'] as JsonObject)['body'])
const visibility = (value: string): CreateRoomInput => ({
  preset: 'public_chat',
  initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: value } }],
})

interface Told {
  readonly status: number
  // oxlint-disable-next-line typescript/no-explicit-any -- parsed JSON of all kinds of answers
  readonly body: any
}

/** Every read of a room, as paths about one event. */
const reads = (roomId: string, eventId: string): string[] => [
  `/event/${enc(eventId)}`,
  `/state/${enc(roomId)}?event_id=${enc(eventId)}`,
  `/state_ids/${enc(roomId)}?event_id=${enc(eventId)}`,
  `/event_auth/${enc(roomId)}/${enc(eventId)}`,
  `/backfill/${enc(roomId)}?v=${enc(eventId)}&limit=5`,
]

describe('reads of a room by other servers', () => {
  it('go on when the last user here has left, as far as the room was known then; who came later learns nothing', async () => {
    const roomId = await roomOf()
    await join(roomId)
    const last = await say(roomId, 'my last words')
    await a.memberships.leave(as(ANA), { roomId })
    for (const path of reads(roomId, last))
      expect({ path, ...(await get(path)) }).toMatchObject({ status: 200 })
    expect((await missing(roomId, { earliest_events: [], latest_events: [last], limit: 5 })).status).toBe(200)
    for (const path of reads(roomId, last)) {
      expect((await get(path, 'c.example')).status).toBeGreaterThanOrEqual(403)
    }
  })

  it('give the event, the state before it, its auth chain and what came before', async () => {
    const roomId = await roomOf()
    await join(roomId)
    const one = await say(roomId, 'one')
    const two = await say(roomId, 'two')
    const state = await a.state(roomId)

    const event = await get(`/event/${enc(two)}`)
    expect(event.body).toMatchObject({
      origin: 'a.example',
      pdus: [{ content: { body: 'two' }, prev_events: [one] }],
    })
    const ids = await get(`/state_ids/${enc(roomId)}?event_id=${enc(two)}`)
    expect(new Set(ids.body.pdu_ids)).toEqual(new Set(state.values()))
    const full = await get(`/state/${enc(roomId)}?event_id=${enc(two)}`)
    expect(full.body.pdus).toHaveLength(state.size)
    expect(ids.body.auth_chain_ids).toHaveLength(full.body.auth_chain.length)
    const auth = await get(`/event_auth/${enc(roomId)}/${enc(two)}`)
    const types = auth.body.auth_chain.map((pdu: JsonObject) => pdu['type']).sort()
    expect(types).toEqual(['m.room.create', 'm.room.member', 'm.room.power_levels'])
    const back = await get(`/backfill/${enc(roomId)}?v=${enc(two)}&limit=2`)
    expect(bodies(back.body.pdus)).toEqual(['two', 'one'])
  })

  it('give the state before an event, not after it', async () => {
    const roomId = await roomOf()
    await join(roomId)
    await a.sending.state(as(ANA), { roomId, type: 'm.room.name', stateKey: '', content: { name: 'x' } })
    const id = (await a.state(roomId)).get('m.room.name|')!
    const ids = await get(`/state_ids/${enc(roomId)}?event_id=${enc(id)}`)
    expect(ids.body.pdu_ids).not.toContain(id)
  })

  it('are refused to servers outside of the room, and to those shut out of it', async () => {
    const roomId = await roomOf()
    await join(roomId)
    const id = await say(roomId, 'x')
    const range = { latest_events: [id], earliest_events: [] }
    for (const path of reads(roomId, id))
      expect(await get(path, 'c.example')).toMatchObject({ status: path.startsWith('/event/') ? 404 : 403 })
    expect(await missing(roomId, range, 'c.example')).toMatchObject({ status: 403 })
    const acl = { allow: ['*'], deny: ['B.example'] }
    await a.sending.state(as(ANA), { roomId, type: 'm.room.server_acl', stateKey: '', content: acl })
    for (const path of reads(roomId, id)) expect(await get(path)).toMatchObject({ status: 403 })
    expect(await missing(roomId, range)).toMatchObject({ status: 403 })
  })

  it('treat an event of another room as one that is not here', async () => {
    const roomId = await roomOf()
    await join(roomId)
    const secret = await roomOf({ preset: 'private_chat' })
    const id = await say(secret, 'secret')
    for (const path of reads(roomId, id)) {
      const { status, body } = await get(path)
      expect(status).toBe(404)
      expect(JSON.stringify(body)).not.toContain('"secret"')
    }
    const range = { latest_events: [id], earliest_events: [] }
    expect((await missing(roomId, range)).body).toEqual({ events: [] })
    expect(await get(`/event/${enc(`$${'x'.repeat(42)}A`)}`)).toMatchObject({ status: 404 })
    for (const path of reads('!none:a.example', id).slice(1))
      expect(await get(path)).toMatchObject({ status: 404 })
  })

  it.each(['joined', 'invited'])('redact what was said before the server came (%s)', async (value) => {
    const roomId = await roomOf(visibility(value))
    const before = await say(roomId, 'before')
    await join(roomId)
    const after = await say(roomId, 'after')
    expect((await get(`/event/${enc(before)}`)).body.pdus[0].content).toEqual({})
    expect((await get(`/event/${enc(after)}`)).body.pdus[0].content).toMatchObject({ body: 'after' })
    const back = await get(`/backfill/${enc(roomId)}?v=${enc(after)}&limit=50`)
    expect(JSON.stringify(back.body)).not.toContain('before')
    expect(JSON.stringify(back.body)).toContain('after')
    const { body } = await missing(roomId, { latest_events: [after], earliest_events: [] })
    expect(JSON.stringify(body)).not.toContain('before')
  })

  it('bound backfill, and go through events that were refused', async () => {
    const roomId = await roomOf()
    await join(roomId)
    const first = await say(roomId, 'first')
    // @bo has no right to set the name: the events are refused, and stay in the graph.
    const room = (await b.context.loader.load(roomId))!
    let last = first
    for (let i = 0; i < 30; i++) {
      last = await forged(roomId, last, i)
    }
    expect((await a.context.events.byId(last))!.rejected).toBeDefined()
    expect(room.rules.id).toBe('12')
    const back = await get(`/backfill/${enc(roomId)}?v=${enc(last)}&limit=3`)
    expect(back.body.pdus).toHaveLength(3)
    expect(bodies(back.body.pdus)[0]).toBe('first')
    expect(await get(`/event/${enc(last)}`)).toMatchObject({ status: 404 })
    // What is accepted may stand on it.
    const state = await get(`/state_ids/${enc(roomId)}?event_id=${enc(last)}`)
    expect(state.body.pdu_ids).toContain((await a.context.events.byId(first))!.event.authEvents[0])
    for (let i = 0; i < 110; i++) await say(roomId, `m${i}`)
    const tip = await say(roomId, 'tip')
    const all = await get(`/backfill/${enc(roomId)}?v=${enc(tip)}&limit=100000`)
    expect(all.body.pdus).toHaveLength(100)
    expect(await get(`/backfill/${enc(roomId)}?v=${enc(tip)}&limit=0`)).toMatchObject({ status: 400 })
    expect(await get(`/backfill/${enc(roomId)}?limit=5`)).toMatchObject({ status: 400 })
  })

  async function forged(roomId: string, previous: string, i: number): Promise<string> {
    const { buildEvent } = await import('../../../core/event/build.js')
    const { roomVersion } = await import('../../../core/room-version/versions.js')
    const state = await a.state(roomId)
    const event = buildEvent(
      {
        type: 'm.room.name',
        sender: BO,
        stateKey: '',
        content: { name: `forged ${i}` },
        roomId,
        depth: 100 + i,
        originServerTs: Date.now(),
        prevEvents: [previous],
        authEvents: [state.get('m.room.power_levels|')!, state.get(`m.room.member|${BO}`)!],
      },
      roomVersion('12')!,
      b.signer,
    )
    await a.context.writer.write(roomId, (room) =>
      applyEvent(room, event, { live: true, origin: 'b.example' }, a.context.local),
    )
    return event.id
  }

  it('fill a gap between what a server has and what it was sent', async () => {
    const roomId = await roomOf()
    await join(roomId)
    const ids: string[] = []
    for (let i = 0; i < 30; i++) ids.push(await say(roomId, `m${i}`))
    const between = await missing(roomId, { latest_events: [ids[9]!], earliest_events: [ids[4]!] })
    expect(bodies(between.body.events)).toEqual(['m5', 'm6', 'm7', 'm8'])
    const bounded = await missing(roomId, { latest_events: [ids[29]!], earliest_events: [], limit: 1_000 })
    expect(bounded.body.events).toHaveLength(20)
    const few = await missing(roomId, { latest_events: [ids[29]!], earliest_events: [] })
    expect(few.body.events).toHaveLength(10)
    const depth = few.body.events[8].depth
    const deep = await missing(roomId, { latest_events: [ids[29]!], earliest_events: [], min_depth: depth })
    expect(deep.body.events).toHaveLength(2)
    expect(await missing(roomId, { latest_events: 'x', earliest_events: [] })).toMatchObject({ status: 400 })
  })

  it('serve state events whose place in history is not here, but give them no place', async () => {
    const roomId = await roomOf()
    await join(roomId)
    const c = await world.node('c.example')
    await c.memberships.join(as('@cid:c.example'), { room: roomId, via: ['a.example'] })
    // For b.example everything but its own join is an outlier; it learns of @cid only so.
    const id = (await c.state(roomId)).get('m.room.power_levels|')!
    const own = (await b.state(roomId)).get(`m.room.member|${BO}`)!
    const ask = (path: string) => b.ask('a.example', 'GET', F + path) as Promise<Told>
    expect(await ask(`/event/${enc(id)}`)).toMatchObject({ status: 200 })
    expect(await ask(`/state_ids/${enc(roomId)}?event_id=${enc(id)}`)).toMatchObject({ status: 404 })
    expect(await ask(`/backfill/${enc(roomId)}?v=${enc(id)}&limit=5`)).toMatchObject({ status: 404 })
    expect((await ask(`/backfill/${enc(roomId)}?v=${enc(own)}&limit=5`)).body.pdus).toHaveLength(1)
    const ids = await ask(`/state_ids/${enc(roomId)}?event_id=${enc(own)}`)
    expect(ids.body.pdu_ids).toContain(id)
  })
})

describe('what needs no room', () => {
  it('gives the keys, the version, and the published rooms', async () => {
    const { roomId } = { roomId: await roomOf({ preset: 'public_chat', visibility: 'public', name: 'Open' }) }
    for (const path of ['/_matrix/key/v2/server', '/_matrix/key/v2/server/ed25519:x']) {
      const { status, body } = await a.ask('', 'GET', path)
      expect(status).toBe(200)
      expect(body).toMatchObject({ server_name: 'a.example', verify_keys: { [a.signer.keyId]: {} } })
    }
    expect(await a.ask('', 'GET', `${F}/version`)).toMatchObject({ body: { server: { name: 'Chancery' } } })
    expect((await get('/publicRooms?limit=0')).body.chunk).toMatchObject([{ room_id: roomId, name: 'Open' }])
    const search = (filter: JsonObject) =>
      a.ask('b.example', 'POST', `${F}/publicRooms`, { filter, limit: 5 })
    expect(await search({ generic_search_term: 'open' })).toMatchObject({
      body: { chunk: [{ room_id: roomId }] },
    })
    expect(await search({ generic_search_term: 'shut' })).toMatchObject({ body: { chunk: [] } })
    expect(await search({ room_types: 'x' })).toMatchObject({ status: 400 })
    const { fetchRemotePublicRooms } = await import('../peers/queries.js')
    expect(await fetchRemotePublicRooms(b.client, 'a.example', { term: 'op' })).toMatchObject({
      chunk: [{ room_id: roomId, num_joined_members: 1 }],
      total_room_count_estimate: 1,
    })
  })
})
