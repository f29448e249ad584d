import { createHash, randomUUID } from 'node:crypto'
import { expect } from '@jest/globals'
import { call, eventually, type Answer, type User } from '../harness/client.js'
import type { Homeserver } from '../harness/homeserver.js'
import { circleOfPeers, MEMBER_DOMAIN, OWN_DOMAIN } from '../harness/listed-peers.js'
import type { Peer } from '../harness/peer.js'
import { enc, refusal, section } from '../harness/section.js'

const IDENTITY = '/_matrix/federation/unstable/org.chancery.identity'
const INFO = '/_matrix/identity/api/v1/internal-info'
const KEY_VALIDITY = '/_matrix/identity/v2/pubkey/ephemeral/isvalid'
/** No server must have these. */
const signed = { auth: 'signature', ours: true } as const

const { node, inCircle, refusesStrangers, mails } = circleOfPeers({ address_invites: { enabled: true } })

const newAddress = (domain = OWN_DOMAIN): string => `anne-${randomUUID()}@${domain}`
async function giveAddress(server: Homeserver, user: User): Promise<string> {
  const address = newAddress()
  const threepids = [{ medium: 'email', address }]
  const admin = await server.administrator()
  await admin.ok('PUT', `/_synapse/admin/v2/users/${enc(user.userId)}`, { threepids })
  return address
}

const infoOf = (peer: Peer, address: string): Promise<Answer> =>
  peer.call('GET', INFO, { query: `medium=email&address=${enc(address)}` })
const isInvited = async (peer: Peer, address: string): Promise<unknown> =>
  (await infoOf(peer, address)).body.invited
const invitation = (peer: Peer, more: object = {}) => ({
  medium: 'email',
  address: newAddress(),
  room_id: `!room:${peer.server.name}`,
  sender: peer.user(),
  ...more,
})
const isKeyValid = async (server: Homeserver, key: string): Promise<unknown> =>
  (await call(server.url, 'GET', KEY_VALIDITY, { query: { public_key: key } })).body.valid // prettier-ignore

