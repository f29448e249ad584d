import { expect } from '@jest/globals'
import { eventually } from '../harness/client.js'
import type { Homeserver } from '../harness/homeserver.js'
import { testAuthority } from '../harness/node.js'
import { idsOfWhole } from '../harness/pdus.js'
import { fed, withPeer, type Joined, type Peer } from '../harness/peer.js'
import {
  createRoom,
  enc,
  inRoom,
  refusal,
  section,
  sendText,
  sharedRoom,
  type Answer,
  type User,
} from '../harness/section.js'

const authority = testAuthority()
const signed = { auth: 'signature' } as const

interface Given {
  readonly alice: User
  readonly roomId: string
  readonly eve: string
  /** Three texts of alice, in order. */
  readonly texts: readonly string[]
  readonly joined: Joined
}
/** A room with a user of the peer in it, and three messages after that. */
async function shared(server: Homeserver, peer: Peer): Promise<Given> {
  const alice = await server.user('alice')
  const roomId = await sharedRoom(alice, [], { name: 'Hall' })
  const eve = peer.user()
  const joined = await peer.join(roomId, eve)
  const texts: string[] = []
  for (const body of ['one', 'two', 'three']) texts.push(await sendText(alice, roomId, body))
  return { alice, roomId, eve, texts, joined }
}
/** A room that the peer is not in. */
async function closed(server: Homeserver): Promise<{ roomId: string; eventId: string }> {
  const alice = await server.user('alice')
  const roomId = await createRoom(alice)
  return { roomId, eventId: await sendText(alice, roomId, 'secret') }
}
const typesOf = (pdus: { type: string }[]): string[] => pdus.map(({ type }) => type)
const bodies = (pdus: { content: { body?: string } }[]): unknown[] => pdus.map(({ content }) => content.body)
const pduOf = (given: Given, server: Homeserver, body: string): unknown =>
  expect.objectContaining({
    type: 'm.room.message',
    sender: given.alice.userId,
    room_id: given.roomId,
    content: { msgtype: 'm.text', body },
    depth: expect.any(Number),
    origin_server_ts: expect.any(Number),
    prev_events: [expect.any(String)],
    auth_events: expect.arrayContaining([expect.any(String)]),
    hashes: { sha256: expect.any(String) },
    signatures: { [server.serverName]: expect.any(Object) },
  })
const noneOf = (answer: Answer): void => {
  expect([answer.status, answer.body.errcode]).toEqual([
    expect.any(Number),
    expect.stringMatching(/^(M_FORBIDDEN|M_NOT_FOUND)$/),
  ])
}

