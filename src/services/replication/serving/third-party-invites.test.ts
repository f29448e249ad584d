import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { canonicalJson } from '../../../core/json/canonical.js'
import type { Json, JsonObject } from '../../../core/json/value.js'
import { createSigner, generateSigningKey } from '../../../platform/ed25519.js'
import { systemRandom } from '../../../platform/random.js'
import { as, createWorld, type HandshakeNode, type World } from '../testing/handshakes.js'
import { createThirdPartyInvites, type ThirdPartyInvites } from './third-party-invites.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:b.example'
const TOKEN = 'abc123'

let world: World
let a: HandshakeNode
let roomId: string
let invites: ThirdPartyInvites
let asked: string[]
let validity: Json
const identity = createSigner(generateSigningKey(systemRandom))

const signed = (mxid = BOB, signer = identity): JsonObject => ({
  mxid,
  token: TOKEN,
  signatures: {
    'id.example': {
      'ed25519:0': signer.sign(new TextEncoder().encode(canonicalJson({ mxid, token: TOKEN }, 'strict'))),
    },
  },
})

const invitesOf = (node: HandshakeNode): ThirdPartyInvites =>
  createThirdPartyInvites({
    context: node.context,
    memberships: node.memberships,
    client: node.client as never,
    fetchJson: (url) => {
      asked.push(url)
      return Promise.resolve(validity)
    },
  })

beforeEach(async () => {
  world = createWorld()
  a = await world.node('a.example')
  await world.node('b.example')
  asked = []
  validity = { valid: true }
  invites = invitesOf(a)
  roomId = (await a.creation.create(as(ALICE), {})).room_id
  await a.sending.state(as(ALICE), {
    roomId,
    type: 'm.room.third_party_invite',
    stateKey: TOKEN,
    content: {
      display_name: 'bob@…',
      public_key: identity.publicKey,
      key_validity_url: 'https://id.example/_matrix/identity/v2/pubkey/isvalid',
    },
  })
})
afterEach(() => world.close())

const event = (
  wish: JsonObject = {},
  third: JsonObject = { display_name: 'x', signed: signed() },
): JsonObject => ({
  type: 'm.room.member',
  room_id: roomId,
  sender: ALICE,
  state_key: BOB,
  content: { membership: 'invite', third_party_invite: third },
  ...wish,
})

const membership = async (userId: string): Promise<string | undefined> =>
  (await a.membership(roomId, userId))?.membership

describe('the invite of an address', () => {
  it('becomes that of the user whose server asks, signed by both', async () => {
    await invites.exchange('b.example', roomId, event())
    expect(await membership(BOB)).toBe('invite')
    expect(world.log.some((line) => line.startsWith('PUT b.example /_matrix/federation/v2/invite/'))).toBe(
      true,
    )
    expect(asked).toEqual([
      `https://id.example/_matrix/identity/v2/pubkey/isvalid?public_key=${encodeURIComponent(identity.publicKey)}`,
    ])
    const id = (await a.state(roomId)).get(`m.room.member|${BOB}`)!
    const content = (await a.context.events.byId(id))!.event.content
    expect(content).toMatchObject({ third_party_invite: { display_name: 'bob@…', signed: { mxid: BOB } } })
  })

  it.each<[string, string, () => JsonObject]>([
    ['asked for by another server', 'c.example', () => event()],
    ['of another type', 'b.example', () => event({ type: 'm.room.message' })],
    ['of another room', 'b.example', () => event({ room_id: '!x:a.example' })],
    ['by a user of another server', 'b.example', () => event({ sender: '@x:b.example' })],
    ['by a user who invited nobody', 'b.example', () => event({ sender: '@mallory:a.example' })],
    ['with another membership', 'b.example', () => event({ content: { membership: 'join' } })],
    ['without signature', 'b.example', () => event({}, { signed: { mxid: BOB, token: TOKEN } })],
    ['signed for another user', 'b.example', () => event({}, { signed: signed('@eve:b.example') })],
    [
      'signed with another key',
      'b.example',
      () => event({}, { signed: signed(BOB, createSigner(generateSigningKey(systemRandom))) }),
    ],
    ['with an unknown token', 'b.example', () => event({}, { signed: { ...signed(), token: 'other' } })],
    ['with a token that is no text', 'b.example', () => event({}, { signed: { ...signed(), token: 7 } })],
  ])('comes to nothing when it is %s', async (_name, origin, made) => {
    await expect(invites.exchange(origin, roomId, made())).rejects.toMatchObject({
      errcode: expect.stringMatching(/^M_(INVALID_PARAM|FORBIDDEN)$/),
    })
    expect(await membership(BOB)).toBeUndefined()
  })

  it.each<[string, Json]>([
    ['not valid', { valid: false }],
    ['unknown', null],
    ['a word', 'true'],
  ])('comes to nothing when the identity server calls its key %s', async (_name, answer) => {
    validity = answer
    await expect(invites.exchange('b.example', roomId, event())).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
    expect(await membership(BOB)).toBeUndefined()
  })

  it('in a room that is not here is not found', async () => {
    const other = '!nowhere:a.example'
    await expect(invites.exchange('b.example', other, event({ room_id: other }))).rejects.toMatchObject({
      errcode: 'M_NOT_FOUND',
    })
  })
})

describe('a binding that an identity server tells of', () => {
  const invite = { mxid: BOB, room_id: '', sender: ALICE, signed: {} }

  it('has the inviting server asked', async () => {
    const bodies: Json[] = []
    world.intercept = (request) => {
      bodies.push(request.body as Json)
      return Promise.resolve('{}')
    }
    const b = invitesOf(world.nodes.get('b.example')!)
    await b.onBind({ mxid: BOB, invites: [{ ...invite, room_id: roomId, signed: signed() }] })
    expect(world.log).toEqual([
      `PUT a.example /_matrix/federation/v1/exchange_third_party_invite/${encodeURIComponent(roomId)}`,
    ])
    expect(bodies).toEqual([event({}, { display_name: BOB, signed: signed() })])
  })

  it('invites at once where the inviting user is of this server', async () => {
    const carol = '@carol:a.example'
    await invites.onBind({
      mxid: carol,
      invites: [
        { ...invite, mxid: carol, room_id: 'nonsense', signed: signed(carol) },
        { ...invite, mxid: carol, room_id: roomId, signed: signed(BOB) },
        { ...invite, mxid: carol, room_id: roomId, signed: signed(carol) },
      ],
    })
    expect(await membership(carol)).toBe('invite')
  })

  it('of a user of another server is not found', async () => {
    await expect(invites.onBind({ mxid: BOB, invites: [] })).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
  })
})
