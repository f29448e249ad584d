import { afterEach, describe, expect, it } from '@jest/globals'
import { longestTurn } from '../../platform/testing-turns.js'
import { canonicalJson } from '../../core/json/canonical.js'
import { MatrixError } from '../../core/errors.js'
import { buildEvent, type EventFields } from '../../core/event/build.js'
import { signEvent, signJson } from '../../core/event/sign.js'
import type { RoomEvent } from '../../core/event/types.js'
import type { JsonObject } from '../../core/json/value.js'
import { roomVersion } from '../../core/room-version/versions.js'
import { manualClock, type ManualClock } from '../../platform/clock.js'
import { createSigner, generateSigningKey, publicKey, type Signer } from '../../platform/ed25519.js'
import { silentLogger } from '../../platform/logger.js'
import { systemRandom } from '../../platform/random.js'
import { openTestStore } from '../../storage/testing.js'
import type { Store } from '../../storage/tx.js'
import { FederationError, type FederationRequest } from './client.js'
import { MAX_VALIDITY, parseKeyDocument } from './key-document.js'
import { createKeyFetcher, type Notary } from './key-fetcher.js'
import { createKeys, type KeysDeps, type SignatureCheck } from './keys.js'
import { createKnownKeys } from './known-keys.js'
import { createNotary } from './notary.js'
import { pinnedKeys } from './peers.js'
import { createRequestAuth } from './request-auth.js'
import { authorizationHeader } from './x-matrix.js'

const DAY = 24 * 3_600_000
const signerNamed = (version: string): Signer => createSigner(generateSigningKey(systemRandom, version))
const first = signerNamed('first')
const second = signerNamed('second')
const ours = signerNamed('ours')

interface Document {
  current?: Signer[]
  old?: [Signer, number][]
  until?: number
  signedBy?: Signer[]
  name?: string
}

function documentOf(
  { current = [first], old = [], until, signedBy = current, name = 'sante.example' }: Document,
  clock: ManualClock,
): JsonObject {
  const object: JsonObject = {
    server_name: name,
    verify_keys: Object.fromEntries(current.map((signer) => [signer.keyId, { key: signer.publicKey }])),
    old_verify_keys: Object.fromEntries(
      old.map(([signer, ts]) => [signer.keyId, { key: signer.publicKey, expired_ts: ts }]),
    ),
    valid_until_ts: until ?? clock.now() + DAY,
  }
  return signedBy.reduce((signed, signer) => signJson(signed, { serverName: name, ...signer }), object)
}

const stores: Store[] = []
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
})

/** A world with one peer, `sante.example`, whose key document is what `peer.document` says. */
async function world(
  options: Partial<KeysDeps> & {
    notaries?: Notary[]
    store?: Store
    clock?: ManualClock
    banned?: ReadonlySet<string>
  } = {},
) {
  const clock = options.clock ?? manualClock()
  const store = options.store ?? (await openTestStore())
  if (options.store === undefined) stores.push(store)
  const requests: FederationRequest[] = []
  const answers = new Map<string, JsonObject>()
  const peer: { document: JsonObject | Error; notary: JsonObject | Error; hang?: Promise<void> } = {
    document: documentOf({}, clock),
    notary: new FederationError('unreachable', 'down'),
  }
  const client = {
    async request(request: FederationRequest): Promise<JsonObject> {
      requests.push(request)
      await peer.hang
      const canned = answers.get(request.destination + request.path)
      if (canned !== undefined) return canned
      const answer = request.destination === 'notary.example' ? peer.notary : peer.document
      if (answer instanceof Error) throw answer
      return answer
    },
  }
  const { banned = new Set<string>() } = options
  const known = createKnownKeys({ store, clock, logger: silentLogger, banned })
  const random = { ...systemRandom, bytes: (length: number) => new Uint8Array(length) }
  const fetcher = createKeyFetcher({
    client,
    known,
    notaries: options.notaries ?? [],
    clock,
    random,
    logger: silentLogger,
    banned,
  })
  const keys = createKeys({ serverName: 'finances.example', signer: ours, known, fetcher, clock, ...options })
  const notary = createNotary({
    serverName: 'finances.example',
    signer: ours,
    keys,
    known,
    fetcher,
    clock,
    timeoutMs: 200,
  })
  const auth = createRequestAuth({
    serverName: 'finances.example',
    keys,
    clock,
    federates: (name) => name !== 'denied.example',
  })
  return { clock, store, requests, answers, peer, known, fetcher, keys, notary, auth }
}