section(
  'Federation: events',
  'server-server-api/#retrieving-events',
  (operation) => {
    operation(
      'getEvent',
      'GET /_matrix/federation/v1/event/{eventId}',
      ({ success, error, authorisation }) => {
        success(
          'gives an event of a shared room',
          withPeer(authority, async (server, peer) => {
            const given = await shared(server, peer)
            const answer = await peer.ok('GET', fed(`/event/${enc(given.texts[1]!)}`))
            expect(answer).toEqual({
              origin: server.serverName,
              origin_server_ts: expect.any(Number),
              pdus: [pduOf(given, server, 'two')],
            })
            expect(await idsOfWhole(server, given.joined.version, answer.pdus)).toEqual([given.texts[1]])
          }),
        )
        error(
          'knows no unknown event',
          withPeer(authority, async (_, peer) => {
            noneOf(await peer.call('GET', fed(`/event/${enc(`$${'A'.repeat(43)}`)}`)))
          }),
        )
        authorisation(
          'is for servers that are in the room',
          withPeer(authority, async (server, peer) => {
            noneOf(await peer.call('GET', fed(`/event/${enc((await closed(server)).eventId)}`)))
          }),
        )
      },
      signed,
    )
    operation(
      'getRoomState',
      'GET /_matrix/federation/v1/state/{roomId}',
      ({ success, error, authorisation }) => {
        const ask = (peer: Peer, roomId: string, eventId: string): Promise<Answer> =>
          peer.call('GET', fed(`/state/${enc(roomId)}`), { query: `event_id=${enc(eventId)}` })
        success(
          'gives the state before an event, and what authorises it',
          withPeer(authority, async (server, peer) => {
            const given = await shared(server, peer)
            await given.alice.ok('PUT', inRoom(given.roomId, 'state/m.room.name/'), { name: 'Later' })
            const { body } = await ask(peer, given.roomId, given.texts[0]!)
            expect(typesOf(body.pdus)).toEqual(expect.arrayContaining(['m.room.create', 'm.room.join_rules']))
            expect(body.pdus).toContainEqual(
              expect.objectContaining({ type: 'm.room.name', content: { name: 'Hall' } }),
            )
            expect(body.pdus).toContainEqual(
              expect.objectContaining({
                type: 'm.room.member',
                state_key: given.eve,
                content: { membership: 'join' },
              }),
            )
            expect(typesOf(body.auth_chain)).toContain('m.room.create')
            const ids = await peer.ok('GET', fed(`/state_ids/${enc(given.roomId)}`), {
              query: `event_id=${enc(given.texts[0]!)}`,
            })
            const state = await idsOfWhole(server, given.joined.version, body.pdus)
            const chain = await idsOfWhole(server, given.joined.version, body.auth_chain)
            expect([state.toSorted(), chain.toSorted()]).toEqual([
              ids.pdu_ids.toSorted(),
              ids.auth_chain_ids.toSorted(),
            ])
          }),
        )
        error(
          'knows no unknown event',
          withPeer(authority, async (server, peer) => {
            const { roomId } = await shared(server, peer)
            await refusal(ask(peer, roomId, `$${'A'.repeat(43)}`), 404, 'M_NOT_FOUND')
          }),
        )
        authorisation(
          'is for servers that are in the room',
          withPeer(authority, async (server, peer) => {
            const { roomId, eventId } = await closed(server)
            noneOf(await ask(peer, roomId, eventId))
          }),
        )
      },
      signed,
    )
    operation(
      'getRoomStateIds',
      'GET /_matrix/federation/v1/state_ids/{roomId}',
      ({ success, error, authorisation }) => {
        const ask = (peer: Peer, roomId: string, eventId: string): Promise<Answer> =>
          peer.call('GET', fed(`/state_ids/${enc(roomId)}`), { query: `event_id=${enc(eventId)}` })
        success(
          'gives the ids of the state before an event, and of what authorises it',
          withPeer(authority, async (server, peer) => {
            const given = await shared(server, peer)
            const { body } = await ask(peer, given.roomId, given.texts[0]!)
            const state: { event_id: string; type: string }[] = await given.alice.ok(
              'GET',
              inRoom(given.roomId, 'state'),
            )
            expect(body.pdu_ids.toSorted()).toEqual(state.map((event) => event.event_id).toSorted())
            const create = state.find(({ type }) => type === 'm.room.create')!
            expect(body.auth_chain_ids).toContain(create.event_id)
          }),
        )
        error(
          'knows no unknown event',
          withPeer(authority, async (server, peer) => {
            const { roomId } = await shared(server, peer)
            await refusal(ask(peer, roomId, `$${'A'.repeat(43)}`), 404, 'M_NOT_FOUND')
          }),
        )
        authorisation(
          'is for servers that are in the room',
          withPeer(authority, async (server, peer) => {
            const { roomId, eventId } = await closed(server)
            noneOf(await ask(peer, roomId, eventId))
          }),
        )
      },
      signed,
    )
    operation(
      'getEventAuth',
      'GET /_matrix/federation/v1/event_auth/{roomId}/{eventId}',
      ({ success, error, authorisation }) => {
        const ask = (peer: Peer, roomId: string, eventId: string): Promise<Answer> =>
          peer.call('GET', fed(`/event_auth/${enc(roomId)}/${enc(eventId)}`))
        success(
          'gives all that authorises an event',
          withPeer(authority, async (server, peer) => {
            const given = await shared(server, peer)
            const { body } = await ask(peer, given.roomId, given.texts[0]!)
            expect(typesOf(body.auth_chain)).toEqual(
              expect.arrayContaining(['m.room.create', 'm.room.power_levels', 'm.room.member']),
            )
            expect(bodies(body.auth_chain).filter((one) => one !== undefined)).toEqual([])
            const ids = await idsOfWhole(server, given.joined.version, body.auth_chain)
            const event = await peer.ok('GET', fed(`/event/${enc(given.texts[0]!)}`))
            expect(ids).toEqual(expect.arrayContaining(event.pdus[0].auth_events))
          }),
        )
        error(
          'knows no unknown event',
          withPeer(authority, async (server, peer) => {
            const { roomId } = await shared(server, peer)
            await refusal(ask(peer, roomId, `$${'A'.repeat(43)}`), 404, 'M_NOT_FOUND')
          }),
        )
        authorisation(
          'is for servers that are in the room',
          withPeer(authority, async (server, peer) => {
            const { roomId, eventId } = await closed(server)
            noneOf(await ask(peer, roomId, eventId))
          }),
        )
      },
      signed,
    )
    operation(
      'backfillRoom',
      'GET /_matrix/federation/v1/backfill/{roomId}',
      ({ success, error, authorisation }) => {
        const ask = (peer: Peer, roomId: string, query: string): Promise<Answer> =>
          peer.call('GET', fed(`/backfill/${enc(roomId)}`), { query })
        success(
          'gives events and what was before them, newest first, no more than asked',
          withPeer(authority, async (server, peer) => {
            const given = await shared(server, peer)
            const { body } = await ask(peer, given.roomId, `v=${enc(given.texts[2]!)}&limit=2`)
            expect(body).toMatchObject({ origin: server.serverName, origin_server_ts: expect.any(Number) })
            expect(body.pdus).toEqual([pduOf(given, server, 'three'), pduOf(given, server, 'two')])
            expect(await idsOfWhole(server, given.joined.version, body.pdus)).toEqual(
              given.texts.slice(1).toReversed(),
            )
          }),
        )
        error(
          'wants to know from where, and how many',
          withPeer(authority, async (server, peer) => {
            const { roomId, texts } = await shared(server, peer)
            await refusal(ask(peer, roomId, 'limit=2'), 400, 'M_MISSING_PARAM')
            await refusal(ask(peer, roomId, `v=${enc(texts[0]!)}&limit=x`), 400, 'M_INVALID_PARAM')
          }),
        )
        authorisation(
          'is for servers that are in the room',
          withPeer(authority, async (server, peer) => {
            const { roomId, eventId } = await closed(server)
            noneOf(await ask(peer, roomId, `v=${enc(eventId)}&limit=2`))
          }),
        )
      },
      signed,
    )
    operation(
      'getMissingPreviousEvents',
      'POST /_matrix/federation/v1/get_missing_events/{roomId}',
      ({ success, error, authorisation }) => {
        const ask = (peer: Peer, roomId: string, body: object): Promise<Answer> =>
          peer.call('POST', fed(`/get_missing_events/${enc(roomId)}`), { body })
        success(
          'gives what is between events, oldest first',
          withPeer(authority, async (server, peer) => {
            const given = await shared(server, peer)
            const [, two, three] = given.texts
            const { body } = await ask(peer, given.roomId, {
              earliest_events: [given.joined.event.id],
              latest_events: [three],
            })
            expect(body).toEqual({ events: [pduOf(given, server, 'one'), pduOf(given, server, 'two')] })
            expect(await idsOfWhole(server, given.joined.version, body.events)).toEqual(
              given.texts.slice(0, 2),
            )
            const one = await ask(peer, given.roomId, { earliest_events: [two], latest_events: [three] })
            expect(one.body).toEqual({ events: [] })
          }),
        )
        error(
          'wants both ends',
          withPeer(authority, async (server, peer) => {
            const { roomId } = await shared(server, peer)
            await refusal(ask(peer, roomId, { latest_events: [] }), 400, 'M_MISSING_PARAM', 'M_BAD_JSON')
          }),
        )
        authorisation(
          'is for servers that are in the room',
          withPeer(authority, async (server, peer) => {
            const { roomId, eventId } = await closed(server)
            noneOf(await ask(peer, roomId, { earliest_events: [], latest_events: [eventId] }))
          }),
        )
      },
      signed,
    )
    operation(
      'getEventByTimestamp',
      'GET /_matrix/federation/v1/timestamp_to_event/{roomId}',
      ({ success, error, authorisation }) => {
        const ask = (peer: Peer, roomId: string, query: string): Promise<Answer> =>
          peer.call('GET', fed(`/timestamp_to_event/${enc(roomId)}`), { query })
        success(
          'finds the event next to a moment',
          withPeer(authority, async (server, peer) => {
            const { alice, roomId, texts } = await shared(server, peer)
            const last = await alice.ok('GET', inRoom(roomId, `event/${enc(texts[2]!)}`))
            const { body } = await ask(peer, roomId, `dir=b&ts=${Date.now() + 60_000}`)
            expect(body).toEqual({ event_id: texts[2], origin_server_ts: last.origin_server_ts })
          }),
        )
        error(
          'finds nothing after the end, and wants a direction',
          withPeer(authority, async (server, peer) => {
            const { roomId } = await shared(server, peer)
            await refusal(ask(peer, roomId, `dir=f&ts=${Date.now() + 60_000}`), 404, 'M_NOT_FOUND')
            await refusal(ask(peer, roomId, 'ts=1'), 400, 'M_MISSING_PARAM')
          }),
        )
        authorisation(
          'is for servers that are in the room',
          withPeer(authority, async (server, peer) => {
            noneOf(await ask(peer, (await closed(server)).roomId, 'dir=f&ts=1'))
          }),
        )
      },
      signed,
    )
    operation(
      'sendTransaction',
      'PUT /_matrix/federation/v1/send/{txnId}',
      ({ success, error, authorisation }) => {
        let counter = 0
        const transaction = (peer: Peer, rest: object): object => ({
          origin: peer.server.name,
          origin_server_ts: Date.now(),
          pdus: [],
          ...rest,
        })
        const send = (peer: Peer, body: object): Promise<Answer> =>
          peer.call('PUT', fed(`/send/t${Date.now()}-${counter++}`), { body })
        const read = (given: Given, eventId: string): Promise<Answer> =>
          given.alice.call('GET', inRoom(given.roomId, `event/${enc(eventId)}`))
        success(
          'takes events, which users then see',
          withPeer(authority, async (server, peer) => {
            const given = await shared(server, peer)
            const event = given.joined.next({
              type: 'm.room.message',
              content: { msgtype: 'm.text', body: 'from afar' },
            })
            const { status, body } = await send(peer, transaction(peer, { pdus: [event.pdu] }))
            expect([status, body]).toEqual([200, { pdus: { [event.id]: {} } }])
            const seen = await eventually('the event', async () => {
              const answer = await read(given, event.id)
              return answer.status === 200 && answer.body
            })
            expect(seen).toMatchObject({ sender: given.eve, content: { body: 'from afar' } })
          }),
        )
        success(
          'takes what is no event, such as who types',
          withPeer(authority, async (server, peer) => {
            const { alice, roomId, eve } = await shared(server, peer)
            const { next_batch: since } = await alice.ok('GET', '/_matrix/client/v3/sync')
            const edu = { edu_type: 'm.typing', content: { room_id: roomId, user_id: eve, typing: true } }
            expect((await send(peer, transaction(peer, { edus: [edu] }))).body).toEqual({ pdus: {} })
            await eventually('typing', async () => {
              const { rooms } = await alice.ok('GET', '/_matrix/client/v3/sync', undefined, { since })
              return rooms?.join?.[roomId]?.ephemeral.events.some(
                (event: { type: string; content: { user_ids: string[] } }) =>
                  event.type === 'm.typing' && event.content.user_ids.includes(eve),
              )
            })
          }),
        )
        error(
          'says of each event why it is not taken, and takes no more than 50 at once',
          withPeer(authority, async (server, peer) => {
            const given = await shared(server, peer)
            const fields = { type: 'm.room.message', content: { msgtype: 'm.text', body: 'x' } }
            const { pdu, id } = given.joined.next(fields)
            const unsigned = { ...pdu, signatures: {} }
            const { body } = await send(peer, transaction(peer, { pdus: [unsigned] }))
            expect(body).toEqual({ pdus: { [id]: { error: expect.any(String) } } })
            const many = Array.from({ length: 51 }, () => pdu)
            expect((await send(peer, transaction(peer, { pdus: many }))).status).toBe(400)
            expect((await send(peer, transaction(peer, { pdus: 7 }))).status).toBe(400)
            expect((await read(given, id)).status).toBe(404)
          }),
        )
        error(
          'keeps what a room does not allow from its users',
          withPeer(authority, async (server, peer) => {
            const given = await shared(server, peer)
            const before = [given.joined.event.id]
            const seized = given.joined.next({
              type: 'm.room.name',
              stateKey: '',
              content: { name: 'Seized' },
            })
            const fields = {
              type: 'm.room.message',
              content: { msgtype: 'm.text', body: 'after' },
              prev: before,
            }
            const after = given.joined.next(fields)
            await send(peer, transaction(peer, { pdus: [seized.pdu, after.pdu] }))
            await eventually('the event after it', async () => (await read(given, after.id)).status === 200)
            expect((await read(given, seized.id)).status).toBe(404)
            expect(await given.alice.ok('GET', inRoom(given.roomId, 'state/m.room.name'))).toEqual({
              name: 'Hall',
            })
            expect((await send(peer, { pdus: {} })).status).toBe(400)
          }),
        )
        authorisation(
          'takes nothing in the name of other servers',
          withPeer(authority, async (server, peer) => {
            const given = await shared(server, peer)
            const { pdu, id } = given.joined.next({
              type: 'm.room.message',
              content: { msgtype: 'm.text', body: 'x' },
            })
            const forged = { ...pdu, sender: given.alice.userId }
            const answer = await send(peer, transaction(peer, { pdus: [forged] }))
            expect(Object.values(answer.body.pdus ?? {})).not.toContainEqual({})
            expect((await read(given, id)).status).toBe(404)
            const other = await peer.call('PUT', fed('/send/t'), {
              body: transaction(peer, {}),
              origin: 'elsewhere.example',
            })
            expect([other.status, other.body.errcode]).toEqual([401, 'M_UNAUTHORIZED'])
          }),
        )
      },
      signed,
    )
  },
  { authority },
)
