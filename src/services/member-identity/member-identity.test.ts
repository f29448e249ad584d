import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../../core/json/value.js'
import { signaturesOf, signingInput } from '../../core/event/sign.js'
import { manualClock, type ManualClock } from '../../platform/clock.js'
import { verifySignatureBy } from '../../platform/ed25519.js'
import { silentLogger } from '../../platform/logger.js'
import { systemRandom } from '../../platform/random.js'
import type { OutgoingMail } from '../../platform/smtp.js'
import { until } from '../../platform/testing-until.js'
import { countInvitesBy } from '../../storage/tables/address-invites.js'
import { deleteThreepid, insertThreepid } from '../../storage/tables/threepids.js'
import { openTestStore } from '../../storage/testing.js'
import type { Store } from '../../storage/tx.js'
import { NO_AUDIT } from '../audit/trail.js'
import { FederationError } from '../federation/federation-error.js'
import { createMailer, type Mailer } from '../mail/mailer.js'
import { createAddressIndex, lookupHash } from './address-index.js'
import { createKeptInvites, type KeptInvites, type Redemption } from './kept-invites.js'
import { createMemberIdentity, type MemberIdentity } from './member-identity.js'

const OURS = 'guests.example'
const FINANCES = 'finances.example'
const ANNE = `@anne:${FINANCES}`
const ZOE = `@zoe:${OURS}`
const ROOM = '!room:finances.example'
const ADDRESS = 'zoe@home.example'
const DAY = 86_400_000

let store: Store
let clock: ManualClock
let mailer: Mailer
let sent: OutgoingMail[]
let invites: KeptInvites
let members: MemberIdentity
let redeemed: { userId: string; sender: string; signed: JsonObject }[]
let outcome: Redemption
let asked: { destination: string; path: string; body: JsonObject }[]
let answer: (destination: string, body: JsonObject) => JsonObject
let external: Set<string>

beforeEach(async () => {
  store = await openTestStore()
  clock = manualClock()
  sent = []
  redeemed = []
  asked = []
  outcome = 'settled'
  answer = () => ({})
  external = new Set([OURS])
  const base = { store, clock, random: systemRandom, logger: silentLogger, serverName: OURS }
  mailer = createMailer({
    ...base,
    transport: { send: (mail) => Promise.resolve(void sent.push(mail)), close: () => undefined },
    options: { from: 'matrix@guests.example' },
  })
  invites = createKeptInvites({
    ...base,
    audit: NO_AUDIT,
    mailer,
    validityUrl: 'https://guests.example/valid',
    labelOf: (server) => (server === FINANCES ? 'Ministry of Finance' : server),
    options: { lifetimeMs: 30 * DAY, registerUrl: 'https://chat.example' },
    redeem(invite) {
      redeemed.push(invite)
      return Promise.resolve(outcome)
    },
  })
  members = createMemberIdentity({
    store,
    clock,
    random: systemRandom,
    serverName: OURS,
    logger: silentLogger,
    audit: NO_AUDIT,
    client: {
      request({ destination, path, body }) {
        asked.push({ destination, path, body: body ?? {} })
        return Promise.resolve(answer(destination, body ?? {}))
      },
    },
    index: createAddressIndex({ store }),
    invites,
    homeOf: (address) =>
      address.endsWith('@nobody.example')
        ? undefined
        : { serverName: address.endsWith('@finances.example') ? FINANCES : OURS },
    others: () => [FINANCES, 'interieur.example'],
    isExternal: (server) => external.has(server),
    circle: () => 'administration.example',
  })
})
afterEach(async () => {
  await mailer.close()
  await store.close()
})

const wish = { medium: 'email', address: ADDRESS, room_id: ROOM, sender: ANNE }
const keep = async (more: JsonObject = {}) => {
  const kept = await members.keepFor(FINANCES, { ...wish, ...more })
  if ('boundTo' in kept) throw new Error('it is bound')
  return kept
}
const give = (userId: string, address: string): Promise<void> =>
  store.write('test.give', function* () {
    const [validated_ts, added_ts] = [clock.now(), clock.now()]
    yield* insertThreepid({ medium: 'email', address, user_id: userId, validated_ts, added_ts })
    yield* invites.bind(userId, address)
  })
const isInvited = (address = ADDRESS): Promise<boolean> => members.isInvited(address)