const bytes = new TextEncoder().encode('an event')
const check = (signer: Signer, at: number, more: Partial<SignatureCheck> = {}): SignatureCheck => ({
  serverName: 'sante.example',
  signatures: new Map([[signer.keyId, signer.sign(bytes)]]),
  bytes,
  at,
  enforceValidity: true,
  use: 'event',
  ...more,
})
const ok = { ok: true }
const no = (reason: string) => ({ ok: false, reason, server: 'sante.example' })

describe('a key document', () => {
  const clock = manualClock()
  const parse = (document: JsonObject) => parseKeyDocument('sante.example', document)

  it('is read when it is of that server and signed by one of its current keys', () => {
    const parsed = parse(
      documentOf({ current: [first, second], old: [[ours, 5]], signedBy: [second] }, clock),
    )!
    expect([...parsed.current.keys()]).toEqual([first.keyId, second.keyId])
    expect(parsed.old.get(ours.keyId)?.expiredTs).toBe(5)
  })

  it.each<[string, JsonObject]>([
    ['of another server', documentOf({ name: 'evil.example' }, clock)],
    ['not signed', documentOf({ signedBy: [] }, clock)],
    ['signed by an old key only', documentOf({ old: [[second, 5]], signedBy: [second] }, clock)],
    ['changed after signing', { ...documentOf({}, clock), valid_until_ts: 99 }],
    ['without keys', documentOf({ current: [], signedBy: [first] }, clock)],
    ['with a float for a time', { ...documentOf({}, clock), valid_until_ts: 1.5 }],
    ['with keys that are no object', { ...documentOf({}, clock), verify_keys: [first.keyId] }],
    ['with old keys that are no object', { ...documentOf({}, clock), old_verify_keys: 'x' }],
    [
      'with a thousand keys',
      {
        ...documentOf({}, clock),
        verify_keys: Object.fromEntries(
          Array.from({ length: 1_000 }, (_, i) => [`ed25519:${i}`, { key: first.publicKey }]),
        ),
      },
    ],
  ])('is refused when %s', (_, document) => {
    expect(parse(document)).toBeUndefined()
  })

  it('may carry keys that cannot be used, which are passed over', () => {
    const odd: JsonObject = {
      server_name: 'sante.example',
      valid_until_ts: 5,
      verify_keys: {
        [first.keyId]: { key: first.publicKey },
        'ed25519:zero': { key: 'A'.repeat(43) },
        'ed25519:short': { key: 'AAAA' },
        'ed25519:bad/id': { key: second.publicKey },
        'rsa:1': { key: second.publicKey },
        'ed25519:list': [],
        'ed25519:number': { key: 5 },
        ['__proto__']: { key: second.publicKey },
      },
    }
    const parsed = parse(signJson(odd, { serverName: 'sante.example', ...first }))!
    expect([...parsed.current.keys()]).toEqual([first.keyId])
  })
})

