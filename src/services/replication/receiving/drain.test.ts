import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../../../core/json/value.js'
import { createLogger } from '../../../platform/logger.js'
import { createSigner, generateSigningKey, writeKeyFile } from '../../../platform/ed25519.js'
import { systemRandom } from '../../../platform/random.js'
import { linesUntilKilled, startChild } from '../../../platform/testing-child.js'
import { openSqlite } from '../../../storage/sqlite-store.js'
import { StorageError } from '../../../storage/errors.js'
import { all, type Store } from '../../../storage/tx.js'
import { until } from '../../../platform/testing-until.js'
import { addNode, bodiesOf, createNetwork, type Network, type TestNode } from '../testing/network.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:b.example'
const HOOKS = new URL('../../../workers/typescript-hooks.mjs', import.meta.url).href
const CHILD = new URL('../testing/drain-child.ts', import.meta.url).pathname
const KEY = generateSigningKey(systemRandom)

let folder: string
let network: Network
let a: TestNode
let b: TestNode
const openB = async (options: Parameters<typeof addNode>[2] = {}): Promise<TestNode> =>
  addNode(network, 'b.example', {
    signer: createSigner(KEY),
    ...options,
    store: options.store ?? (await openSqlite({ path: join(folder, 'b.db') })),
  })

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'chancery-drain-'))
  network = createNetwork()
  a = await addNode(network, 'a.example')
})
afterEach(async () => {
  await network.close()
  rmSync(folder, { recursive: true, force: true })
})

async function roomOfBoth(options?: Parameters<typeof addNode>[2]): Promise<string> {
  b = await openB(options)
  const roomId = await a.createRoom(ALICE)
  await b.join(BOB, roomId, 'a.example')
  await network.settle()
  network.fault = (request) => (request.path.includes('/send/') ? 'status-500' : undefined)
  return roomId
}