describe('an invitation of an address', () => {
  it('is kept, mailed once, and the same when it is made once more', async () => {
    const kept = await keep()
    expect(kept).toEqual({
      token: expect.stringMatching(/^[A-Za-z0-9]{40}$/),
      displayName: 'z…@h…',
      publicKeys: [{ public_key: expect.any(String), key_validity_url: 'https://guests.example/valid' }],
    })
    expect(await keep({ address: 'ZOE@Home.example' })).toEqual(kept)
    expect(await isInvited()).toBe(true)
    await until(() => sent.length > 0)
    expect(sent).toHaveLength(1)
    expect(sent[0]).toMatchObject({
      to: ADDRESS,
      subject: 'Ministry of Finance invites you to a conversation',
    })
    expect(sent[0]!.text).toContain('https://chat.example')
  })

  it('becomes one of the user who is given the address, vouched for by its own key', async () => {
    const kept = await keep()
    await invites.redeemDue()
    expect(redeemed).toEqual([])
    await give(ZOE, ADDRESS)
    expect(await isInvited()).toBe(false)
    await invites.redeemDue()
    expect(redeemed).toEqual([expect.objectContaining({ userId: ZOE, roomId: ROOM, sender: ANNE })])
    const { signed } = redeemed[0]!
    expect(signed).toMatchObject({ mxid: ZOE, sender: ANNE, token: kept.token })
    const [signature] = signaturesOf(signed, OURS).values()
    const key = kept.publicKeys[0]!.public_key
    expect(verifySignatureBy(key, signingInput(signed), signature!)).toBe(true)
    expect(await invites.isKeyValid(key)).toBe(true)
    await invites.redeemDue()
    expect(redeemed).toHaveLength(1)
  })

  it('is tried again while the inviter’s server is away, also after a restart', async () => {
    await keep()
    await give(ZOE, ADDRESS)
    outcome = 'later'
    for (const count of [1, 2, 3]) {
      await invites.redeemDue()
      await invites.redeemDue()
      expect(redeemed).toHaveLength(count)
      clock.advance(3_600_000)
    }
    outcome = 'settled'
    await invites.redeemDue()
    clock.advance(DAY)
    await invites.redeemDue()
    expect(redeemed).toHaveLength(4)
  })

  it('runs out, and its key with it', async () => {
    const { publicKeys } = await keep()
    clock.advance(30 * DAY)
    expect(await isInvited()).toBe(false)
    expect(await invites.isKeyValid(publicKeys[0]!.public_key)).toBe(false)
    await give(ZOE, ADDRESS)
    await invites.redeemDue()
    expect(redeemed).toEqual([])
    await invites.prune()
    expect(await store.read('test.count', () => countInvitesBy(ANNE, 0))).toBe(0)
  })

  it('is over when its sender’s server takes it back, and no other', async () => {
    const { token } = await keep()
    for (const [origin, sender] of [
      ['interieur.example', ANNE],
      [FINANCES, `@boss:${OURS}`],
    ] as const)
      await expect(members.withdrawFor(origin, { token, sender })).rejects.toMatchObject({
        errcode: 'M_FORBIDDEN',
      })
    await members.withdrawFor(FINANCES, { token, sender: `@other:${FINANCES}` })
    await members.withdrawFor(FINANCES, { token: 'other', sender: ANNE })
    expect(await isInvited()).toBe(true)
    await members.withdrawFor(FINANCES, { token, sender: ANNE })
    expect(await isInvited()).toBe(false)
  })

  it('is over at once where it is kept, with what its room writes', async () => {
    const { token } = await keep()
    const taken = { keeper: OURS, token, sender: ANNE }
    await store.write('test.other', () => invites.takeBack([{ ...taken, token: 'other' }]))
    expect(await isInvited()).toBe(true)
    await store.write('test.taken', () => invites.takeBack([taken]))
    expect(await isInvited()).toBe(false)
    expect(asked).toEqual([])
  })

  it('that another member keeps is over when that hears of it, however long it is away', async () => {
    const taken = { keeper: FINANCES, token: 'taken', sender: ZOE }
    await store.write('test.taken', () => invites.takeBack([taken, { ...taken, keeper: 'stranger.example' }]))
    answer = () => {
      throw new FederationError('timeout', 'it is away')
    }
    await members.tellWithdrawn('taken')
    expect(asked).toEqual([
      {
        destination: FINANCES,
        path: expect.stringMatching(/\/withdraw_invite$/),
        body: { token: 'taken', sender: ZOE },
      },
    ])
    await members.tellDue()
    expect(asked).toHaveLength(1)
    for (const count of [2, 3]) {
      clock.advance(60_000)
      await members.tellDue()
      expect(asked).toHaveLength(count)
    }
    answer = () => ({})
    clock.advance(DAY)
    await members.tellDue()
    clock.advance(DAY)
    await members.tellDue()
    expect(asked).toHaveLength(4)
  })

  it('that nobody can be told of is forgotten when it is over by itself', async () => {
    const taken = { keeper: FINANCES, token: 'taken', sender: ZOE }
    await store.write('test.taken', () => invites.takeBack([taken]))
    clock.advance(30 * DAY)
    await invites.prune()
    await members.tellDue()
    expect(asked).toEqual([])
  })

  it('is none where somebody has the address', async () => {
    await give(ZOE, ADDRESS)
    expect(await members.keepFor(FINANCES, wish)).toEqual({ boundTo: ZOE })
    expect(sent).toEqual([])
  })

  it('is bounded for each address and each inviter; mails more than that', async () => {
    for (let i = 0; i < 50; i++) await keep({ room_id: `!r${i}:finances.example` })
    await expect(keep({ room_id: '!more:finances.example' })).rejects.toMatchObject({
      errcode: 'M_LIMIT_EXCEEDED',
    })
    for (let i = 0; i < 150; i++) await keep({ address: `a${i}@home.example` })
    await expect(keep({ address: 'more@home.example' })).rejects.toMatchObject({
      errcode: 'M_LIMIT_EXCEEDED',
    })
    await until(() => sent.length === 155)
    expect(sent.filter(({ to }) => to === ADDRESS)).toHaveLength(5)
    clock.advance(DAY + 1)
    await keep({ room_id: '!more:finances.example' })
  })

  it.each<[string, JsonObject, string]>([
    ['somebody of another server', { sender: '@anne:interieur.example' }, 'M_FORBIDDEN'],
    ['nobody', { sender: 'anne' }, 'M_INVALID_PARAM'],
    ['an address of another server', { address: 'x@finances.example' }, 'M_INVALID_PARAM'],
    ['an address of nobody', { address: 'x@nobody.example' }, 'M_INVALID_PARAM'],
    ['no address', { address: 'zoe@home.example@finances.example' }, 'M_INVALID_PARAM'],
    ['a telephone', { medium: 'msisdn', address: '33123456789' }, 'M_INVALID_PARAM'],
    ['no room', { room_id: 'room' }, 'M_INVALID_PARAM'],
  ])('is refused to a member that names %s', async (_, more, errcode) => {
    await expect(keep(more)).rejects.toMatchObject({ errcode })
    expect(await isInvited()).toBe(false)
  })

  it('is refused to external servers, and to users of this one while it is external', async () => {
    external.add('partner.example')
    await expect(
      members.keepFor('partner.example', { ...wish, sender: '@x:partner.example' }),
    ).rejects.toMatchObject({ extra: { reason: 'address.external' } })
    const address = { medium: 'email', address: ADDRESS } as const
    const own = { room_id: ROOM, sender: ZOE }
    for (const tried of [members.storeInvite(address, own), members.lookup(address)])
      await expect(tried).rejects.toMatchObject({ extra: { reason: 'address.external' } })
    expect(asked).toEqual([])
  })
})

