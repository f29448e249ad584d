import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { headJson } from '../../src/core/audit/signed-head.js'
import { signJson } from '../../src/core/event/sign.js'
import { eventId } from '../../src/core/event/event-id.js'
import type { Pdu, RoomEvent } from '../../src/core/event/types.js'
import type { JsonObject } from '../../src/core/json/value.js'
import { roomVersion } from '../../src/core/room-version/versions.js'
import { createSigner, generateSigningKey } from '../../src/platform/ed25519.js'
import { systemRandom } from '../../src/platform/random.js'
import { startCircle, type Circle } from '../harness/circle.js'
import { createRoom, enc, eventually, inRoom, register, v3, type User } from '../harness/client.js'
import { sendPdus } from '../harness/foreign-room.js'
import { answerJson, startForeignServer, type ForeignServer } from '../harness/foreign-server.js'
import { fed, peerOf, type Joined, type Peer } from '../harness/peer.js'
import { signedAsItIs, stateOf, textsIn } from './world.js'

/**
 * Members of a circle that hold to none of its rules: one whose people are agents like ours, and one whose people are external. Two honest nodes stand beside each other, so
 * that what one of them refuses can be compared with what the other has.
 */
let circle: Circle<'finances' | 'interieur'>
const servers: ForeignServer[] = []
let rogue: Peer
let outlaw: Peer
let alice: User
let bob: User
let mal: string
let guest: string

const RESTRICTED = { preset: 'public_chat', room_version: '11' }
const ruled = (rule: string): object => ({
  initial_state: [{ type: 'im.vector.room.access_rules', content: { rule } }],
})

beforeAll(async () => {
  circle = await startCircle(
    { finances: { label: 'Finances' }, interieur: { label: 'Interieur' } },
    {
      access_rules: { enforced: true },
      directory: { red_list: true, people: 'circle', rooms: 'circle', wait: '60s' },
      audit: { enabled: true },
    },
    async (authority) => {
      for (let i = 0; i < 2; i++) servers.push(await startForeignServer(authority))
      return servers.map(({ name, port }, i) => ({
        server_name: name,
        label: i === 0 ? 'Rogue' : 'Guests',
        role: i === 0 ? 'agents' : 'external',
        addresses: [{ host: 'localhost', port }],
      }))
    },
  )
  const { finances, interieur } = circle.nodes
  const target = { ...finances, own: true } as unknown as Parameters<typeof peerOf>[1]
  rogue = peerOf(servers[0]!, target)
  outlaw = peerOf(servers[1]!, target)
  alice = await register(finances.url, 'alice')
  bob = await register(interieur.url, 'bob')
  mal = rogue.user()
  guest = outlaw.user()
})
afterAll(async () => {
  await circle?.close()
  for (const server of servers) await server.close()
})

/** A room of alice with bob and the rogue member's user in it, who has all power. */
async function shared(input: object = RESTRICTED): Promise<{ roomId: string; joined: Joined }> {
  const roomId = await createRoom(alice, {
    ...input,
    power_level_content_override: { users: { [alice.userId]: 100, [mal]: 100 } },
  })
  await bob.ok('POST', v3(`/join/${enc(roomId)}`), {}, { via: circle.nodes.finances.serverName })
  return { roomId, joined: await rogue.join(roomId, mal) }
}

async function tellAll(events: readonly RoomEvent[]): Promise<void> {
  for (const node of Object.values(circle.nodes)) await sendPdus(rogue.server, node, events)
}

/** Both honest nodes have the text, none has the refused event, and their states are the same. */
async function onlyTheInnocent(roomId: string, text: string, refused: RoomEvent): Promise<void> {
  for (const user of [alice, bob]) {
    await eventually('the innocent event is there', async () => (await textsIn(user, roomId)).includes(text))
    expect((await user.call('GET', inRoom(roomId, `event/${enc(refused.id)}`))).status).toBe(404)
  }
  const states = [await stateOf(alice, roomId), await stateOf(bob, roomId)]
  expect(states[1]).toEqual(states[0])
  const { type, stateKey } = refused
  if (stateKey !== undefined)
    expect(states[0]!.get(`${type}/${stateKey}`)).not.toEqual(refused.pdu['content'])
}

