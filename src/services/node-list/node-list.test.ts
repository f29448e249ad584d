import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { MAX_NODE_LIST_BYTES } from '../../core/node-list/parse-node-list.js'
import {
  authorityJson, DAY, ISSUED, keyFor, listJson, listSigner, memberJson, signedJson, trustIn,
} from '../../core/node-list/testing.js' // prettier-ignore
import type { JsonObject } from '../../core/json/value.js'
import { createAuthority } from '../../platform/certificate.js'
import { manualClock, type ManualClock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import { systemRandom } from '../../platform/random.js'
import { openTestStore } from '../../storage/testing.js'
import { run, type Store } from '../../storage/tx.js'
import { listChecks } from './list-checks.js'
import { fileSource, urlSource } from './list-source.js'
import { createNodeList, type NodeListDeps, type NodeListService } from './node-list.js'

const anssi = listSigner('anssi')
const dinum = listSigner('dinum')
const both = [anssi, dinum]
const OWN = 'own.example'
const A = 'a.example'
const B = 'b.example'

const draft = (sequence: number, members: readonly JsonObject[], more: JsonObject = {}): JsonObject =>
  listJson({
    sequence,
    authorities: [authorityJson(1, 2, both)],
    members: [memberJson(OWN), ...members],
    ...more,
  })
const list = (...args: Parameters<typeof draft>): JsonObject => signedJson(draft(...args), both)

interface Line {
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

let store: Store
let clock: ManualClock
let lines: Line[]
let changed: string[][]
let document: JsonObject | Error

beforeEach(async () => {
  store = await openTestStore()
  clock = manualClock(ISSUED + DAY)
  lines = []
  changed = []
  document = list(1, [memberJson(A), memberJson(B)])
})
afterEach(() => store.close())

function logger(): Logger {
  const at =
    (level: string) =>
    (fields: unknown, message?: string): void =>
      void lines.push({ level, message: message ?? '', fields: fields as Line['fields'] })
  return {
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
  } as unknown as Logger
}

async function node(more: Partial<NodeListDeps> = {}): Promise<NodeListService> {
  const service = createNodeList({
    store,
    clock,
    logger: logger(),
    serverName: OWN,
    source: {
      name: 'test',
      read: () =>
        document instanceof Error
          ? Promise.reject(document)
          : Promise.resolve(Buffer.from(JSON.stringify(document))),
    },
    options: { trust: trustIn(2, both), warnMs: 14 * DAY, graceMs: 7 * DAY },
    ownKey: () => keyFor(OWN).publicKey,
    onChanged: (names) => changed.push([...names]),
    ...more,
  })
  await service.start()
  return service
}

const spokenWith = ({ peers }: NodeListService): string[] =>
  [A, B, 'stranger.example', 'A.example', '__proto__'].filter((name) => peers.federates(name))
const messages = (level: string): string[] =>
  lines.filter((line) => line.level === level).map(({ message }) => message)

describe('a node with a list', () => {
  it('speaks with its members, and with nobody else', async () => {
    const service = await node()
    expect(spokenWith(service)).toEqual([A, B])
    expect(service.status()).toEqual({ sequence: 1, expiresAt: ISSUED + 90 * DAY, life: 'current' })
    expect(service.member(A)?.label).toBe('The people of a.example')
    expect(service.member('stranger.example')).toBeUndefined()
    expect([service.memberOfAddress('x@nobody.example'), service.memberOfAddress('x@a@b')]).toEqual([
      undefined,
      'invalid',
    ])
    expect(messages('warn')).toEqual([])
  })

  it('speaks with nobody as long as it has none, and begins when one can be had', async () => {
    const good = document
    document = new Error('no connection')
    const service = await node()
    expect(spokenWith(service)).toEqual([])
    expect(messages('error')).toEqual(['there is no node list: no other server is spoken with'])
    document = good
    expect(await service.refresh()).toBe('taken')
    expect(spokenWith(service)).toEqual([A, B])
    expect(changed).toEqual([[OWN, A, B]])
  })

  it('goes on with the list that it has when it is started again and the source is gone', async () => {
    await node()
    document = new Error('no connection')
    const again = await node()
    expect(spokenWith(again)).toEqual([A, B])
    expect(await again.refresh()).toBe('unreachable')
    expect(spokenWith(again)).toEqual([A, B])
  })

  it('tells who came and who went, once', async () => {
    const service = await node()
    document = list(2, [memberJson(A, { role: 'external' }), memberJson('c.example')])
    expect([await service.refresh(), await service.refresh()]).toEqual(['taken', 'same'])
    expect(changed.at(-1)).toEqual(['c.example', B, A])
    expect(spokenWith(service)).toEqual([A])
    expect(service.member(A)?.role).toBe('external')
  })

  it.each<[string, () => JsonObject | Error]>([
    ['unsigned', () => ({ ...list(2, []), signatures: {} })],
    ['unsigned', () => signedJson(draft(2, []), [anssi])],
    ['older', () => list(1, [])],
    ['expired', () => list(3, [], { expires_at: ISSUED + 1 })],
    ['malformed', () => ({ ...list(3, []), members: [{ server_name: 'A.example' }] })],
    ['unreachable', () => new Error('no')],
  ])('stays with its list where the next one is %s', async (outcome, make) => {
    document = list(2, [memberJson(A), memberJson(B)])
    const outcomes: string[] = []
    const service = await node({ onRefresh: (found) => outcomes.push(found) })
    document = make()
    // Two lists with one number are another matter.
    if (outcome === 'unsigned' && !(document instanceof Error)) expect(document['sequence']).toBe(2)
    expect(await service.refresh()).toBe(outcome)
    expect(outcomes).toEqual(['taken', outcome])
    expect(spokenWith(service)).toEqual([A, B])
    expect(lines.at(-1)?.level).toBe(outcome === 'unreachable' ? 'warn' : 'error')
  })

  it('refuses an older list after a restart too', async () => {
    const first = document
    const service = await node()
    document = list(2, [memberJson(A)])
    expect(await service.refresh()).toBe('taken')
    document = first
    const again = await node()
    expect(await again.refresh()).toBe('older')
    expect(spokenWith(again)).toEqual([A])
  })

  it('takes no list of signers that were replaced, also after a restart', async () => {
    const service = await node()
    const next = [dinum, listSigner('cnil')]
    const first = (document as JsonObject)['authorities'] as JsonObject[]
    const rotated = draft(2, [memberJson(A)], { authorities: [...first, authorityJson(2, 2, next)] })
    document = signedJson(rotated, [anssi, ...next])
    expect(await service.refresh()).toBe('taken')
    document = list(3, [])
    const again = await node()
    expect(await again.refresh()).toBe('rotation')
    expect(spokenWith(again)).toEqual([A])
  })

  it('starts from other signers when its operator names them, and keeps the number that it has seen', async () => {
    document = list(5, [memberJson(A)])
    await node()
    const other = [listSigner('x'), listSigner('y')]
    const options = { trust: trustIn(1, other), warnMs: DAY, graceMs: DAY }
    const under = (sequence: number, more: JsonObject = {}): JsonObject =>
      signedJson(
        draft(sequence, [memberJson(B)], { authorities: [authorityJson(1, 1, other)], ...more }),
        other,
      )
    const again = await node({ options })
    // The old list is none any more.
    expect(spokenWith(again)).toEqual([])
    document = under(4)
    expect(await again.refresh()).toBe('older')
    document = under(6)
    expect(await again.refresh()).toBe('taken')
    expect(spokenWith(again)).toEqual([B])
  })

  it('warns where it stands not in the list, or with another key', async () => {
    document = signedJson(
      listJson({ authorities: [authorityJson(1, 2, both)], members: [memberJson(A)] }),
      both,
    )
    await node()
    expect(messages('warn')).toEqual([
      'this server does not stand in the node list: no other will speak with it',
    ])
    lines = []
    document = list(2, [])
    const service = await node({ ownKey: () => keyFor('other').publicKey })
    expect(await service.refresh()).toBe('taken')
    expect(messages('warn')).toEqual([
      'the node list has other keys for this server than the one that it signs with',
    ])
  })
})

describe('what a list says of a member', () => {
  it('is its keys with their intervals, its places and its certificates', async () => {
    const validity = { from: ISSUED, until: ISSUED + DAY }
    const ca = createAuthority({ name: 'x', validity, random: systemRandom }).certificate
    expect(listChecks.isCertificate(ca)).toBe(true)
    expect([ca + ca, ca.replace('MI', 'XX'), '', 'x'].map((pem) => listChecks.isCertificate(pem))).toEqual([
      false,
      false,
      false,
      false,
    ])
    const { publicKey, keyId } = keyFor(A)
    const key = { key_id: keyId, public_key: publicKey, valid_from: 5, valid_until: 9 }
    const addresses = [{ host: '10.0.0.5' }]
    document = list(1, [memberJson(A, { keys: [key], addresses, tls: { ca: [ca] } }), memberJson(B)])
    const { peers } = await node()
    expect([...peers.keysOf(A)!]).toMatchObject([
      [keyId, { key: { base64: publicKey }, validFromTs: 5, validUntilTs: 9, expiredTs: 9 }],
    ])
    expect(peers.placesOf(A)).toEqual([{ host: '10.0.0.5', port: 8448 }])
    expect(peers.placesOf(B)).toBeUndefined()
    expect(peers.trustOf(A)).toEqual({ ca: [ca], pins: [] })
    expect(peers.trustOf(A)).toBe(peers.trustOf(A))
    expect(peers.keysOf(B)?.get(keyFor(B).keyId)).toMatchObject({
      validUntilTs: Infinity,
      expiredTs: undefined,
    })
  })

  it('is that no key of a stranger counts, and of a member without keys those that it publishes', async () => {
    document = list(1, [memberJson(A, { keys: [] })])
    const { peers } = await node()
    expect(peers.keysOf('stranger.example')?.size).toBe(0)
    expect(peers.keysOf(A)).toBeUndefined()
  })

  it('is of one who leaves: a member until then, its signatures good until then', async () => {
    const until = ISSUED + 2 * DAY
    document = list(1, [memberJson(A, { left_at: until }), memberJson(B)])
    const service = await node()
    expect(spokenWith(service)).toEqual([A, B])
    await service.watchAge()
    expect(changed).toEqual([[OWN, A, B]])
    clock.set(until)
    expect(spokenWith(service)).toEqual([B])
    await service.watchAge()
    await service.watchAge()
    // What waits for it need not wait any more.
    expect(changed.slice(1)).toEqual([[A]])
    expect(service.member(A)).toBeUndefined()
    expect(service.peers.keysOf(A)?.get(keyFor(A).keyId)).toMatchObject({
      validUntilTs: until,
      expiredTs: until,
    })
  })
})

describe('a list that runs out', () => {
  const end = ISSUED + 90 * DAY

  /** A room in which these have joined. */
  async function room(nid: number, users: readonly string[]): Promise<void> {
    await store.write('test', function* () {
      yield* run(
        `INSERT INTO rooms (nid, room_id, version, rev, state_root, heads, last_pos, published) VALUES (?, ?, '11', 0, NULL, '[]', 0, 0)`,
        nid,
        `!${nid}:x`,
      )
      for (const user of users) {
        const server = user.slice(user.indexOf(':') + 1)
        yield* run(
          `INSERT INTO memberships (room_nid, user_id, membership, sender, pos, server, local, forgotten) VALUES (?, ?, 'join', ?, 1, ?, ?, 0)`,
          nid,
          user,
          user,
          server,
          server === OWN ? 1 : 0,
        )
      }
    })
  }

  it('is spoken of when its end is near, when it comes, once a day, and when grace is over', async () => {
    const service = await node()
    const heard = async (now: number): Promise<string[]> => {
      lines = []
      clock.set(now)
      await service.watchAge()
      return [...messages('warn'), ...messages('error')]
    }
    expect(await heard(end - 15 * DAY)).toEqual([])
    expect(await heard(end - 14 * DAY)).toEqual(['the node list runs out soon, and there is no newer one'])
    expect(await heard(end - 14 * DAY + 60_000)).toEqual([])
    expect(await heard(end - 13 * DAY)).toHaveLength(1)
    expect(await heard(end)).toEqual([expect.stringContaining('has run out; soon')])
    expect(spokenWith(service)).toEqual([A, B])
    expect(await heard(end + 7 * DAY)).toEqual([
      expect.stringContaining('only servers with which rooms are shared'),
    ])
  })

  it('lets those go on with whom rooms are shared, and nobody new, also after a restart', async () => {
    await room(1, [`@x:${OWN}`, `@y:${A}`])
    // Left behind: nobody of this server is there.
    await room(2, [`@y:${A}`, `@z:${B}`])
    const service = await node()
    clock.set(end + 7 * DAY)
    await service.watchAge()
    expect(spokenWith(service)).toEqual([A])
    // Somebody else comes into the room afterwards, through a server that goes on.
    await room(3, [`@x:${OWN}`, `@z:${B}`])
    document = new Error('no connection')
    const again = await node()
    expect(spokenWith(again)).toEqual([A])
    document = list(2, [memberJson(A), memberJson(B)], { issued_at: end, expires_at: end + 100 * DAY })
    expect(await again.refresh()).toBe('taken')
    expect(spokenWith(again)).toEqual([A, B])
    document = new Error('no connection')
    expect(spokenWith(await node())).toEqual([A, B])
  })

  it('is not taken for the first time', async () => {
    clock.set(end)
    const service = await node()
    expect(await service.refresh()).toBe('expired')
    expect(spokenWith(service)).toEqual([])
  })
})

describe('the source of a list', () => {
  it('is a file, read anew each time and up to a size', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'chancery-list-'))
    try {
      const path = join(folder, 'list.json')
      const source = fileSource(path)
      await expect(source.read()).rejects.toThrow('ENOENT')
      await writeFile(path, 'one')
      expect(Buffer.from(await source.read()).toString()).toBe('one')
      await writeFile(path, 'other')
      expect(Buffer.from(await source.read()).toString()).toBe('other')
      await writeFile(path, Buffer.alloc(MAX_NODE_LIST_BYTES + 1))
      await expect(source.read()).rejects.toThrow('too large')
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('is an address, whose answer must be 200 and bounded', async () => {
    const asked: unknown[] = []
    const source = (status: number) =>
      urlSource('https://x.example/list', {
        request(request) {
          asked.push(request)
          return Promise.resolve({ status, headers: new Map(), body: Buffer.from('x'), url: request.url })
        },
      })
    expect(await source(200).read()).toEqual(Buffer.from('x'))
    await expect(source(404).read()).rejects.toThrow('404')
    expect(asked[0]).toMatchObject({ maxBytes: MAX_NODE_LIST_BYTES, maxRedirects: 3, timeoutMs: 15_000 })
  })
})