// Not in the specification: what servers of one circle ask each other about addresses.
section(
  'Servers of a circle: addresses',
  'identity-service-api/',
  (operation) => {
    operation(
      'getInternalInfo',
      `GET ${INFO}`,
      ({ success, error, authorisation }) => {
        success(
          'says where an address belongs, and whether it is invited here',
          inCircle(async (server, { member, external }) => {
            const { body } = await infoOf(member, newAddress())
            expect(body).toEqual({ hs: server.serverName, requires_invite: false, invited: false })
            for (const [domain, hs, requires_invite] of [
              [MEMBER_DOMAIN, member.server.name, false],
              ['home.example', external.server.name, true],
            ] as const)
              expect((await infoOf(member, newAddress(domain))).body).toEqual({ hs, requires_invite, invited: false }) // prettier-ignore
            const invited = invitation(member)
            await member.ok('POST', `${IDENTITY}/store_invite`, { body: invited })
            expect((await infoOf(member, invited.address)).body).toEqual({
              hs: server.serverName,
              requires_invite: false,
              invited: true,
            })
          }),
        )
        error(
          'refuses what is no e-mail address',
          inCircle(async (_, { member }) => {
            await refusal(infoOf(member, 'nonsense'), 400, 'M_INVALID_PARAM')
            await refusal(
              member.call('GET', INFO, { query: 'medium=msisdn&address=49' }),
              400,
              'M_INVALID_PARAM',
            )
            await refusal(member.call('GET', INFO, { query: 'medium=email' }), 400, 'M_MISSING_PARAM')
          }),
        )
        authorisation(
          'is for members alone',
          refusesStrangers('GET', INFO, { query: 'address=zoe%40home.example' }),
        )
      },
      signed,
    )
    operation(
      'lookupForMember',
      `POST ${IDENTITY}/lookup`,
      ({ success, error, authorisation }) => {
        const path = `${IDENTITY}/lookup`
        const ask = (peer: Peer, body: object): Promise<Answer> => peer.call('POST', path, { body })
        const pepperFor = async (peer: Peer): Promise<string> => {
          const body = { addresses: [], algorithm: 'sha256', pepper: 'old' }
          return (await refusal(ask(peer, body), 400, 'M_INVALID_PEPPER')).body.lookup_pepper
        }
        const hashOf = (address: string, pepper: string): string =>
          createHash('sha256').update(`${address} email ${pepper}`).digest('base64url')
        success(
          'finds people of this server by hashes of their addresses',
          inCircle(async (server, { member }) => {
            const pepper = await pepperFor(member)
            for (const name of ['anne', 'benoit']) {
              const user = await server.user(name)
              const found = hashOf(await giveAddress(server, user), pepper)
              const addresses = [hashOf(newAddress(), pepper), found]
              const { status, body } = await ask(member, { addresses, algorithm: 'sha256', pepper })
              expect([status, body]).toEqual([200, { mappings: { [found]: user.userId } }])
            }
          }),
        )
        error(
          'wants its pepper, and the algorithm that it has',
          inCircle(async (_, { member }) => {
            const pepper = await pepperFor(member)
            await refusal(ask(member, { addresses: [], algorithm: 'none', pepper }), 400, 'M_INVALID_PARAM')
            await refusal(ask(member, { algorithm: 'sha256', pepper }), 400, 'M_MISSING_PARAM')
            await refusal(ask(member, { addresses: [7], algorithm: 'sha256', pepper }), 400, 'M_BAD_JSON')
          }),
        )
        const body = { addresses: [], algorithm: 'sha256', pepper: 'x' }
        authorisation('is for members alone', refusesStrangers('POST', path, { body }))
        authorisation(
          'is not for the server of people from outside',
          inCircle(async (_, { member, external }) => {
            const asked = { ...body, pepper: await pepperFor(member) }
            expect((await refusal(ask(external, asked), 403, 'M_FORBIDDEN')).body.reason).toBe(
              'address.external',
            )
          }),
        )
      },
      signed,
    )
    operation(
      'storeInviteForMember',
      `POST ${IDENTITY}/store_invite`,
      ({ success, error, authorisation }) => {
        const path = `${IDENTITY}/store_invite`
        const store = (peer: Peer, body: object): Promise<Answer> => peer.call('POST', path, { body })
        success(
          'keeps the invitation of an address of this server, and tells the address',
          inCircle(async (server, { member }) => {
            const invited = invitation(member)
            const { status, body } = await store(member, invited)
            expect([status, body]).toEqual([
              200,
              {
                token: expect.stringMatching(/^.{40}$/),
                display_name: 'a…@f…',
                public_keys: [
                  {
                    public_key: expect.stringMatching(/^.{43}$/),
                    key_validity_url: `https://${server.serverName}${KEY_VALIDITY}`,
                  },
                ],
              },
            ])
            expect(await isInvited(member, invited.address)).toBe(true)
            expect(await isKeyValid(server, body.public_keys[0].public_key)).toBe(true)
            // The same once more, and another.
            expect((await store(member, invited)).body).toEqual(body)
            expect((await store(member, invitation(member))).body.token).not.toBe(body.token)
            await eventually('the mail', () =>
              Promise.resolve(mails().some(({ to }) => to.includes(invited.address))),
            )
          }),
        )
        success(
          'names who has the address already',
          inCircle(async (server, { member }) => {
            for (const name of ['anne', 'benoit']) {
              const user = await server.user(name)
              const { status, body } = await store(
                member,
                invitation(member, { address: await giveAddress(server, user) }),
              )
              expect([status, body]).toEqual([200, { mxid: user.userId }])
            }
          }),
        )
        error(
          'refuses addresses that belong elsewhere, and what is none',
          inCircle(async (_, { member }) => {
            for (const more of [
              { address: newAddress(MEMBER_DOMAIN) },
              { address: 'nonsense' },
              { medium: 'msisdn' },
              { room_id: 'nonsense' },
              { sender: 'nonsense' },
            ])
              await refusal(store(member, invitation(member, more)), 400, 'M_INVALID_PARAM')
            await refusal(store(member, invitation(member, { sender: undefined })), 400, 'M_MISSING_PARAM')
          }),
        )
        authorisation(
          'is for members alone',
          refusesStrangers('POST', path, {
            body: { medium: 'email', address: newAddress(), room_id: '!room:x', sender: '@anne:x' },
          }),
        )
        authorisation(
          'is for people of the member that asks, who are not from outside',
          inCircle(async (_, { member, external }) => {
            const forged = invitation(member, { sender: external.user() })
            const guest = invitation(external)
            for (const [peer, body] of [
              [member, forged],
              [external, guest],
            ] as const) {
              await refusal(store(peer, body), 403, 'M_FORBIDDEN')
              expect(await isInvited(member, body.address)).toBe(false)
            }
          }),
        )
      },
      signed,
    )
    operation(
      'withdrawInviteForMember',
      `POST ${IDENTITY}/withdraw_invite`,
      ({ success, error, authorisation }) => {
        const path = `${IDENTITY}/withdraw_invite`
        const withdraw = (peer: Peer, body: object): Promise<Answer> => peer.call('POST', path, { body })
        const stored = async (peer: Peer) => {
          const invited = invitation(peer)
          const { token, public_keys: keys } = await peer.ok('POST', `${IDENTITY}/store_invite`, {
            body: invited,
          })
          return { ...invited, token: token as string, key: keys[0].public_key as string }
        }
        success(
          'ends an invitation that waits, and no other',
          inCircle(async (server, { member }) => {
            const [kept, ended] = [await stored(member), await stored(member)]
            const { status, body } = await withdraw(member, { token: ended.token, sender: ended.sender })
            expect([status, body]).toEqual([200, {}])
            expect([await isInvited(member, ended.address), await isKeyValid(server, ended.key)]).toEqual([false, false]) // prettier-ignore
            expect([await isInvited(member, kept.address), await isKeyValid(server, kept.key)]).toEqual([
              true,
              true,
            ])
          }),
        )
        error(
          'wants to know which',
          inCircle(async (_, { member }) => {
            await refusal(withdraw(member, { sender: member.user() }), 400, 'M_MISSING_PARAM')
            await refusal(withdraw(member, { token: 'x' }), 400, 'M_MISSING_PARAM')
          }),
        )
        authorisation(
          'is for members alone',
          refusesStrangers('POST', path, { body: { token: 'x', sender: '@anne:x' } }),
        )
        authorisation(
          'is for the server of who has invited',
          inCircle(async (_, { member, external }) => {
            const { address, token, sender } = await stored(member)
            await refusal(withdraw(external, { token, sender }), 403, 'M_FORBIDDEN')
            // What is not theirs is not there.
            await withdraw(external, { token, sender: external.user() })
            expect(await isInvited(member, address)).toBe(true)
          }),
        )
      },
      signed,
    )
  },
  node,
)