const innocent = (joined: Joined, body: string): RoomEvent =>
  joined.next({ type: 'm.room.message', content: { msgtype: 'm.text', body } })
const inviteOf = (joined: Joined, userId: string): RoomEvent =>
  joined.next({ type: 'm.room.member', stateKey: userId, content: { membership: 'invite' } })

describe('a member that holds to no rules', () => {
  it('M1: invites an external person in vain, and what it says on top of that is heard', async () => {
    const { roomId, joined } = await shared()
    const friend = rogue.user()
    const allowed = inviteOf(joined, friend)
    const refused = inviteOf(joined, guest)
    await tellAll([allowed, refused, innocent(joined, 'an innocent word')])
    await onlyTheInnocent(roomId, 'an innocent word', refused)
    // An invite that only differs in whom it invites is taken.
    expect((await stateOf(alice, roomId)).get(`m.room.member/${friend}`)).toEqual({ membership: 'invite' })
  })

  it('M1: changes the rules of a room in vain, and what it says on top of that is heard', async () => {
    const { roomId, joined } = await shared()
    for (const [i, content] of [{ rule: 'direct' }, { rule: 'open' }, {}].entries()) {
      const refused = joined.next({ type: 'im.vector.room.access_rules', stateKey: '', content })
      await tellAll([refused, innocent(joined, `word ${i}`)])
      await onlyTheInnocent(roomId, `word ${i}`, refused)
    }
  })

  it('M2: brings a third person into a direct room in vain', async () => {
    const roomId = await createRoom(alice, {
      is_direct: true,
      room_version: '11',
      ...ruled('direct'),
    })
    const join = await invitedJoin(roomId)
    const third = inviteOf(join, rogue.user())
    await sendPdus(rogue.server, circle.nodes.finances, [third, innocent(join, 'only the two of us')])
    await eventually('what is said on top of it', async () =>
      (await textsIn(alice, roomId)).includes('only the two of us'),
    )
    expect((await stateOf(alice, roomId)).has(`m.room.member/${third.stateKey}`)).toBe(false)
  })

  /** Alice invites the rogue member's user, who comes. */
  async function invitedJoin(roomId: string): Promise<Joined> {
    rogue.server.answer = signing(rogue, '11')
    await alice.ok('POST', inRoom(roomId, 'invite'), { user_id: mal })
    rogue.server.answer = () => false
    return rogue.join(roomId, mal)
  }

  it('M3: hands over a state with whom the rules keep out, and they stay out', async () => {
    const { roomId, joined } = await shared()
    const rules = roomVersion('11')!
    const refused = inviteOf(joined, guest)
    const hidden = innocent(joined, 'a hidden word')
    const shown = innocent(joined, 'a word on a gap')
    const idOf = (pdu: JsonObject): string => eventId(pdu as unknown as Pdu, rules)
    const known = (joined.answer.state as JsonObject[]).map(idOf)
    const stateIds = [...known, joined.event.id, refused.id]
    const chain = [...(joined.answer.auth_chain as JsonObject[]).map(idOf), joined.event.id]
    const events = new Map([refused, hidden].map((event) => [event.id, event.pdu]))
    let asked = 0
    rogue.server.answer = (request, response, path) => {
      request.resume()
      if (path.includes('/get_missing_events/')) answerJson(response, { events: [] })
      else if (path.includes('/state_ids/')) {
        asked += 1
        answerJson(response, { pdu_ids: stateIds, auth_chain_ids: chain })
      } else if (path.includes('/event/')) {
        const pdu = events.get(decodeURIComponent(path.split('/').at(-1)!))
        if (pdu === undefined) return false
        answerJson(response, { origin: rogue.server.name, origin_server_ts: 1, pdus: [pdu] })
      } else return false
      return true
    }
    try {
      await tellAll([shown])
      for (const user of [alice, bob]) {
        await eventually('the word on the gap', async () =>
          (await textsIn(user, roomId)).includes('a word on a gap'),
        )
        expect((await stateOf(user, roomId)).has(`m.room.member/${guest}`)).toBe(false)
        expect((await user.call('GET', inRoom(roomId, `event/${enc(refused.id)}`))).status).toBe(404)
      }
    } finally {
      rogue.server.answer = () => false
    }
    expect(asked).toBeGreaterThan(0)
  })

  it('M4: comes in with external people by no handshake', async () => {
    const roomId = await createRoom(alice, RESTRICTED)
    const onKnock = await createRoom(alice, {
      room_version: '11',
      initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }],
    })
    const template = async (kind: string, room: string, peer: Peer, userId: string) =>
      peer.call('GET', fed(`/make_${kind}/${enc(room)}/${enc(userId)}`), { query: 'ver=11' })
    for (const [kind, room] of [
      ['join', roomId],
      ['knock', onKnock],
    ] as const) {
      expect((await template(kind, room, rogue, mal)).status).toBe(200)
      const { status, body } = await template(kind, room, outlaw, guest)
      expect([status, body['errcode']]).toEqual([403, 'M_FORBIDDEN'])
      expect(body['reason']).toMatch(/^access\.external/)
    }
    // One of the agents gets the template; the external one takes its place in it.
    for (const [kind, room, version] of [
      ['join', roomId, 2],
      ['knock', onKnock, 1],
    ] as const) {
      const { event } = await rogue.prepare(kind, room, mal)
      const { signatures: _signatures, hashes: _hashes, ...fields } = event.pdu
      const rules = roomVersion('11')!
      const forged = signedAsItIs(
        { ...fields, sender: guest, state_key: guest, content: { membership: kind } },
        rules,
        outlaw.server.signer,
      )
      const id = eventId(forged as unknown as Pdu, rules)
      const path = fed(`/send_${kind}/${enc(room)}/${enc(id)}`, version)
      const { status, body } = await outlaw.call('PUT', path, { body: forged })
      expect([status, body['errcode']]).toEqual([403, 'M_FORBIDDEN'])
      expect(body['reason']).toMatch(/^access\.external/)
      expect((await stateOf(alice, room)).has(`m.room.member/${guest}`)).toBe(false)
    }
  })

  it('M5: redeems no invitation of an address for an external person, but where the room is open', async () => {
    const key = createSigner(generateSigningKey(systemRandom))
    const invitedBy = async (roomId: string): Promise<{ status: number; body: JsonObject }> => {
      const offer = { display_name: 'z', key_validity_url: '', public_key: key.publicKey }
      await alice.ok('PUT', inRoom(roomId, 'state/m.room.third_party_invite/token'), {
        ...offer,
        public_keys: [{ public_key: key.publicKey }],
      })
      const signed = signJson(
        { mxid: guest, token: 'token', sender: alice.userId },
        { serverName: 'identity.example', keyId: key.keyId, sign: key.sign },
      )
      return outlaw.call('PUT', fed(`/exchange_third_party_invite/${enc(roomId)}`), {
        body: {
          type: 'm.room.member',
          room_id: roomId,
          sender: alice.userId,
          state_key: guest,
          content: { membership: 'invite', third_party_invite: { display_name: 'z', signed } },
        },
      })
    }
    outlaw.server.answer = signing(outlaw, '11')
    const closed = await createRoom(alice, { room_version: '11' })
    expect(await invitedBy(closed)).toMatchObject({ status: 403, body: { reason: 'access.external' } })
    expect((await stateOf(alice, closed)).has(`m.room.member/${guest}`)).toBe(false)
    const open = await createRoom(alice, { room_version: '11', ...ruled('unrestricted') })
    expect(await invitedBy(open)).toMatchObject({ status: 200 })
    outlaw.server.answer = () => false
    expect((await stateOf(alice, open)).get(`m.room.member/${guest}`)).toMatchObject({ membership: 'invite' })
  })

  it('M6: finds nobody who hides, in whoever’s name it asks', async () => {
    const hidden = await register(circle.nodes.finances.url, 'hidden')
    await hidden.ok('PUT', v3(`/profile/${enc(hidden.userId)}/displayname`), { displayname: 'Hilde Moreau' })
    await hidden.ok('PUT', v3(`/user/${enc(hidden.userId)}/account_data/im.vector.hide_profile`), {
      hide_profile: true,
    })
    await createRoom(hidden, { invite: [alice.userId] })
    const path = '/_matrix/federation/unstable/org.chancery/user_directory/search'
    const body = { search_term: 'hilde', limit: 10 }
    expect(await rogue.call('POST', path, { body })).toMatchObject({ status: 200, body: { results: [] } })
    expect((await outlaw.call('POST', path, { body })).status).toBe(403)
    for (const asker of ['', mal, hidden.userId, alice.userId, bob.userId, 'nobody']) {
      const query = `user_id=${enc(hidden.userId)}&org.chancery.asker=${enc(asker)}`
      const { status } = await rogue.call('GET', fed('/query/profile'), { query })
      expect([400, 404]).toContain(status)
    }
  })

  it('M7: lies in the directory about its own people alone', async () => {
    await bob.ok('PUT', v3(`/profile/${enc(bob.userId)}/displayname`), { displayname: 'Robert Moreau' })
    const lies = [
      { user_id: alice.userId, display_name: 'Moreau, who is ours' },
      { user_id: `@minister:${circle.nodes.interieur.serverName}`, display_name: 'Minister Moreau' },
      { user_id: guest, display_name: 'Gustave Moreau' },
      { user_id: mal, display_name: 'Mal Moreau [Interieur]' },
      { user_id: 'nobody', display_name: 'Moreau' },
      { user_id: rogue.user(), display_name: 'Somebody Else' },
    ]
    rogue.server.answer = (request, response, path) => {
      request.resume()
      if (!path.endsWith('/user_directory/search')) return false
      answerJson(response, { results: lies, limited: false })
      return true
    }
    const { results } = await alice.ok('POST', v3('/user_directory/search'), { search_term: 'moreau' })
    rogue.server.answer = () => false
    const shown = (results as { user_id: string; display_name: string }[]).map(
      ({ user_id, display_name }) => `${user_id} ${display_name}`,
    )
    expect(shown.sort()).toEqual([`${bob.userId} Robert Moreau [Interieur]`, `${mal} Mal Moreau [Rogue]`].sort())
  }) // prettier-ignore

  it('M8: leaves no head of the audit log of another, and its own only as one that goes on', async () => {
    const path = '/_matrix/federation/unstable/org.chancery/audit/head'
    const hash = (n: number): string => `${n}`.repeat(64)
    const put = async (
      serverName: string,
      [id, n, digests]: readonly [number, number, readonly string[]],
      signer = rogue.server.signer,
    ): Promise<string | undefined> => {
      const head = signJson(headJson({ serverName, id, hash: hash(n), ts: 1 }), signer)
      const { status, body } = await rogue.call('PUT', path, { body: { head, digests } })
      return status === 200 ? 'taken' : (body['errcode'] as string)
    }
    const { name } = rogue.server
    expect(await put(circle.nodes.interieur.serverName, [7, 1, []])).toBe('M_BAD_JSON')
    expect(await put(name, [7, 1, []], outlaw.server.signer)).toBe('M_FORBIDDEN')
    expect(await put(name, [7, 1, []])).toBe('taken')
    for (const rewritten of [[6, 1, []], [7, 2, []], [8, 2, [hash(3)]]] as const)
      expect(await put(name, rewritten)).toBe('ORG.CHANCERY.AUDIT_NOT_CONTINUED')
    expect(await put(name, [9, 2, []])).toBe('ORG.CHANCERY.AUDIT_NOT_FOLLOWING')
    // Each member is told what it has left itself, and nothing of others.
    expect((await rogue.call('GET', path)).body).toMatchObject({ server_name: name, id: 7, hash: hash(1) })
    expect((await outlaw.call('GET', path)).status).toBe(404)
  }) // prettier-ignore
})

/** A server whose users take any invite. */
function signing(peer: Peer, version: string): ForeignServer['answer'] {
  const rules = roomVersion(version)!
  return (request: IncomingMessage, response: ServerResponse, path: string) => {
    if (!path.startsWith('/_matrix/federation/v2/invite/')) return false
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { event } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { event: JsonObject }
      answerJson(response, { event: signedAsItIs(event, rules, peer.server.signer) })
    })
    return true
  }
}
