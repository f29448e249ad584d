import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { until } from '../../../platform/testing-until.js'
import { silentLogger } from '../../../platform/logger.js'
import { systemRandom } from '../../../platform/random.js'
import { openTestStore } from '../../../storage/testing.js'
import { scheduleRepair } from '../../../storage/tables/room-repairs.js'
import { insertRoom } from '../../../storage/tables/rooms.js'
import { resumeFromCopy } from '../../../storage/tables/lost-positions.js'
import { all, type Tx } from '../../../storage/tx.js'
import type { Store } from '../../../storage/tx.js'
import { addNode, bodiesOf, createNetwork, type Network, type TestNode } from '../testing/network.js'
import { createRoomRepairs, type RoomRepairs } from './room-repairs.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:b.example'
const CAROL = '@carol:c.example'
const CAROLS = `m.room.member|${CAROL}`
const signal = new AbortController().signal

describe('rooms that are to be compared', () => {
  let store: Store
  let repairs: RoomRepairs
  let now = 1_000_000
  const asked: string[] = []
  let helps: 'done' | 'again' | 'alone' | undefined
  beforeEach(async () => {
    store = await openTestStore()
    asked.length = 0
    await store.write('test', function* () {
      for (const nid of [1, 2]) {
        yield* insertRoom({ nid, room_id: `!r${nid}`, version: '12', rev: 1, state_root: null, heads: '[]', last_pos: 0, published: 0 }) // prettier-ignore
        yield* scheduleRepair(nid, 'via.example', nid * 1_000)
      }
    })
    repairs = createRoomRepairs({
      store,
      clock: { now: () => now, monotonic: () => now },
      random: systemRandom,
      logger: silentLogger,
      health: {
        repair(roomId, via) {
          asked.push(`${roomId} ${via}`)
          return helps === undefined ? Promise.reject(new Error('nobody helps')) : Promise.resolve(helps)
        },
      },
    })
  })
  afterEach(async () => {
    await repairs.close()
    await store.close()
  })
  const list = () =>
    store.read('test', function* (): Tx<readonly unknown[]> {
      return yield* all('SELECT room_nid, attempts FROM room_repairs ORDER BY room_nid')
    })

  it('are asked about one after the other, and those that are done leave the list', async () => {
    helps = 'done'
    repairs.wake()
    await repairs.idle()
    expect(asked).toEqual(['!r1 via.example', '!r2 via.example'])
    expect(await list()).toEqual([])
  })

  it.each([undefined, 'again', 'alone'] as const)(
    'stay on the list while nobody helps, for ten attempts: %s',
    async (what) => {
      helps = what
      for (let attempt = 1; attempt < 10; attempt++) {
        repairs.wake()
        await repairs.idle()
        expect(await list()).toEqual([1, 2].map((nid) => ({ room_nid: nid, attempts: attempt })))
        // Not due yet.
        const before = asked.length
        repairs.wake()
        await repairs.idle()
        expect(asked).toHaveLength(before)
        now += 3_600_001
      }
      repairs.wake()
      await repairs.idle()
      expect(asked).toHaveLength(20)
      expect(await list()).toEqual([])
    },
  )
})

describe('a room beside what others have', () => {
  let network: Network
  let a: TestNode
  let b: TestNode
  beforeEach(async () => {
    network = createNetwork()
    a = await addNode(network, 'a.example')
    b = await addNode(network, 'b.example')
  })
  afterEach(() => network.close())

  it('gets after a join who was left out of it because of a key that could not be had', async () => {
    const c = await addNode(network, 'c.example')
    const roomId = await a.createRoom(ALICE)
    await c.join(CAROL, roomId, 'a.example')
    await network.settle()
    b.learnable = new Set(['a.example'])
    await b.join(BOB, roomId, 'a.example')
    await network.settle()
    expect((await b.stateOf(roomId)).has(CAROLS)).toBe(false)
    expect(await b.store.read('test', () => all('SELECT via FROM room_repairs'))).toEqual([{ via: '' }])
    expect(await b.replication.health.repair(roomId, '', signal)).toBe('again')
    b.learnable = undefined
    expect(await b.replication.health.repair(roomId, '', signal)).toBe('done')
    expect(await b.stateOf(roomId)).toEqual(await a.stateOf(roomId))
  })

  it('is put on the list by a join, with the server through which it went', async () => {
    const roomId = await a.createRoom(ALICE)
    await b.join(BOB, roomId, 'a.example')
    const rows = await b.store.read('test', () => all('SELECT via FROM room_repairs'))
    expect(rows).toEqual([{ via: 'a.example' }])
  })

  it('is looked at again where nobody is known but the server through which it was joined, and where that does not know its join', async () => {
    const roomId = await a.createRoom(ALICE)
    const c = await addNode(network, 'c.example')
    await b.join(BOB, roomId, 'a.example')
    await network.settle()
    expect(await b.replication.health.repair(roomId, 'a.example', signal)).toBe('alone')
    await c.join(CAROL, roomId, 'a.example')
    await until(async () => (await b.stateOf(roomId)).has(CAROLS))
    // What it has said last is nowhere else yet, and the state before it the only one that could be compared.
    network.fault = ({ path }) => (path.includes('/send/') ? 'status-500' : undefined)
    await b.send(BOB, roomId, 'unheard')
    expect(await b.replication.health.repair(roomId, 'a.example', signal)).toBe('again')
    network.fault = () => undefined
    const [last] = await b.heads(roomId)
    await until(async () => (await c.context.events.byId(last!)) !== undefined)
    expect(await b.replication.health.repair(roomId, 'a.example', signal)).toBe('done')
  })

  it('gets what was said there since a backup, when the backup is restored', async () => {
    const roomId = await a.createRoom(ALICE)
    await b.join(BOB, roomId, 'a.example')
    await network.settle()
    // What is lost with a disk looks from outside like what never came.
    network.fault = ({ path }) => (path.includes('/send/') ? 'status-500' : undefined)
    await a.state(ALICE, roomId, 'm.room.topic', '', { topic: 'since' })
    await a.send(ALICE, roomId, 'lost')
    const done = await b.store.write('test', () => resumeFromCopy(Date.now()))
    expect(done.rooms).toBe(1)
    b.replication.repairs.wake()
    await until(async () => (await bodiesOf(b, roomId)).includes('lost'))
    expect(await b.stateOf(roomId)).toEqual(await a.stateOf(roomId))
    await until(
      async () => (await b.store.read('test', () => all('SELECT 1 FROM room_repairs'))).length === 0,
    )
  })

  it('that nobody else is in needs nobody', async () => {
    const roomId = await a.createRoom(ALICE)
    expect(await a.replication.health.repair(roomId, '', signal)).toBe('done')
    expect(await a.replication.health.repair('!unknown:a.example', '', signal)).toBe('done')
    expect(network.log).toEqual([])
  })
})