async function said(roomId: string, count: number): Promise<JsonObject[]> {
  const pdus: JsonObject[] = []
  for (let i = 0; i < count; i++) {
    const id = await a.send(ALICE, roomId, `m${i}`)
    pdus.push((await a.context.events.byId(id))!.event.pdu as JsonObject)
  }
  return pdus
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i}`)
let transactions = 0
const hand = (pdus: readonly JsonObject[]): Promise<unknown> =>
  b.replication.inbound.handleTransaction('a.example', `t${++transactions}`, { pdus })
const staged = (): Promise<readonly unknown[]> => b.store.read('test', () => all('SELECT * FROM staged_pdus'))

describe('staged PDUs', () => {
  it('in any order are applied in theirs, with no question to anybody', async () => {
    const roomId = await roomOfBoth()
    const pdus = await said(roomId, 50)
    network.log.length = 0
    await hand(pdus.toReversed())
    await until(async () => (await bodiesOf(b, roomId)).length === 50)
    expect(await bodiesOf(b, roomId)).toEqual(numbers(50))
    expect(network.log).toEqual([])
    expect(await staged()).toEqual([])
  })

  it('that were answered and not yet applied are applied after a restart', async () => {
    const roomId = await roomOfBoth()
    const pdus = await said(roomId, 30)
    await b.replication.drain.close()
    await hand(pdus)
    expect(await staged()).toHaveLength(30)
    expect(await bodiesOf(b, roomId)).toEqual([])
    await b.stop()
    b = await openB({ pinned: new Map([['a.example', new Map([[a.signer.keyId, a.signer.publicKey]])]]) })
    await until(async () => (await bodiesOf(b, roomId)).length === 30)
    expect(await bodiesOf(b, roomId)).toEqual(numbers(30))
    expect(await staged()).toEqual([])
  })

  it('of a room that the server has left meanwhile are dropped', async () => {
    const roomId = await roomOfBoth()
    const pdus = await said(roomId, 3)
    let free: () => void = () => undefined
    const held = b.context.writer.write(roomId, () => new Promise<void>((resolve) => (free = resolve)))
    const left = b.state(BOB, roomId, 'm.room.member', BOB, { membership: 'leave' })
    await hand(pdus.slice(0, 1))
    free()
    await Promise.all([held, left])
    await network.settle()
    await hand(pdus.slice(1))
    await network.settle()
    expect(await staged()).toEqual([])
  })
})

describe('a store that cannot write', () => {
  it('loses nothing that was staged, however long it lasts', async () => {
    const real = await openSqlite({ path: join(folder, 'b.db') })
    let full = false
    let refused = 0
    const store: Store = {
      ...real,
      write: (label, body) => {
        if (!full || label === 'inbound.stage' || label === 'drain.postpone') return real.write(label, body)
        refused++
        return Promise.reject(new StorageError('full', 'no space'))
      },
    }
    const roomId = await roomOfBoth({ store })
    const pdus = await said(roomId, 5)
    full = true
    await hand(pdus)
    await until(() => refused > 30)
    expect(await staged()).toHaveLength(5)
    full = false
    await until(async () => (await staged()).length === 0)
    expect(await bodiesOf(b, roomId)).toEqual(numbers(5))
  })
})

describe('a store that fails while a gap is filled', () => {
  it('is not asked, nor are others, again and again without a pause', async () => {
    const real = await openSqlite({ path: join(folder, 'b.db') })
    let full = false
    const store: Store = {
      ...real,
      write: (label, body) =>
        full && label !== 'inbound.stage'
          ? Promise.reject(new StorageError('full', 'no space'))
          : real.write(label, body),
    }
    const roomId = await roomOfBoth({
      store,
      replication: { drain: { retry: { initialMs: 100, maxMs: 100 } } },
    })
    const pdus = await said(roomId, 20)
    network.log.length = 0
    full = true
    const asked = (): number => network.log.filter((line) => line.includes('get_missing_events')).length
    const began = performance.now()
    await hand(pdus.slice(-1))
    await until(() => asked() >= 4)
    // A pause is between four fifths and all of 100 ms.
    expect(performance.now() - began).toBeGreaterThan(3 * 75)
    full = false
    await until(async () => (await bodiesOf(b, roomId)).length === 20)
  })
})

describe('a poisoned event', () => {
  it.each(['when it is judged', 'when it is stored'])(
    'that fails %s costs only itself: its room and others go on',
    async (when) => {
      const lines: string[] = []
      const roomId = await roomOfBoth({ logger: createLogger({ write: (line) => lines.push(line) }) })
      const other = await a.createRoom(ALICE)
      await b.join(BOB, other, 'a.example')
      const rises = b.context.local.unreadEffect.bind(b.context.local)
      let tries = 0
      Object.assign(b.context.local, {
        unreadEffect: (...args: Parameters<typeof rises>) => {
          if (args[1].content['body'] !== 'm5' || args[1].roomId !== roomId) return rises(...args)
          tries++
          if (when === 'when it is judged') throw new Error('poison')
          return Promise.resolve({
            thread: 'a\u0000b',
            common: { notify: true, highlight: false },
            reader: undefined,
            special: new Map(),
          })
        },
      })
      const healthy = await said(other, 10)
      const [shared] = await said(roomId, 1)
      const fork = await said(roomId, 5)
      const poison = (await said(roomId, 6)).at(-1)!
      // Siblings: nothing stands on the poison.
      await hand([shared!, ...fork, ...healthy])
      await hand([poison])
      await until(async () => (await bodiesOf(b, other)).length === 10)
      await until(async () => tries >= 1)
      await b.send(BOB, roomId, 'going on')
      expect(await bodiesOf(b, roomId)).toContain('going on')
      await until(async () => (await staged()).length === 0).catch(async () =>
        console.log(JSON.stringify(await staged()).slice(0, 300), tries, lines, network.log.slice(-20)),
      )
      expect(tries).toBeGreaterThanOrEqual(4)
      expect(await bodiesOf(b, roomId)).not.toContain('m5')
      await until(() => lines.filter((line) => line.includes('were dropped')).length === 1)

      // What stands on it is not lost with it.
      network.fault = (request) => (request.path.includes('/send/') ? 'status-500' : undefined)
      const next = await said(roomId, 2)
      await hand(next)
      await until(async () => (await staged()).length === 0)
      expect((await bodiesOf(b, roomId)).filter((body) => body === 'm1')).toHaveLength(3)
      expect(await b.stateOf(roomId)).toEqual(await a.stateOf(roomId))
    },
  )
})

describe('a server that is slow to say what its events stand on', () => {
  it('holds up no other, in however many rooms it speaks', async () => {
    const honest = await roomOfBoth()
    const slow = await addNode(network, 'slow.example')
    const rooms: string[] = []
    network.fault = () => undefined
    for (let i = 0; i < 24; i++) {
      const roomId = await slow.createRoom('@sly:slow.example')
      await b.join(BOB, roomId, 'slow.example')
      rooms.push(roomId)
    }
    await network.settle()
    network.fault = (request) => (request.path.includes('/send/') ? 'status-500' : undefined)
    let held = 0
    const free: (() => void)[] = []
    network.hold = (request) =>
      request.destination !== 'slow.example' || request.path.includes('/send/')
        ? undefined
        : new Promise((resolve) => {
            held += 1
            free.push(resolve)
          })
    try {
      for (const [i, roomId] of rooms.entries()) {
        await slow.send('@sly:slow.example', roomId, 'unheard')
        const id = await slow.send('@sly:slow.example', roomId, 'heard')
        const pdu = (await slow.context.events.byId(id))!.event.pdu as JsonObject
        await b.replication.inbound.handleTransaction('slow.example', `s${i}`, { pdus: [pdu] })
      }
      await until(() => held > 0)
      const pdus = await said(honest, 3)
      await hand(pdus.slice(-1))
      await until(async () => (await bodiesOf(b, honest)).length === 3)
      expect(await bodiesOf(b, honest)).toEqual(numbers(3))
      expect(held).toBeLessThanOrEqual(4)
    } finally {
      network.hold = undefined
      for (const end of free) end()
    }
    // Those that had to wait come to their turn.
    await until(async () => (await staged()).length === 0)
    for (const roomId of rooms) expect(await bodiesOf(b, roomId)).toEqual(['unheard', 'heard'])
  })
})

describe('a process that is killed between answers and their effects', () => {
  it('has lost nothing that it answered, and shows nothing twice', async () => {
    const roomId = await roomOfBoth()
    await b.stop()
    network.nodes.delete('b.example')
    const pdus = await said(roomId, 600)
    const file = join(folder, 'transactions')
    const batches = Array.from({ length: 200 }, (_, i) => ({
      id: `kill ${i}`,
      pdus: pdus.slice(i * 3, i * 3 + 3),
    }))
    writeFileSync(file, batches.map((batch) => JSON.stringify(batch)).join('\n'))
    const answered = new Set<string>()
    let left = 0
    for (const after of [1, 30, 60, 90]) {
      for (const id of await runUntil(file, after)) answered.add(id)
      const store = await openSqlite({ path: join(folder, 'b.db') })
      left += (await store.read('test', () => all('SELECT nid FROM staged_pdus'))).length
      await store.close()
    }
    expect(answered.size).toBeGreaterThanOrEqual(90)
    expect(answered.size).toBeLessThan(200)
    // Some were killed in between, or this test shows nothing.
    expect(left).toBeGreaterThan(0)

    network.nodes.delete('a.example')
    b = await openB({ pinned: new Map([['a.example', new Map([[a.signer.keyId, a.signer.publicKey]])]]) })
    await until(async () => (await staged()).length === 0)
    const bodies = await bodiesOf(b, roomId)
    expect(new Set(bodies).size).toBe(bodies.length)
    for (const { id, pdus: own } of batches) {
      if (!answered.has(id)) continue
      for (const pdu of own) expect(bodies).toContain((pdu['content'] as JsonObject)['body'])
    }
    network.nodes.set('a.example', a)
  })

  async function runUntil(file: string, answers: number): Promise<string[]> {
    const peer = `${a.signer.keyId}=${a.signer.publicKey}`
    const child = startChild(['--import', HOOKS, CHILD, join(folder, 'b.db'), writeKeyFile(KEY), peer, file])
    return linesUntilKilled(child, answers)
  }
})