describe('a look-up', () => {
  const PEPPER = (): string => members.hashDetails().lookup_pepper
  const question = (...addresses: string[]) => ({
    hashes: addresses.map((address) => lookupHash(address, PEPPER())),
    algorithm: 'sha256',
    pepper: PEPPER(),
  })
  beforeEach(() => external.clear())

  it('finds whom an address was given since the last one, and not who lost theirs', async () => {
    const asks = question(ADDRESS)
    expect(await members.lookupFor(FINANCES, asks)).toEqual({})
    await give(ZOE, ADDRESS)
    expect(await members.lookupFor(FINANCES, asks)).toEqual({ [asks.hashes[0]!]: ZOE })
    await store.write('test.take', () => deleteThreepid(ZOE, 'email', ADDRESS))
    expect(await members.lookupFor(FINANCES, asks)).toEqual({})
    clock.advance(DAY)
    await give(`@other:${OURS}`, ADDRESS)
    expect(await members.lookupFor(FINANCES, asks)).toEqual({ [asks.hashes[0]!]: `@other:${OURS}` })
  })

  it('reads thousands of addresses page by page, and each once', async () => {
    await store.write('test.many', function* () {
      for (let i = 0; i < 2_500; i++)
        yield* insertThreepid({
          medium: 'email',
          address: `p${i}@home.example`,
          user_id: `@p${i}:${OURS}`,
          validated_ts: 1,
          added_ts: Math.floor(i / 1_200),
        })
    })
    const all = [0, 999, 1_000, 1_199, 1_200, 2_499]
    const asks = question(...all.map((i) => `p${i}@home.example`))
    const found = await members.lookupFor(FINANCES, asks)
    expect(Object.values(found)).toEqual(all.map((i) => `@p${i}:${OURS}`))
  })

  it('asks the server of the address, and tells it the hash alone', async () => {
    const hash = lookupHash('anne@finances.example', PEPPER())
    answer = () => ({ mappings: { [hash]: ANNE } })
    expect(await members.lookup({ medium: 'email', address: 'anne@finances.example' })).toBe(ANNE)
    expect(asked.map(({ destination }) => destination)).toEqual([FINANCES])
    expect(JSON.stringify(asked)).not.toContain('anne')
  })

  it('takes the word of a member for its own users alone', async () => {
    const hash = lookupHash('anne@finances.example', PEPPER())
    for (const lie of [`@boss:${OURS}`, '@x:interieur.example', 'anne', 5, null]) {
      answer = () => ({ mappings: { [hash]: lie } })
      expect(await members.lookup({ medium: 'email', address: 'anne@finances.example' })).toBeUndefined()
    }
    answer = () => ({ mappings: { [hash]: ANNE } })
    expect(await members.lookupHashes(question('anne@finances.example'))).toEqual({ [hash]: ANNE })
  })

  it('goes on without members that do not answer', async () => {
    await give(ZOE, ADDRESS)
    const asks = question(ADDRESS, 'anne@finances.example')
    answer = (destination) => {
      if (destination === FINANCES) throw new FederationError('timeout', 'too slow')
      return { mappings: 'nonsense' }
    }
    expect(await members.lookupHashes(asks)).toEqual({ [asks.hashes[0]!]: ZOE })
    await expect(members.lookup({ medium: 'email', address: 'anne@finances.example' })).rejects.toMatchObject(
      { status: 502 },
    )
  })

  it.each([
    ['another pepper', { pepper: 'old' }, 'M_INVALID_PEPPER'],
    ['another algorithm', { algorithm: 'none' }, 'M_INVALID_PARAM'],
    ['more than it may ask', { hashes: Array.from({ length: 201 }, () => 'x') }, 'M_INVALID_PARAM'],
  ])('with %s is refused', async (_, more, errcode) => {
    for (const look of [
      members.lookupHashes({ ...question(ADDRESS), ...more }),
      members.lookupFor(FINANCES, { ...question(ADDRESS), ...more }),
    ])
      await expect(look).rejects.toMatchObject({ errcode })
  })

  it('finds nobody for an external server', async () => {
    external.add('partner.example')
    await expect(members.lookupFor('partner.example', question(ADDRESS))).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
  })
})