describe('verification by the keys of another server', () => {
  it('fetches the key once, and remembers it across a restart', async () => {
    const one = await world()
    expect(await one.keys.verify([check(first, one.clock.now())])).toEqual([ok])
    expect(await one.keys.verify([check(first, one.clock.now())])).toEqual([ok])
    expect(one.requests).toHaveLength(1)
    const two = await world({ store: one.store, clock: one.clock })
    expect(await two.keys.verify([check(first, one.clock.now())])).toEqual([ok])
    expect(two.requests).toHaveLength(0)
  })

  it('makes one request for a thousand waiters, some of which are forgeries', async () => {
    const { keys, requests, clock } = await world()
    const forged = check(first, clock.now(), { signatures: new Map([[first.keyId, second.sign(bytes)]]) })
    const verdicts = await Promise.all(
      Array.from({ length: 1_000 }, (_, index) =>
        keys.verify([index % 2 === 0 ? check(first, clock.now()) : forged]),
      ),
    )
    expect(verdicts.flat()).toEqual(
      Array.from({ length: 1_000 }, (_, index) => (index % 2 === 0 ? ok : no('bad-signature'))),
    )
    expect(requests).toHaveLength(1)
  })

  it('says which refusals are final', async () => {
    const { keys, clock } = await world()
    const at = clock.now()
    const verdicts = await keys.verify([
      check(first, at, { signatures: new Map() }),
      check(first, at, { signatures: new Map([['rsa:1', 'AAAA'], ['ed25519:a/b', 'AAAA'], ['__proto__', 'AAAA']]) }),
      check(first, at, { signatures: new Map([[first.keyId, '!']]) }),
      check(second, at),
    ]) // prettier-ignore
    expect(verdicts).toEqual([no('unsigned'), no('unsigned'), no('bad-signature'), no('unknown-key')])
  })

  it('fetches nothing when told to decide by what it knows', async () => {
    const { keys, clock, requests } = await world()
    expect(await keys.verify([check(first, clock.now())], { knownOnly: true })).toEqual([no('unknown-key')])
    expect(requests).toHaveLength(0)
  })

  it('finds the real signature among a thousand junk ones', async () => {
    const { keys, clock } = await world()
    await keys.verify([check(first, clock.now())])
    const junk = new Map(
      Array.from({ length: 1_000 }, (_, index) => [`ed25519:junk${index}`, 'A'.repeat(86)]),
    )
    junk.set(first.keyId, first.sign(bytes))
    expect(await keys.verify([check(first, clock.now(), { signatures: junk })])).toEqual([ok])
  })

  it('asks a server that fails less and less often, and again after its recovery', async () => {
    const { keys, peer, clock, requests } = await world()
    const document = peer.document
    peer.document = new FederationError('unreachable', 'down')
    const at = clock.now()
    const counts: number[] = []
    for (const wait of [0, 9_999, 1, 19_999, 1, 40_000]) {
      clock.advance(wait)
      expect(await keys.verify([check(first, at)])).toEqual([no('unknown-key')])
      counts.push(requests.length)
    }
    expect(counts).toEqual([1, 1, 2, 2, 3, 4])
    peer.document = document
    clock.advance(600_000)
    expect(await keys.verify([check(first, at)])).toEqual([ok])
  })

  it('asks at most once a minute for key ids that the server does not have', async () => {
    const { keys, clock, requests } = await world()
    for (let index = 0; index < 50; index++) {
      const unknown = new Map([[`ed25519:no${index}`, first.sign(bytes)]])
      expect(await keys.verify([check(first, clock.now(), { signatures: unknown })])).toEqual([
        no('unknown-key'),
      ])
    }
    expect(requests).toHaveLength(1)
  })
})

describe('the validity of a key', () => {
  it('ends after 7 days whatever the document says, and is renewed by a new one', async () => {
    const { keys, peer, clock, requests } = await world()
    peer.document = documentOf({ until: clock.now() + 3_650 * DAY }, clock)
    await keys.verify([check(first, clock.now())])
    clock.advance(MAX_VALIDITY)
    expect(await keys.verify([check(first, clock.now())])).toEqual([ok])
    expect(requests).toHaveLength(1)
    clock.advance(1)
    expect(await keys.verify([check(first, clock.now())])).toEqual([ok])
    expect(requests).toHaveLength(2)
  })

  it('does not cover what is signed after it, while the server cannot renew it', async () => {
    const { keys, peer, clock } = await world()
    const start = clock.now()
    await keys.verify([check(first, start)])
    peer.document = new FederationError('unreachable', 'down')
    clock.advance(2 * DAY)
    expect(
      await keys.verify([
        check(first, start + DAY),
        check(first, start + DAY + 1),
        check(first, clock.now(), { enforceValidity: false }),
        check(first, clock.now(), { use: 'request' }),
      ]),
    ).toEqual([ok, no('unknown-key'), ok, no('unknown-key')])
  })

  it('of a rotated key ends with its use: events from before count, events from after and requests do not', async () => {
    const { keys, peer, clock } = await world()
    const rotation = clock.now()
    await keys.verify([check(first, rotation)])
    clock.advance(DAY / 2)
    peer.document = documentOf({ current: [second], old: [[first, rotation]] }, clock)
    expect(await keys.verify([check(second, clock.now())])).toEqual([ok])
    expect(
      await keys.verify([
        check(first, rotation),
        check(first, rotation + 1),
        check(first, rotation, { use: 'request' }),
        check(second, clock.now(), { use: 'request' }),
        check(first, clock.now(), { enforceValidity: false }),
      ]),
    ).toEqual([ok, no('expired-key'), no('expired-key'), ok, ok])
  })

  it('is shortened by the server when it says so', async () => {
    const { keys, peer, clock } = await world()
    const start = clock.now()
    await keys.verify([check(first, start)])
    clock.advance(60_000)
    peer.document = documentOf({ current: [first, second], until: start + 1 }, clock)
    await keys.verify([check(second, start)])
    expect(await keys.verify([check(first, start + 2)])).toEqual([no('unknown-key')])
  })
})

