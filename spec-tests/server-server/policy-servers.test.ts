import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { IncomingMessage } from 'node:http'
import { addSignature, eventSigningInput, signaturesOf } from '../../src/core/event/sign.js'
import type { JsonObject } from '../../src/core/json/value.js'
import { roomVersion } from '../../src/core/room-version/versions.js'
import { createSigner, generateSigningKey } from '../../src/platform/ed25519.js'
import { systemRandom } from '../../src/platform/random.js'
import { eventually, sendText, v3, type User } from '../harness/client.js'
import { answerJson } from '../harness/foreign-server.js'
import { homeserver, type Homeserver } from '../harness/homeserver.js'
import { testAuthority } from '../harness/node.js'
import { fed, withPeer, type Joined, type Peer } from '../harness/peer.js'
import { inRoom, sharedRoom } from '../harness/section.js'

const VERSION = '11'
const KEY_ID = 'ed25519:policy_server'
const authority = testAuthority()
let server: Homeserver
beforeAll(async () => {
  server = await homeserver({ authority })
})
afterAll(() => server?.dispose())

async function bodyOf(request: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as JsonObject
}

/** A peer as the policy server of a room: it signs everything that does not say "spam". */
interface Watch {
  readonly key: ReturnType<typeof createSigner>
  /** What it was asked to sign, and what was sent to it. */
  readonly asked: JsonObject[]
  readonly sent: JsonObject[]
  /** What it says instead of signing. */
  refusal: { status: number; body: object } | undefined
}

function watching(peer: Peer): Watch {
  const key = createSigner(generateSigningKey(systemRandom))
  const watch: Watch = { key, asked: [], sent: [], refusal: undefined }
  const rules = roomVersion(VERSION)!
  peer.server.answer = (request, response, path) => {
    if (path === '/_matrix/policy/v1/sign') {
      void bodyOf(request).then((pdu) => {
        watch.asked.push(pdu)
        const isSpam = JSON.stringify(pdu['content']).includes('spam')
        if (watch.refusal !== undefined) answerJson(response, watch.refusal.body, watch.refusal.status)
        else if (isSpam) answerJson(response, { errcode: 'M_FORBIDDEN', error: 'This looks like: spam' }, 400)
        else
          answerJson(response, {
            [peer.server.name]: { [KEY_ID]: key.sign(eventSigningInput(pdu as never, rules)) },
          })
      })
      return true
    }
    if (path.startsWith('/_matrix/federation/v1/send/')) {
      void bodyOf(request).then((body) => {
        watch.sent.push(...(body['pdus'] as JsonObject[]))
        answerJson(response, { pdus: {} })
      })
      return true
    }
    return false
  }
  return watch
}

interface Guarded {
  readonly alice: User
  readonly roomId: string
  readonly peer: Peer
  readonly watch: Watch
  readonly eve: Joined
}

const policy = (peer: Peer, watch: Watch): object => ({
  via: peer.server.name,
  public_keys: { ed25519: watch.key.publicKey },
})

/** Runs a test in a room whose policy server is the peer. */
const guarded =
  (run: (room: Guarded) => Promise<void>): (() => Promise<void>) =>
  () =>
    withPeer(authority, async (_, peer) => {
      const watch = watching(peer)
      const alice = await server.user('alice')
      const roomId = await sharedRoom(alice, [], { room_version: VERSION })
      const eve = await peer.join(roomId, peer.user())
      await alice.ok('PUT', inRoom(roomId, 'state/m.room.policy/'), policy(peer, watch))
      expect(watch.asked).toEqual([])
      await run({ alice, roomId, peer, watch, eve })
    })(server)

const say = (user: User, roomId: string, txn: string, body: string) =>
  user.call('PUT', inRoom(roomId, `send/m.room.message/${txn}`), { body: { msgtype: 'm.text', body } })
const texts = async (user: User, roomId: string): Promise<string[]> => {
  const { chunk } = await user.ok('GET', inRoom(roomId, 'messages'), undefined, { dir: 'b', limit: '50' })
  return chunk.flatMap(({ content }: { content: { body?: string } }) => content.body ?? [])
}