describe('an invitation to an address of a member', () => {
  const address = { medium: 'email', address: 'anne@finances.example' } as const
  const invite = { room_id: `!r:${OURS}`, sender: ZOE, room_name: 'secret plans' }
  beforeEach(() => external.clear())

  it('is kept there, and nothing of the room is told but its id', async () => {
    answer = () => ({
      token: 'abc',
      display_name: 'a…',
      public_keys: [{ public_key: 'k', key_validity_url: 'u' }],
    })
    expect(await members.storeInvite(address, invite)).toEqual({
      token: 'abc',
      displayName: 'a…',
      publicKeys: [{ public_key: 'k', key_validity_url: 'u' }],
    })
    expect(asked[0]).toMatchObject({ destination: FINANCES })
    expect(JSON.stringify(asked)).not.toContain('secret')
  })

  it('is one of the user who has it, if that is a user of that member', async () => {
    answer = () => ({ mxid: ANNE })
    expect(await members.storeInvite(address, invite)).toEqual({ boundTo: ANNE })
    answer = () => ({ mxid: `@boss:${OURS}` })
    await expect(members.storeInvite(address, invite)).rejects.toMatchObject({ status: 502 })
  })

  it('is refused for addresses of nobody, and in the name of others', async () => {
    await expect(
      members.storeInvite({ medium: 'email', address: 'x@nobody.example' }, invite),
    ).rejects.toMatchObject({ errcode: 'M_THREEPID_DENIED', extra: { reason: 'address.nobody' } })
    await expect(members.storeInvite(address, { ...invite, sender: ANNE })).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
    expect(asked).toEqual([])
  })
})