describe('the signatures of events', () => {
  const fields = (clock: ManualClock, more: Partial<EventFields> = {}): EventFields => ({
    type: 'm.room.message',
    sender: '@a:sante.example',
    roomId: '!room:sante.example',
    content: { body: 'x' },
    depth: 5,
    originServerTs: clock.now(),
    prevEvents: ['$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
    authEvents: [],
    ...more,
  })
  const build = (
    clock: ManualClock,
    more: Partial<EventFields> = {},
    version = '11',
    signer = first,
  ): RoomEvent =>
    buildEvent(fields(clock, more), roomVersion(version)!, { serverName: 'sante.example', ...signer })

  it('must be there of every server that the room version asks for, each event judged by itself', async () => {
    const { keys, clock, peer, requests } = await world()
    peer.document = documentOf({ current: [first] }, clock)
    const good = build(clock)
    const tampered: RoomEvent = { ...good, pdu: { ...good.pdu, depth: 6 } as RoomEvent['pdu'] }
    const join = build(clock, {
      type: 'm.room.member',
      stateKey: '@a:sante.example',
      content: { membership: 'join', join_authorised_via_users_server: '@b:finances.example' },
    })
    const both = signEvent(join, { serverName: 'finances.example', ...ours })
    const nobody = build(clock, {
      type: 'm.room.member',
      stateKey: '@a:sante.example',
      content: { membership: 'join', join_authorised_via_users_server: 5 },
    })
    const events = [good, tampered, join, both, nobody, build(clock, {}, '11', second)]
    expect(await keys.verifyEventSignatures(events)).toEqual([
      ok,
      no('bad-signature'),
      { ok: false, reason: 'unsigned', server: 'finances.example' },
      ok,
      { ok: false, reason: 'malformed', server: '' },
      no('unknown-key'),
    ])
    expect(requests).toHaveLength(1)
  })

  it('need a key valid at their time from room version 5 on, and before any key that the server had', async () => {
    const { keys, clock } = await world()
    const late = { originServerTs: clock.now() + 30 * DAY }
    await keys.verify([check(first, clock.now())])
    const verdicts = await keys.verifyEventSignatures([build(clock, late, '4'), build(clock, late, '5')])
    expect(verdicts).toEqual([ok, no('unknown-key')])
  })

  it('of a redacted event are as good as before', async () => {
    const { keys, clock } = await world()
    const event = build(clock)
    expect(await keys.verifyEventSignatures([{ ...event, pdu: { ...event.pdu, content: {} } }])).toEqual([ok])
  })

  it('are verified by the hundred without holding up the event loop', async () => {
    const { keys, clock } = await world()
    const event = build(clock)
    const longest = await longestTurn(async () => {
      const verdicts = await keys.verifyEventSignatures(Array.from({ length: 2_000 }, () => event))
      expect(verdicts.every((verdict) => verdict.ok)).toBe(true)
    })
    expect(longest).toBeLessThan(100)
  })
})

describe('a key id', () => {
  it('stands for one key for ever: another key under it is refused', async () => {
    const { keys, peer, clock, known } = await world()
    const impostor = signerNamed('first')
    await keys.verify([check(first, clock.now())])
    clock.advance(60_000)
    peer.document = documentOf({ current: [impostor, second] }, clock)
    expect(await keys.verify([check(second, clock.now())])).toEqual([ok])
    expect(await keys.verify([check(impostor, clock.now()), check(first, clock.now())])).toEqual([
      no('bad-signature'),
      ok,
    ])
    expect((await known.of('sante.example')).keys.get('ed25519:first')?.key.base64).toBe(first.publicKey)
  })
})

describe('a banned key', () => {
  const banned = new Set([first.publicKey])

  it('never counts, in use or not, though it signed the document that lists it', async () => {
    const { keys, peer, clock } = await world({ banned })
    peer.document = documentOf({ current: [first, second] }, clock)
    const checks = [check(first, clock.now()), check(first, clock.now(), { enforceValidity: false })]
    expect(await keys.verify([...checks, check(second, clock.now())])).toEqual([
      no('unknown-key'),
      no('unknown-key'),
      ok,
    ])
    clock.advance(61_000)
    peer.document = documentOf({ current: [second], old: [[first, clock.now()]] }, clock)
    expect(await keys.verify([check(first, clock.now() - 1_000)])).toEqual([no('unknown-key')])
  })

  it('vouches for no document', async () => {
    const { keys, peer, clock } = await world({ banned })
    peer.document = documentOf({ current: [first, second], signedBy: [first] }, clock)
    expect(await keys.verify([check(second, clock.now())])).toEqual([no('unknown-key')])
  })

  it('ends to count where it was known before, and leaves its id to no other', async () => {
    const before = await world()
    expect(await before.keys.verify([check(first, before.clock.now())])).toEqual([ok])
    const { store, clock } = before
    const { keys, peer, notary } = await world({ banned, store, clock })
    expect(await keys.verify([check(first, clock.now())])).toEqual([no('unknown-key')])
    // What it signed is not handed on either.
    expect(await notary.queryServer('sante.example')).toEqual({ server_keys: [] })
    const impostor = createSigner(generateSigningKey(systemRandom, 'first'))
    clock.advance(3_600_000)
    peer.document = documentOf({ current: [impostor, second] }, clock)
    expect(await keys.verify([check(impostor, clock.now()), check(second, clock.now())])).toEqual([
      no('unknown-key'),
      ok,
    ])
  })
})

describe('pinned keys and our own', () => {
  it('are never asked for, and no others count for those servers', async () => {
    const pinned = new Map([['sante.example', new Map([[second.keyId, second.publicKey]])]])
    const { keys, requests, clock } = await world({
      fixedKeysOf: pinnedKeys(pinned),
      retired: () => [{ keyId: first.keyId, publicKey: first.publicKey, expiredTs: 5 }],
    })
    expect(await keys.verify([check(second, clock.now()), check(first, clock.now())])).toEqual([
      ok,
      no('unknown-key'),
    ])
    const mine = { serverName: 'finances.example' }
    const verdicts = await keys.verify([
      check(ours, clock.now(), mine),
      check(first, 5, mine),
      check(first, 6, mine),
    ])
    expect(verdicts.map((verdict) => verdict.ok)).toEqual([true, true, false])
    expect(requests).toHaveLength(0)
  })

  it('must be keys', () => {
    const pinned = new Map([['sante.example', new Map([['ed25519:1', 'A'.repeat(43)]])]])
    expect(() => pinnedKeys(pinned)).toThrow('ed25519:1 of sante.example')
  })

  it('count from their beginning to their end, for requests and for events', async () => {
    const { keys, clock } = await world()
    const now = clock.now()
    const key = { key: publicKey(first.publicKey)!, validFromTs: now - 100, validUntilTs: now + 100 }
    const fixed = { ...key, expiredTs: now + 100 }
    const { keys: bounded } = await world({ fixedKeysOf: () => new Map([[first.keyId, fixed]]) })
    const times = [now - 101, now - 100, now + 100, now + 101]
    for (const use of ['request', 'event'] as const) {
      const verdicts = await bounded.verify(times.map((at) => check(first, at, { use })))
      expect(verdicts.map((verdict) => verdict.ok)).toEqual([false, true, true, false])
    }
    // In the oldest room versions any key will do that a server ever had.
    const lax = await bounded.verify(times.map((at) => check(first, at, { enforceValidity: false })))
    expect(lax.map((verdict) => verdict.ok)).toEqual([true, true, true, true])
    expect(await keys.verify([])).toEqual([])
  })

  it('are published in a document that others accept', async () => {
    const { keys, clock } = await world({
      retired: () => [{ keyId: first.keyId, publicKey: first.publicKey, expiredTs: 5 }],
    })
    const document = keys.ownDocument()
    // Some programs verify the bytes as they come.
    expect(JSON.stringify(document)).toBe(canonicalJson(document))
    const parsed = parseKeyDocument('finances.example', document)!
    expect(parsed.current.get(ours.keyId)?.base64).toBe(ours.publicKey)
    expect(parsed.old.get(first.keyId)).toMatchObject({ expiredTs: 5, key: { base64: first.publicKey } })
    expect(parsed.validUntilTs).toBe(clock.now() + DAY)
  })
})

describe('a notary', () => {
  const notarySigner = signerNamed('n')
  const notaries = [
    {
      serverName: 'notary.example',
      keys: new Map([[notarySigner.keyId, publicKey(notarySigner.publicKey)!]]),
    },
  ]
  const vouched = (document: JsonObject, by = notarySigner): JsonObject => ({
    server_keys: [signJson(document, { serverName: 'notary.example', ...by })],
  })

  it('is believed about a server that cannot be reached, when both have signed', async () => {
    const { keys, peer, clock, requests } = await world({ notaries })
    peer.document = new FederationError('timeout', 'slow')
    peer.notary = vouched(documentOf({}, clock))
    expect(await keys.verify([check(first, clock.now())])).toEqual([ok])
    expect(requests.map(({ destination }) => destination)).toEqual(['sante.example', 'notary.example'])
  })

  it('is known by the keys that it publishes, where the configuration names none', async () => {
    const { keys, peer, clock, answers } = await world({ notaries: [{ serverName: 'notary.example' }] })
    peer.document = new FederationError('unreachable', 'down')
    peer.notary = vouched(documentOf({}, clock))
    answers.set(
      'notary.example/_matrix/key/v2/server',
      documentOf({ name: 'notary.example', current: [notarySigner] }, clock),
    )
    expect(await keys.verify([check(first, clock.now())])).toEqual([ok])
  })

  it.each<[string, (clock: ManualClock) => JsonObject]>([
    ['did not sign', (clock) => ({ server_keys: [documentOf({}, clock)] })],
    ['signed with another key', (clock) => vouched(documentOf({}, clock), signerNamed('n'))],
    ['hands on what the server did not sign', (clock) => vouched(documentOf({ signedBy: [] }, clock))],
    ['hands on another server', (clock) => vouched(documentOf({ name: 'evil.example' }, clock))],
    ['answers with nonsense', () => ({ server_keys: [5, null, []] })],
  ])('is not believed when it %s', async (_, answer) => {
    const { keys, peer, clock } = await world({ notaries })
    peer.document = new FederationError('unreachable', 'down')
    peer.notary = answer(clock)
    expect(await keys.verify([check(first, clock.now())])).toEqual([no('unknown-key')])
  })

  it('can neither bring a retired key back nor shorten a validity', async () => {
    const { keys, peer, clock, known } = await world({ notaries })
    const stale = documentOf({ until: clock.now() + 1 }, clock)
    peer.document = documentOf({ current: [second], old: [[first, clock.now()]] }, clock)
    await keys.verify([check(second, clock.now())])
    peer.document = new FederationError('unreachable', 'down')
    peer.notary = vouched(stale)
    clock.advance(60_000)
    expect(await keys.verify([check(first, clock.now())])).toEqual([no('expired-key')])
    const after = (await known.of('sante.example')).keys
    expect(after.get(first.keyId)?.expiredTs).toBe(clock.now() - 60_000)
    expect(after.get(second.keyId)?.validUntilTs).toBe(clock.now() - 60_000 + DAY)
  })
})

describe('this server as a notary', () => {
  it('hands on what it saw, signed by both, and its own document', async () => {
    const { notary, keys } = await world()
    const { server_keys: documents } = await notary.queryMany({
      server_keys: { 'sante.example': {}, 'finances.example': {} },
    })
    expect(documents.map((document) => document['server_name'])).toEqual([
      'sante.example',
      'finances.example',
    ])
    const [handed] = documents
    expect(parseKeyDocument('sante.example', handed)).toBeDefined()
    expect(await keys.verifyJson('finances.example', handed!)).toEqual(ok)
    expect(await keys.verifyJson('sante.example', handed!)).toEqual(ok)
  })

  it('asks again only for what it does not have, and hands on old documents of a dead server', async () => {
    const { notary, peer, clock, requests } = await world()
    await notary.queryServer('sante.example')
    await notary.queryMany({
      server_keys: { 'sante.example': { [first.keyId]: { minimum_valid_until_ts: clock.now() + 5 } } },
    })
    expect(requests).toHaveLength(1)
    peer.document = new FederationError('unreachable', 'down')
    clock.advance(30 * DAY)
    expect((await notary.queryServer('sante.example')).server_keys).toHaveLength(1)
    expect(requests).toHaveLength(2)
  })

  it('leaves out servers that it cannot reach, in bounded time, and names that are none', async () => {
    const { notary, peer } = await world()
    let release: () => void = () => undefined
    peer.hang = new Promise((resolve) => (release = resolve))
    // It hangs until the end of this test.
    expect(
      await notary.queryMany({ server_keys: { 'dead.example': {}, 'a/b': {}, ['__proto__']: {} } }),
    ).toEqual({ server_keys: [] })
    release()
  })

  it.each<[string, JsonObject]>([
    ['no servers', {}],
    ['servers that are no object', { server_keys: [] }],
    ['criteria that are no object', { server_keys: { 'a.example': 5 } }],
    ['a null criterion', { server_keys: { 'a.example': { 'ed25519:1': null } } }],
    [
      'a time that is no number',
      { server_keys: { 'a.example': { 'ed25519:1': { minimum_valid_until_ts: 'x' } } } },
    ],
    [
      '101 servers',
      { server_keys: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`h${i}.example`, {}])) },
    ],
  ])('refuses %s', async (_, body) => {
    const { notary } = await world()
    await expect(notary.queryMany(body)).rejects.toMatchObject({ errcode: 'M_BAD_JSON' })
  })
})

