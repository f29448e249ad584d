import { createHash, randomUUID } from 'node:crypto'
import { expect } from '@jest/globals'
import { followDigests, START, type ChainHead } from '../../src/core/audit/follow-chain.js'
import { headJson } from '../../src/core/audit/signed-head.js'
import { signaturesOf, signingInput, signJson } from '../../src/core/event/sign.js'
import { canonicalJson } from '../../src/core/json/canonical.js'
import type { JsonObject } from '../../src/core/json/value.js'
import { verifySignatureBy } from '../../src/platform/ed25519.js'
import { call, eventually, type Answer } from '../harness/client.js'
import type { Homeserver } from '../harness/homeserver.js'
import { circleOfPeers } from '../harness/listed-peers.js'
import type { Peer } from '../harness/peer.js'
import { createRoom, enc, refusal, section, v3 } from '../harness/section.js'

const HEAD = '/_matrix/federation/unstable/org.chancery/audit/head'
const PURGE = '/_matrix/federation/unstable/org.chancery/purge'
const PEOPLE = '/_matrix/federation/unstable/org.chancery/user_directory/search'
const STATES = '/_matrix/federation/unstable/users/info'
const NOT_CONTINUED = 'ORG.CHANCERY.AUDIT_NOT_CONTINUED'
const NOT_FOLLOWING = 'ORG.CHANCERY.AUDIT_NOT_FOLLOWING'
const PURGE_RECORD = 'org.chancery.purge.v1'
const PURGE_RECEIPT = 'org.chancery.purge_receipt.v1'
const DAY = 24 * 3_600_000
/** No server must have these. */
const signed = { auth: 'signature', ours: true } as const

const lives = { most: '30d' }
const { node, inCircle, refusesStrangers } = circleOfPeers({
  directory: { people: 'circle' },
  retention: { enabled: true, public_rooms: lives, private_rooms: lives, direct_rooms: lives },
})

async function isSignedBy(server: Homeserver, document: JsonObject): Promise<boolean> {
  const { verify_keys: keys } = (await call(server.url, 'GET', '/_matrix/key/v2/server')).body as {
    verify_keys: Record<string, { key: string }>
  }
  return [...signaturesOf(document, server.serverName)].some(
    ([id, signature]) =>
      keys[id] !== undefined && verifySignatureBy(keys[id].key, signingInput(document), signature),
  )
}

