import { randomBytes } from 'node:crypto'
import { expect } from '@jest/globals'
import { buildEvent } from '../../src/core/event/build.js'
import type { RoomEvent } from '../../src/core/event/types.js'
import { roomVersion } from '../../src/core/room-version/versions.js'
import { startSync, type Answer } from '../harness/client.js'
import { testAuthority } from '../harness/node.js'
import { idsOfWhole } from '../harness/pdus.js'
import { fed, withPeer, type Peer } from '../harness/peer.js'
import { createRoom, enc, inRoom, refusal, section, sharedRoom } from '../harness/section.js'

const authority = testAuthority()
const signed = { auth: 'signature' } as const
const knockable = {
  initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }],
}
const make = (peer: Peer, kind: string, roomId: string, userId: string, query?: string): Promise<Answer> =>
  peer.call('GET', fed(`/make_${kind}/${enc(roomId)}/${enc(userId)}`), query === undefined ? {} : { query })
const send = (peer: Peer, kind: string, version: number, event: RoomEvent): Promise<Answer> =>
  peer.call('PUT', fed(`/send_${kind}/${enc(event.roomId!)}/${enc(event.id)}`, version), { body: event.pdu })

section(
  'Federation: joining, leaving, knocking',
  'server-server-api/#joining-rooms',
  (operation) => {
    operation(
      'makeJoin',
      'GET /_matrix/federation/v1/make_join/{roomId}/{userId}',
      ({ success, error, authorisation }) => {
        success(
          'gives an event to sign',
          withPeer(authority, async (server, peer) => {
            const alice = await server.user('alice')
            const roomId = await sharedRoom(alice, [], { room_version: '11' })
            const eve = peer.user()
            const { status, body } = await make(peer, 'join', roomId, eve, 'ver=10&ver=11')
            expect([status, body]).toEqual([
              200,
              {
                room_version: '11',
                event: expect.objectContaining({
                  type: 'm.room.member',
                  sender: eve,
                  state_key: eve,
                  room_id: roomId,
                  content: { membership: 'join' },
                  depth: expect.any(Number),
                  prev_events: [expect.stringMatching(/^\$/)],
                  auth_events: expect.arrayContaining([expect.stringMatching(/^\$/)]),
                  origin: server.serverName,
                  origin_server_ts: expect.any(Number),
                }),
              },
            ])
          }),
        )
        error(
          'knows no unknown room, and no room version that the other does not',
          withPeer(authority, async (server, peer) => {
            const alice = await server.user('alice')
            await refusal(
              make(peer, 'join', `!none:${server.serverName}`, peer.user(), 'ver=11'),
              404,
              'M_NOT_FOUND',
            )
            const roomId = await sharedRoom(alice, [], { room_version: '11' })
            const answer = await refusal(
              make(peer, 'join', roomId, peer.user(), 'ver=9&ver=10'),
              400,
              'M_INCOMPATIBLE_ROOM_VERSION',
            )
            expect(answer.body.room_version).toBe('11')
          }),
        )
        authorisation(
          'is for users of the server that asks, whom the room lets in',
          withPeer(authority, async (server, peer) => {
            const alice = await server.user('alice')
            const open = await sharedRoom(alice, [], { room_version: '11' })
            await refusal(make(peer, 'join', open, '@eve:elsewhere.example', 'ver=11'), 403, 'M_FORBIDDEN')
            const closed = await createRoom(alice, { room_version: '11' })
            await refusal(make(peer, 'join', closed, peer.user(), 'ver=11'), 403, 'M_FORBIDDEN')
          }),
        )
      },
      signed,
    )
    for (const [version, id] of [
      [2, 'sendJoinV2'],
      [1, 'sendJoinV1'],
    ] as const) {
      const bodyOf = ({ body }: Answer) => (version === 1 ? body[1] : body)
      operation(
        id,
        `PUT /_matrix/federation/v${version}/send_join/{roomId}/{eventId}`,
        ({ success, error, authorisation }) => {
          success(
            'takes the join and gives the state of the room',
            withPeer(authority, async (server, peer) => {
              const alice = await server.user('alice')
              const roomId = await sharedRoom(alice, [], { name: 'Hall' })
              const eve = peer.user()
              const { event, version: ofRoom } = await peer.prepare('join', roomId, eve)
              const answer = await send(peer, 'join', version, event)
              expect(answer.status).toBe(200)
              if (version === 1) expect(answer.body).toEqual([200, expect.any(Object)])
              const { state, auth_chain: chain, event: countersigned, ...rest } = bodyOf(answer)
              expect(rest).toEqual({
                origin: server.serverName,
                members_omitted: false,
                servers_in_room: expect.arrayContaining([server.serverName]),
              })
              expect(state.map((pdu: { type: string }) => pdu.type)).toEqual(
                expect.arrayContaining([
                  'm.room.create',
                  'm.room.member',
                  'm.room.power_levels',
                  'm.room.join_rules',
                ]),
              )
              expect(state).toContainEqual(
                expect.objectContaining({
                  type: 'm.room.name',
                  state_key: '',
                  sender: alice.userId,
                  content: { name: 'Hall' },
                  hashes: { sha256: expect.any(String) },
                  signatures: { [server.serverName]: expect.any(Object) },
                }),
              )
              expect(chain).toContainEqual(
                expect.objectContaining({ type: 'm.room.create', sender: alice.userId }),
              )
              const ids = await idsOfWhole(server, ofRoom, state)
              expect(ids).toHaveLength((await alice.ok('GET', inRoom(roomId, 'state'))).length - 1)
              expect(await idsOfWhole(server, ofRoom, chain)).toEqual(
                expect.arrayContaining([...event.authEvents]),
              )
              expect(await idsOfWhole(server, ofRoom, [countersigned])).toEqual([event.id])
              expect(countersigned.signatures).toMatchObject(event.pdu['signatures'] as object)
              const { joined } = await alice.ok('GET', inRoom(roomId, 'joined_members'))
              expect(Object.keys(joined).toSorted()).toEqual([alice.userId, eve].toSorted())
            }),
          )
          if (version === 2)
            success(
              'leaves the members out where the other server wants it so',
              withPeer(authority, async (server, peer) => {
                const alice = await server.user('alice')
                const bob = await server.user('bob')
                const roomId = await sharedRoom(alice, [bob], { name: 'Hall' })
                const { event } = await peer.prepare('join', roomId, peer.user())
                const path = fed(`/send_join/${enc(roomId)}/${enc(event.id)}`, 2)
                const query = 'omit_members=true'
                const { status, body } = await peer.call('PUT', path, { body: event.pdu, query })
                expect(status).toBe(200)
                expect(body).toMatchObject({
                  members_omitted: true,
                  servers_in_room: expect.arrayContaining([server.serverName]),
                })
                const types = (list: readonly { type: string }[]) => list.map(({ type }) => type)
                expect(types(body.state)).not.toContain('m.room.member')
                expect(types(body.state)).toContain('m.room.name')
                // Those by whom the rest is judged are given all the same.
                expect(body.auth_chain).toContainEqual(
                  expect.objectContaining({ type: 'm.room.member', state_key: alice.userId }),
                )
              }),
            )
          error(
            'refuses what is no join, and another event than the path names',
            withPeer(authority, async (server, peer) => {
              const alice = await server.user('alice')
              const roomId = await sharedRoom(alice, [], knockable)
              const { event: knock } = await peer.prepare('knock', roomId, peer.user())
              const { status } = await send(peer, 'join', version, knock)
              expect([400, 403]).toContain(status)
              const open = await sharedRoom(alice)
              const { event } = await peer.prepare('join', open, peer.user())
              const answer = await send(peer, 'join', version, { ...event, id: '$another' } as RoomEvent)
              expect(answer.status).toBe(400)
              expect(Object.keys((await alice.ok('GET', inRoom(open, 'joined_members'))).joined)).toEqual([
                alice.userId,
              ])
            }),
          )
          authorisation(
            'lets nobody in for whom the room has closed meanwhile',
            withPeer(authority, async (server, peer) => {
              const alice = await server.user('alice')
              const roomId = await sharedRoom(alice)
              const eve = peer.user()
              const { event } = await peer.prepare('join', roomId, eve)
              await alice.ok('POST', inRoom(roomId, 'ban'), { user_id: eve })
              await refusal(send(peer, 'join', version, event), 403, 'M_FORBIDDEN')
              expect(Object.keys((await alice.ok('GET', inRoom(roomId, 'joined_members'))).joined)).toEqual([
                alice.userId,
              ])
            }),
          )
        },
        signed,
      )
    }
    operation(
      'makeLeave',
      'GET /_matrix/federation/v1/make_leave/{roomId}/{userId}',
      ({ success, authorisation }) => {
        success(
          'gives an event to sign',
          withPeer(authority, async (server, peer) => {
            const alice = await server.user('alice')
            const roomId = await sharedRoom(alice, [], { room_version: '11' })
            const eve = peer.user()
            await peer.join(roomId, eve)
            const { body } = await make(peer, 'leave', roomId, eve)
            expect(body).toEqual({
              room_version: '11',
              event: expect.objectContaining({
                type: 'm.room.member',
                sender: eve,
                state_key: eve,
                room_id: roomId,
                content: { membership: 'leave' },
                depth: expect.any(Number),
                prev_events: [expect.stringMatching(/^\$/)],
                auth_events: expect.arrayContaining([expect.stringMatching(/^\$/)]),
                origin: server.serverName,
                origin_server_ts: expect.any(Number),
              }),
            })
          }),
        )
        authorisation(
          'is for users of the server that asks, who are there',
          withPeer(authority, async (server, peer) => {
            const alice = await server.user('alice')
            const roomId = await sharedRoom(alice)
            await refusal(make(peer, 'leave', roomId, alice.userId), 403, 'M_FORBIDDEN')
            const { status } = await make(peer, 'leave', roomId, peer.user())
            expect([403, 404]).toContain(status)
          }),
        )
      },
      signed,
    )
    for (const [version, id] of [
      [2, 'sendLeaveV2'],
      [1, 'sendLeaveV1'],
    ] as const) {
      operation(
        id,
        `PUT /_matrix/federation/v${version}/send_leave/{roomId}/{eventId}`,
        ({ success, error }) => {
          success(
            'takes the leave, which the others see',
            withPeer(authority, async (server, peer) => {
              const alice = await server.user('alice')
              const roomId = await sharedRoom(alice)
              const eve = peer.user()
              await peer.join(roomId, eve)
              const { event } = await peer.prepare('leave', roomId, eve)
              const { status, body } = await send(peer, 'leave', version, event)
              expect([status, body]).toEqual([200, version === 1 ? [200, {}] : {}])
              expect(
                (await alice.ok('GET', inRoom(roomId, `state/m.room.member/${enc(eve)}`))).membership,
              ).toBe('leave')
            }),
          )
          error(
            'refuses what is no leave',
            withPeer(authority, async (server, peer) => {
              const roomId = await sharedRoom(await server.user('alice'))
              const { event } = await peer.prepare('join', roomId, peer.user())
              expect([400, 403]).toContain((await send(peer, 'leave', version, event)).status)
            }),
          )
        },
        signed,
      )
    }
    operation(
      'makeKnock',
      'GET /_matrix/federation/v1/make_knock/{roomId}/{userId}',
      ({ success, error, authorisation }) => {
        success(
          'gives an event to sign',
          withPeer(authority, async (server, peer) => {
            const roomId = await createRoom(await server.user('alice'), { ...knockable, room_version: '11' })
            const eve = peer.user()
            const { body } = await make(peer, 'knock', roomId, eve, 'ver=11')
            expect(body).toEqual({
              room_version: '11',
              event: expect.objectContaining({
                type: 'm.room.member',
                sender: eve,
                state_key: eve,
                room_id: roomId,
                content: { membership: 'knock' },
                depth: expect.any(Number),
                prev_events: [expect.stringMatching(/^\$/)],
                auth_events: expect.arrayContaining([expect.stringMatching(/^\$/)]),
                origin: server.serverName,
                origin_server_ts: expect.any(Number),
              }),
            })
          }),
        )
        error(
          'knows no unknown room, and no room version that the other does not',
          withPeer(authority, async (server, peer) => {
            await refusal(
              make(peer, 'knock', `!none:${server.serverName}`, peer.user(), 'ver=11'),
              404,
              'M_NOT_FOUND',
            )
            const roomId = await createRoom(await server.user('alice'), { ...knockable, room_version: '11' })
            await refusal(
              make(peer, 'knock', roomId, peer.user(), 'ver=10'),
              400,
              'M_INCOMPATIBLE_ROOM_VERSION',
            )
          }),
        )
        authorisation(
          'is for users of the server that asks, where the room takes knocks',
          withPeer(authority, async (server, peer) => {
            const alice = await server.user('alice')
            const open = await createRoom(alice, knockable)
            await refusal(
              make(peer, 'knock', open, '@eve:elsewhere.example', 'ver=11&ver=12'),
              403,
              'M_FORBIDDEN',
            )
            const closed = await createRoom(alice)
            await refusal(make(peer, 'knock', closed, peer.user(), 'ver=11&ver=12'), 403, 'M_FORBIDDEN')
          }),
        )
      },
      signed,
    )
    operation(
      'sendKnock',
      'PUT /_matrix/federation/v1/send_knock/{roomId}/{eventId}',
      ({ success, error, authorisation }) => {
        success(
          'takes the knock, and says what the room is',
          withPeer(authority, async (server, peer) => {
            const alice = await server.user('alice')
            const roomId = await createRoom(alice, { ...knockable, name: 'Hall' })
            const eve = peer.user()
            const { event, version } = await peer.prepare('knock', roomId, eve)
            const { status, body } = await send(peer, 'knock', 1, event)
            expect(status).toBe(200)
            expect(body.knock_room_state).toContainEqual(
              expect.objectContaining({
                type: 'm.room.name',
                state_key: '',
                sender: alice.userId,
                content: { name: 'Hall' },
              }),
            )
            const ids = await idsOfWhole(server, version, body.knock_room_state)
            const state: { event_id: string }[] = await alice.ok('GET', inRoom(roomId, 'state'))
            expect(state.map((one) => one.event_id)).toEqual(expect.arrayContaining(ids))
            expect(
              (await alice.ok('GET', inRoom(roomId, `state/m.room.member/${enc(eve)}`))).membership,
            ).toBe('knock')
          }),
        )
        error(
          'refuses what is no knock',
          withPeer(authority, async (server, peer) => {
            const roomId = await sharedRoom(await server.user('alice'))
            const { event } = await peer.prepare('join', roomId, peer.user())
            expect([400, 403]).toContain((await send(peer, 'knock', 1, event)).status)
          }),
        )
        authorisation(
          'is refused where the room takes no knocks any more',
          withPeer(authority, async (server, peer) => {
            const alice = await server.user('alice')
            const roomId = await createRoom(alice, knockable)
            const { event } = await peer.prepare('knock', roomId, peer.user())
            await alice.ok('PUT', inRoom(roomId, 'state/m.room.join_rules/'), { join_rule: 'invite' })
            await refusal(send(peer, 'knock', 1, event), 403, 'M_FORBIDDEN')
          }),
        )
      },
      signed,
    )
    for (const [version, id] of [
      [2, 'sendInviteV2'],
      [1, 'sendInviteV1'],
    ] as const) {
      const rules = roomVersion(version === 1 ? '1' : '11')!
      const invite = (peer: Peer, invited: string, sender = peer.user()): RoomEvent =>
        buildEvent(
          {
            type: 'm.room.member',
            sender,
            stateKey: invited,
            roomId: `!${randomBytes(6).toString('hex')}:${peer.server.name}`,
            content: { membership: 'invite' },
            depth: 9,
            originServerTs: Date.now(),
            prevEvents: [version === 1 ? `$prev:${peer.server.name}` : `$${'A'.repeat(43)}`],
            authEvents: [version === 1 ? `$auth:${peer.server.name}` : `$${'A'.repeat(43)}`],
            ...(version === 1 && { eventId: `$i${randomBytes(6).toString('hex')}:${peer.server.name}` }),
          },
          rules,
          peer.server.signer,
        )
      const sendInvite = (peer: Peer, event: RoomEvent): Promise<Answer> => {
        const create = {
          type: 'm.room.create',
          state_key: '',
          sender: event.sender,
          content: { room_version: rules.id },
        }
        const name = { type: 'm.room.name', state_key: '', sender: event.sender, content: { name: 'Far' } }
        const state = [create, name]
        const body =
          version === 1
            ? { ...event.pdu, unsigned: { invite_room_state: state } }
            : { room_version: rules.id, event: event.pdu, invite_room_state: state }
        return peer.call('PUT', fed(`/invite/${enc(event.roomId!)}/${enc(event.id)}`, version), { body })
      }
      operation(
        id,
        `PUT /_matrix/federation/v${version}/invite/{roomId}/{eventId}`,
        ({ success, error, authorisation }) => {
          success(
            'tells the user of the invite, and signs it',
            withPeer(authority, async (server, peer) => {
              const alice = await server.user('alice')
              const following = await startSync(alice)
              const event = invite(peer, alice.userId)
              const { status, body } = await sendInvite(peer, event)
              expect(status).toBe(200)
              const given = version === 1 ? body[1].event : body.event
              expect(given).toMatchObject({
                type: 'm.room.member',
                state_key: alice.userId,
                sender: event.sender,
                content: { membership: 'invite' },
                signatures: event.pdu['signatures'],
              })
              expect(await idsOfWhole(server, rules.id, [given], true)).toEqual([event.id])
              const state = await following.until(
                'invite',
                ({ rooms }) => rooms?.invite?.[event.roomId!]?.invite_state.events,
              )
              expect(state).toContainEqual(
                expect.objectContaining({ type: 'm.room.name', content: { name: 'Far' } }),
              )
            }),
          )
          error(
            'invites nobody who is not here',
            withPeer(authority, async (server, peer) => {
              const { status } = await sendInvite(
                peer,
                invite(peer, `@nobody-${Date.now()}:${server.serverName}`),
              )
              expect([403, 404]).toContain(status)
              expect([400, 403]).toContain(
                (await sendInvite(peer, invite(peer, '@x:elsewhere.example'))).status,
              )
            }),
          )
          authorisation(
            'takes invites of the server’s own users only',
            withPeer(authority, async (server, peer) => {
              const alice = await server.user('alice')
              const event = invite(peer, alice.userId, '@x:elsewhere.example')
              expect([400, 403]).toContain((await sendInvite(peer, event)).status)
              expect(
                (await alice.ok('GET', '/_matrix/client/v3/sync')).rooms?.invite?.[event.roomId!],
              ).toBeUndefined()
            }),
          )
        },
        signed,
      )
    }
  },
  { authority },
)