describe('the authentication of a request', () => {
  const request = { method: 'PUT', uri: '/_matrix/federation/v1/send/1', content: { a: 1 } }
  const header = (by: Signer, more: object = {}): string =>
    authorizationHeader(
      { ...request, origin: 'sante.example', destination: 'finances.example', ...more },
      by,
    )!
  const refusal = (promise: Promise<string>): Promise<[string, number | undefined]> =>
    promise.then(
      () => ['accepted', undefined],
      (error: unknown) => [(error as MatrixError).errcode, (error as MatrixError).status],
    )

  it('names the origin whose key signed it', async () => {
    const { auth } = await world()
    expect(await auth.verify({ ...request, authorization: header(first) })).toBe('sante.example')
    expect(await auth.verify({ ...request, authorization: [header(first)] })).toBe('sante.example')
    expect(() => auth.admit(header(first))).not.toThrow()
    const without = header(first).replace('destination="finances.example",', '')
    expect(await auth.verify({ ...request, authorization: without })).toBe('sante.example')
  })

  it('refuses every other method, path, query, body, origin and key', async () => {
    const { auth } = await world()
    const authorization = header(first)
    const others = [
      { ...request, method: 'POST', authorization },
      { ...request, uri: `${request.uri}?x`, authorization },
      { ...request, content: { a: 2 }, authorization },
      { ...request, content: undefined, authorization },
      { ...request, content: { a: '\ud800' }, authorization },
      { ...request, authorization: header(second) },
      { ...request, authorization: header(first, { origin: 'interieur.example' }) },
      { ...request, authorization: header(first).replace(first.keyId, 'ed25519:other') },
    ]
    for (const other of others) expect(await refusal(auth.verify(other))).toEqual(['M_UNAUTHORIZED', 401])
  })

  it('refuses by the header alone what cannot be for us', async () => {
    const { auth } = await world()
    const refused: [string | string[] | undefined, string][] = [
      [undefined, 'M_UNAUTHORIZED'],
      [[], 'M_UNAUTHORIZED'],
      ['Bearer x', 'M_UNAUTHORIZED'],
      [[header(first), header(first)], 'M_UNAUTHORIZED'],
      [header(first, { destination: 'interieur.example' }), 'M_UNAUTHORIZED'],
      [header(ours, { origin: 'finances.example' }), 'M_UNAUTHORIZED'],
      [header(first, { origin: 'denied.example' }), 'M_FORBIDDEN'],
    ]
    for (const [authorization, errcode] of refused) {
      expect(await refusal(auth.verify({ ...request, authorization }))).toEqual([
        errcode,
        errcode === 'M_FORBIDDEN' ? undefined : 401,
      ])
      expect(() => auth.admit(authorization)).toThrow(MatrixError)
    }
  })
})
