import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { OPERATOR } from '../../core/audit/acts.js'
import { signJson } from '../../core/event/sign.js'
import type { JsonObject } from '../../core/json/value.js'
import type { RetentionPolicy } from '../../core/retention.js'
import { systemClock } from '../../platform/clock.js'
import { silentLogger } from '../../platform/logger.js'
import { until } from '../../platform/testing-until.js'
import { NO_AUDIT } from '../audit/trail.js'
import {
  addNode,
  bodiesOf,
  createNetwork,
  type Network,
  type TestNode,
} from '../replication/testing/network.js'
import { createLegalHolds } from './legal-holds.js'
import { PURGE_PATH } from './purge-notices.js'
import { createRetention, type Retention } from './retention.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:b.example'
const DAY = 86_400_000
const lifetimes = { least: 0, most: 30 * DAY, usual: undefined }
const POLICY: RetentionPolicy = {
  setAtCreation: false,
  lifetimes: { public: lifetimes, private: lifetimes, direct: lifetimes },
}

let shift: number
const clock = { ...systemClock, now: () => Date.now() + shift }
let network: Network
let members: Set<string>
let purges: Map<string, Retention>
/** Purge notices that are on their way; what becomes of them. */
let tamper: (receipt: JsonObject) => JsonObject

async function node(name: string): Promise<TestNode> {
  const made = await addNode(network, name, { retention: POLICY, clock })
  const signer = { serverName: name, keyId: made.signer.keyId, sign: made.signer.sign }
  purges.set(
    name,
    createRetention({
      context: made.context,
      clock,
      logger: silentLogger,
      media: { remove: () => Promise.resolve(false), evictRemoteBefore: () => Promise.resolve(0) },
      audit: NO_AUDIT,
      holds: createLegalHolds({ store: made.store, clock, audit: NO_AUDIT }),
      sign: (object) => signJson(object, signer),
      mediaMs: undefined,
      keys: made.keys,
      isMember: (server) => members.has(server),
      client: {
        async request({ destination, path, body }) {
          expect(path).toBe(PURGE_PATH)
          const { record } = body as { record: JsonObject }
          return { receipt: tamper(await purges.get(destination)!.notices.receive(name, record)) }
        },
      },
    }),
  )
  return made
}

let a: TestNode
let b: TestNode
let roomId: string
beforeEach(async () => {
  shift = 0
  members = new Set(['a.example', 'b.example'])
  purges = new Map()
  tamper = (receipt) => receipt
  network = createNetwork()
  a = await node('a.example')
  b = await node('b.example')
  roomId = await a.createRoom(ALICE)
  await b.join(BOB, roomId, 'a.example')
  await a.send(ALICE, roomId, 'too old one day')
  await until(async () => (await bodiesOf(b, roomId)).includes('too old one day'))
})
afterEach(() => network.close())

const of = (name: string): Retention => purges.get(name)!
async function contents(at: TestNode): Promise<string> {
  const rows = await at.store.read('test', function* () {
    const result = yield {
      sql: "SELECT json FROM events WHERE type = 'm.room.message'",
      params: [],
      kind: 'rows',
    }
    return result.rows
  })
  return JSON.stringify(rows)
}
const receipts = async () => (await of('a.example').records(Number.MAX_SAFE_INTEGER, 10))[0]?.receipts

describe('a purge', () => {
  it('is told to the members in the room, who purge what is too old there and sign that it is gone', async () => {
    shift = 31 * DAY
    await of('a.example').run()
    expect(await receipts()).toEqual([expect.objectContaining({ server: 'b.example', receipt: null })])
    expect(await contents(b)).toContain('too old')
    expect(await of('a.example').notices.tell()).toBe(1)
    expect(await contents(b)).not.toContain('too old')
    const [got] = (await receipts())!
    const receipt = JSON.parse(got!.receipt!) as JsonObject
    expect(receipt).toMatchObject({
      type: 'org.chancery.purge_receipt.v1',
      server: 'b.example',
      room_id: roomId,
    })
    expect(await of('a.example').notices.tell()).toBe(0)
  })

  it('is asked about again later where no answer comes', async () => {
    shift = 31 * DAY
    await of('a.example').run()
    tamper = () => {
      throw new Error('lost')
    }
    expect(await of('a.example').notices.tell()).toBe(0)
    tamper = (receipt) => receipt
    expect(await of('a.example').notices.tell()).toBe(0)
    shift += 120_000
    expect(await of('a.example').notices.tell()).toBe(1)
  })

  it.each<[string, (receipt: JsonObject) => JsonObject]>([
    ['of another server', (receipt) => ({ ...receipt, server: 'c.example' })],
    ['of another purge', (receipt) => ({ ...receipt, record: 'x' })],
    ['that was changed after it was signed', (receipt) => ({ ...receipt, before: 1 })],
    ['without a signature', (receipt) => ({ ...receipt, signatures: {} })],
  ])('takes no receipt %s', async (_, change) => {
    shift = 31 * DAY
    await of('a.example').run()
    tamper = change
    expect(await of('a.example').notices.tell()).toBe(0)
    expect((await receipts())![0]!.receipt).toBeNull()
  })

  it('never makes another node delete what is not too old there, whatever the record says', async () => {
    const signer = { serverName: 'a.example', keyId: a.signer.keyId, sign: a.signer.sign }
    const record = signJson(
      {
        type: 'org.chancery.purge.v1',
        server: 'a.example',
        room_id: roomId,
        before: Date.now() + 999 * DAY,
        events: 9,
        at: 1,
      },
      signer,
    )
    await of('b.example').notices.receive('a.example', record)
    expect(await contents(b)).toContain('too old one day')
  })

  it('is taken from members in the room alone, with their own signature', async () => {
    shift = 31 * DAY
    const signer = { serverName: 'a.example', keyId: a.signer.keyId, sign: a.signer.sign }
    const record = {
      type: 'org.chancery.purge.v1',
      server: 'a.example',
      room_id: roomId,
      before: 1,
      events: 1,
      at: 1,
    }
    const signed = signJson(record, signer)
    const { notices } = of('b.example')
    await expect(notices.receive('c.example', signed)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await expect(notices.receive('a.example', record)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await expect(
      notices.receive('a.example', signJson({ ...record, server: 'c.example' }, signer)),
    ).rejects.toMatchObject({ errcode: 'M_BAD_JSON' })
    await expect(
      notices.receive('a.example', signJson({ ...record, room_id: '!none:a.example' }, signer)),
    ).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
    members.delete('a.example')
    await expect(notices.receive('a.example', signed)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    expect(await contents(b)).toContain('too old')
  })

  it('gets no receipt from a node that holds the room or somebody in it', async () => {
    shift = 31 * DAY
    await of('a.example').run()
    const { holds } = of('b.example')
    await holds.hold('user', ALICE, 'case', OPERATOR)
    expect(await of('a.example').notices.tell()).toBe(0)
    expect(await contents(b)).toContain('too old')
    await holds.lift('user', ALICE, OPERATOR)
    shift += 120_000
    expect(await of('a.example').notices.tell()).toBe(1)
    expect(await contents(b)).not.toContain('too old')
  })
})