// Not in the specification: what servers of one circle ask of each other.
section(
  'Servers of a circle: people and records',
  'server-server-api/',
  (operation) => {
    /** What this server keeps of the log of the peer, and the next head, so many entries later. */
    async function nextHead(peer: Peer, entries: number): Promise<{ head: ChainHead; digests: string[] }> {
      const { status, body } = await peer.call('GET', HEAD)
      const last: ChainHead = status === 404 ? START : { id: body.id, hash: body.hash }
      const digests = Array.from({ length: entries }, () =>
        createHash('sha256').update(randomUUID()).digest('hex'),
      )
      return { head: followDigests(last, digests), digests }
    }
    const documentOf = (peer: Peer, head: ChainHead, serverName = peer.server.name): JsonObject =>
      signJson(headJson({ serverName, ...head, ts: Date.now() }), peer.server.signer)
    const deposit = (peer: Peer, head: JsonObject, digests: readonly string[]): Promise<Answer> =>
      peer.call('PUT', HEAD, { body: { head, digests } })

    operation(
      'depositAuditHead',
      `PUT ${HEAD}`,
      ({ success, error, authorisation }) => {
        success(
          'keeps the head of the log of a member, which goes on from the last one',
          inCircle(async (_, { member }) => {
            for (const entries of [3, 1]) {
              const { head, digests } = await nextHead(member, entries)
              const document = documentOf(member, head)
              const { status, body } = await deposit(member, document, digests)
              expect([status, body]).toEqual([200, {}])
              expect(await member.ok('GET', HEAD)).toEqual(document)
            }
          }),
        )
        error(
          'takes none that does not go on from it, and keeps what it has',
          inCircle(async (_, { member }) => {
            const first = await nextHead(member, 2)
            const document = documentOf(member, first.head)
            expect((await deposit(member, document, first.digests)).status).toBe(200)
            const { id } = first.head
            const { head, digests } = await nextHead(member, 2)
            for (const [wrong, shown, errcode] of [
              [head, digests.slice(1), NOT_FOLLOWING],
              [head, digests.toReversed(), NOT_CONTINUED],
              [{ ...head, id: id - 1 }, [], NOT_CONTINUED],
            ] as const) {
              const refused = await refusal(deposit(member, documentOf(member, wrong), shown), 409, errcode)
              expect(refused.body.id).toBe(id)
            }
            await refusal(
              deposit(member, { ...documentOf(member, head), type: 'other' }, digests),
              400,
              'M_BAD_JSON',
            )
            await refusal(deposit(member, documentOf(member, head), ['nonsense']), 400, 'M_BAD_JSON')
            await refusal(member.call('PUT', HEAD, { body: { digests } }), 400, 'M_MISSING_PARAM')
            expect(await member.ok('GET', HEAD)).toEqual(document)
          }),
        )
        authorisation(
          'is for members alone',
          refusesStrangers('PUT', HEAD, { body: { head: {}, digests: [] } }),
        )
        authorisation(
          'is for the log of the server that asks, which has signed it',
          inCircle(async (_, { member, external }) => {
            const { head, digests } = await nextHead(member, 1)
            const forged = documentOf(member, head, external.server.name)
            await refusal(deposit(member, forged, digests), 400, 'M_BAD_JSON')
            const unsigned = { ...documentOf(member, head), signatures: {} }
            await refusal(deposit(member, unsigned, digests), 403, 'M_FORBIDDEN')
          }),
        )
      },
      signed,
    )
    operation(
      'getAuditHead',
      `GET ${HEAD}`,
      ({ success, error, authorisation }) => {
        success(
          'gives a member what it left last, as it was signed',
          inCircle(async (_, { member }) => {
            for (const entries of [1, 2]) {
              const { head, digests } = await nextHead(member, entries)
              const document = documentOf(member, head)
              expect((await deposit(member, document, digests)).status).toBe(200)
              const { status, body } = await member.call('GET', HEAD)
              expect([status, body]).toEqual([200, document])
            }
          }),
        )
        error(
          'has nothing of who left nothing',
          inCircle(async (_, { external }) => {
            await refusal(external.call('GET', HEAD), 404, 'M_NOT_FOUND')
          }),
        )
        authorisation('is for members alone', refusesStrangers('GET', HEAD))
      },
      signed,
    )
    operation(
      'reportPurge',
      `POST ${PURGE}`,
      ({ success, error, authorisation }) => {
        const recordOf = (peer: Peer, roomId: string, more: JsonObject = {}): JsonObject => ({
          type: PURGE_RECORD,
          server: peer.server.name,
          room_id: roomId,
          before: Date.now() - 40 * DAY,
          events: 3,
          at: Date.now(),
          ...more,
        })
        const report = (peer: Peer, record: JsonObject): Promise<Answer> =>
          peer.call('POST', PURGE, { body: { record } })
        const own = (peer: Peer, roomId: string, more?: JsonObject): JsonObject =>
          signJson(recordOf(peer, roomId, more), peer.server.signer)
        const sharedWith = async (server: Homeserver, peer: Peer): Promise<string> => {
          const roomId = await createRoom(await server.user('alice'), { preset: 'public_chat' })
          await peer.join(roomId, peer.user())
          return roomId
        }
        success(
          'signs that what is too old is gone here too',
          inCircle(async (server, { member }) => {
            for (const roomId of [await sharedWith(server, member), await sharedWith(server, member)]) {
              const record = own(member, roomId)
              const before = Date.now()
              const { status, body } = await report(member, record)
              const { receipt } = body
              expect([status, body]).toEqual([
                200,
                {
                  receipt: {
                    type: PURGE_RECEIPT,
                    server: server.serverName,
                    room_id: roomId,
                    record: createHash('sha256').update(canonicalJson(record)).digest('hex'),
                    before: expect.any(Number),
                    at: expect.any(Number),
                    signatures: { [server.serverName]: expect.anything() },
                  },
                },
              ])
              // By the bounds of this server, whatever the other says.
              expect(receipt.before).toBeGreaterThanOrEqual(before - 30 * DAY - 60_000)
              expect(receipt.before).toBeLessThanOrEqual(Date.now() - 30 * DAY)
              expect(receipt.at).toBeGreaterThanOrEqual(before)
              expect(await isSignedBy(server, receipt)).toBe(true)
            }
          }),
        )
        error(
          'refuses what is no record, and rooms in which the other server is not',
          inCircle(async (server, { member, external }) => {
            const roomId = await sharedWith(server, member)
            for (const wrong of [{ type: 'other' }, { server: external.server.name }, { room_id: 7 }])
              await refusal(report(member, own(member, roomId, wrong)), 400, 'M_BAD_JSON')
            await refusal(member.call('POST', PURGE, { body: {} }), 400, 'M_MISSING_PARAM')
            const secret = await createRoom(await server.user('alice'))
            const refused = await refusal(report(member, own(member, secret)), 404, 'M_NOT_FOUND')
            const none = await refusal(
              report(member, own(member, `!none:${server.serverName}`)),
              404,
              'M_NOT_FOUND',
            )
            expect(refused.body).toEqual(none.body)
          }),
        )
        authorisation('is for members alone', refusesStrangers('POST', PURGE, { body: { record: {} } }))
        authorisation(
          'is for who has signed the record',
          inCircle(async (server, { member }) => {
            const roomId = await sharedWith(server, member)
            await refusal(report(member, recordOf(member, roomId)), 403, 'M_FORBIDDEN')
            const changed = { ...own(member, roomId), events: 4 }
            await refusal(report(member, changed), 403, 'M_FORBIDDEN')
          }),
        )
      },
      signed,
    )
    operation(
      'searchPeople',
      `POST ${PEOPLE}`,
      ({ success, error, authorisation }) => {
        const search = (peer: Peer, search_term: unknown, limit?: number): Promise<Answer> =>
          peer.call('POST', PEOPLE, { body: { search_term, limit } })
        success(
          'finds people of this server by their names, as many as are asked for',
          inCircle(async (server, { member }) => {
            const name = `Zoe ${randomUUID().slice(0, 13)}`
            const avatar = `mxc://${server.serverName}/${randomUUID()}`
            const [first, second] = [await server.user('first'), await server.user('second')]
            for (const user of [first, second])
              await user.ok('PUT', v3(`/profile/${enc(user.userId)}/displayname`), { displayname: name })
            await first.ok('PUT', v3(`/profile/${enc(first.userId)}/avatar_url`), { avatar_url: avatar })
            expect((await search(member, randomUUID())).body).toEqual({ results: [], limited: false })
            // The server reads the names of all people now and then.
            const found = await eventually('both are found', async () => {
              const { status, body } = await search(member, name.toUpperCase())
              expect(status).toBe(200)
              return body.results.length >= 2 ? body : undefined
            })
            expect(found).toEqual({
              results: expect.arrayContaining([
                { user_id: first.userId, display_name: name, avatar_url: avatar },
                { user_id: second.userId, display_name: name },
              ]),
              limited: false,
            })
            expect(found.results).toHaveLength(2)
            const one = (await search(member, name, 1)).body
            expect([one.results.length, one.limited]).toEqual([1, true])
          }),
        )
        error(
          'wants three characters at least',
          inCircle(async (_, { member }) => {
            await refusal(search(member, 'zo '), 400, 'M_INVALID_PARAM')
            await refusal(search(member, undefined), 400, 'M_MISSING_PARAM')
            await refusal(search(member, 7), 400, 'M_BAD_JSON')
          }),
        )
        authorisation(
          'is for members alone',
          refusesStrangers('POST', PEOPLE, { body: { search_term: 'zoe' } }),
        )
        authorisation(
          'is not for the server of people from outside',
          inCircle(async (_, { external }) => {
            await refusal(search(external, 'zoe'), 403, 'M_FORBIDDEN')
          }),
        )
      },
      signed,
    )
    operation(
      'queryUsersInfo',
      `POST ${STATES}`,
      ({ success, error, authorisation }) => {
        const ask = (peer: Peer, user_ids: unknown): Promise<Answer> =>
          peer.call('POST', STATES, { body: { user_ids } })
        success(
          'says which accounts of this server are read by nobody any more, and nothing of others',
          inCircle(async (server, { member, external }) => {
            const [alice, bob] = [await server.user('alice'), await server.user('bob')]
            const { userId: user, password } = bob
            const auth = { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password }
            await bob.ok('POST', v3('/account/deactivate'), { auth })
            const others = [`@nobody:${server.serverName}`, member.user(), external.user(), 'nonsense']
            const { status, body } = await ask(member, [alice.userId, bob.userId, ...others])
            expect([status, body]).toEqual([
              200,
              {
                [alice.userId]: { expired: false, deactivated: false },
                [bob.userId]: { expired: false, deactivated: true },
              },
            ])
          }),
        )
        error(
          'wants a list of ids, of bounded length',
          inCircle(async (_, { member }) => {
            await refusal(ask(member, undefined), 400, 'M_MISSING_PARAM')
            await refusal(ask(member, [7]), 400, 'M_BAD_JSON')
            await refusal(
              ask(
                member,
                Array.from({ length: 501 }, (__, i) => `@${i}:x`),
              ),
              400,
              'M_BAD_JSON',
            )
          }),
        )
        authorisation('is for members alone', refusesStrangers('POST', STATES, { body: { user_ids: [] } }))
      },
      signed,
    )
  },
  node,
)