describe('a room with a policy server', () => {
  it(
    'has it sign what users here say, before anybody sees it',
    guarded(async ({ alice, roomId, peer, watch }) => {
      const eventId = await sendText(alice, roomId, 'hello')
      expect(watch.asked).toHaveLength(1)
      const sent = await eventually('the message', () =>
        Promise.resolve(watch.sent.find((pdu) => (pdu['content'] as JsonObject)['body'] === 'hello')),
      )
      expect(signaturesOf(sent, peer.server.name).has(KEY_ID)).toBe(true)
      expect(signaturesOf(sent, server.serverName).size).toBe(1)
      const { body } = await alice.call('GET', inRoom(roomId, `event/${encodeURIComponent(eventId)}`))
      expect(body.content.body).toBe('hello')
      await alice.ok('PUT', inRoom(roomId, 'state/m.room.name/'), { name: 'Signed' })
      expect(watch.asked.map(({ type }) => type)).toEqual(['m.room.message', 'm.room.name'])
    }),
  )

  it(
    'hands on what it refuses with its own words, and the message is not there',
    guarded(async ({ alice, roomId, watch }) => {
      const refused = await say(alice, roomId, 'one', 'buy spam')
      expect([refused.status, refused.body]).toEqual([
        400,
        { errcode: 'M_FORBIDDEN', error: 'This looks like: spam' },
      ])
      watch.refusal = { status: 401, body: { errcode: 'M_UNKNOWN_TOKEN', error: 'who are you' } }
      const odd = await say(alice, roomId, 'two', 'hello')
      expect([odd.status, odd.body.errcode]).toEqual([502, 'M_UNKNOWN'])
      expect(await texts(alice, roomId)).toEqual([])
    }),
  )

  it(
    'takes two messages at once, and a repeated request as one',
    guarded(async ({ alice, roomId }) => {
      const answers = await Promise.all([
        say(alice, roomId, 'a', 'first'),
        say(alice, roomId, 'b', 'second'),
        say(alice, roomId, 'a', 'first'),
      ])
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
      expect(answers[2]!.body).toEqual(answers[0]!.body)
      expect((await texts(alice, roomId)).toSorted()).toEqual(['first', 'second'])
      const again = await say(alice, roomId, 'a', 'first')
      expect(again.body).toEqual(answers[0]!.body)
    }),
  )

  it(
    'can be rid of one that is gone, and of one that signs with another key',
    guarded(async ({ alice, roomId, peer, watch }) => {
      const wrong = { ...policy(peer, watch), public_keys: { ed25519: peerKey() } }
      await alice.ok('PUT', inRoom(roomId, 'state/m.room.policy/'), wrong)
      const refused = await say(alice, roomId, 'one', 'hello')
      expect([refused.status, refused.body.errcode]).toEqual([403, 'M_FORBIDDEN'])
      await peer.server.close()
      expect((await say(alice, roomId, 'two', 'hello')).status).toBe(502)
      await alice.ok('PUT', inRoom(roomId, 'state/m.room.policy/'), {})
      expect((await say(alice, roomId, 'three', 'free')).status).toBe(200)
      expect(await texts(alice, roomId)).toEqual(['free'])
    }),
  )

  it(
    'shows nothing of others that it does not sign, and asks for a signature that is missing',
    guarded(async ({ alice, roomId, peer, watch, eve }) => {
      const send = (pdu: JsonObject): Promise<unknown> =>
        peer.ok('PUT', fed(`/send/${Math.random()}`), {
          body: { origin: peer.server.name, origin_server_ts: Date.now(), pdus: [pdu] },
        })
      const message = (body: string): JsonObject =>
        eve.next({ type: 'm.room.message', content: { msgtype: 'm.text', body } }).pdu
      const own = message('signed by itself')
      const rules = roomVersion(VERSION)!
      const signature = watch.key.sign(eventSigningInput(own as never, rules))
      await send(addSignature(own, peer.server.name, KEY_ID, signature))
      await send(message('some spam'))
      await send(message('signed when asked'))
      await eventually('the last message', async () => {
        const seen = await texts(alice, roomId)
        return seen.includes('signed when asked') ? seen : undefined
      })
      expect((await texts(alice, roomId)).toSorted()).toEqual(['signed by itself', 'signed when asked'])
      expect(watch.asked.map(({ content }) => (content as JsonObject)['body'])).toEqual([
        'some spam',
        'signed when asked',
      ])
    }),
  )

  it('has none while nobody of that server is in it', async () => {
    await withPeer(authority, async (_, peer) => {
      const watch = watching(peer)
      const alice = await server.user('alice')
      const roomId = await sharedRoom(alice, [], { room_version: VERSION })
      await alice.ok('PUT', inRoom(roomId, 'state/m.room.policy/'), policy(peer, watch))
      await sendText(alice, roomId, 'hello')
      expect(watch.asked).toEqual([])
      // Joining is looked at too.
      await peer.join(roomId, peer.user())
      await alice.ok('POST', v3(`/rooms/${encodeURIComponent(roomId)}/leave`), {})
      expect(watch.asked.map(({ type }) => type)).toContain('m.room.member')
    })(server)
  })
})

const peerKey = (): string => createSigner(generateSigningKey(systemRandom)).publicKey
