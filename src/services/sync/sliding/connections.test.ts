import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { manualClock } from '../../../platform/clock.js'
import { openTestStore } from '../../../storage/testing.js'
import { all } from '../../../storage/tx.js'
import type { Store } from '../../../storage/tx.js'
import {
  applyChange,
  configNumber,
  NOTHING_TOLD,
  packChange,
  packRoom,
  unpackChange,
  unpackRoom,
  type RoomState,
  type StateChange,
} from './connection-state.js'
import { createConnections, type ConnectionKey, type Connections } from './connections.js'

const DAY = 86_400_000
const KEY: ConnectionKey = { userId: '@a:x', deviceId: 'D', connId: 'c' }
const room = (part: Partial<RoomState> = {}): RoomState => ({
  room: 0,
  membership: 'join',
  timeline: 1,
  config: 0,
  isDm: false,
  receipts: undefined,
  accountData: 0,
  typingMissed: true,
  members: ['@b:x'],
  ...part,
})
const change = (...rooms: [number, RoomState | null][]): StateChange => ({
  meta: undefined,
  rooms: new Map(rooms),
})
const unknown = expect.objectContaining({ errcode: 'M_UNKNOWN_POS' }) as unknown

let store: Store
let clock: ReturnType<typeof manualClock>
let connections: Connections
beforeEach(async () => {
  store = await openTestStore()
  clock = manualClock(1_000 * DAY)
  connections = createConnections({ store, clock })
})
afterEach(() => store.close())

const fresh = (): Connections => createConnections({ store, clock })
const count = async (table: string): Promise<number> =>
  (await store.read('test', () => all(`SELECT 1 AS x FROM ${table}`))).length

describe('the state of a connection', () => {
  it('survives packing', () => {
    const states = [
      room(),
      room({ profilesTold: true }),
      room({ room: 7, receipts: 0, accountData: undefined, isDm: true, typingMissed: false, members: [] }),
    ]
    for (const state of states) expect(unpackRoom(packRoom(state))).toEqual(state)
    const whole: StateChange = {
      meta: { configs: ['a', null], lists: [['__proto__', 3, '{}']], accountData: 0, deviceLists: null },
      rooms: new Map([
        [1, room()],
        [2, null],
      ]),
    }
    expect(unpackChange(packChange(whole))).toEqual(whole)
  })

  it('gives numbers to required states, and those that are free again', () => {
    const used = (config: number): boolean => config === 0
    expect(configNumber(['a', 'b'], 'b', used)).toEqual({ config: 1, configs: ['a', 'b'] })
    expect(configNumber(['a', 'b'], 'c', used)).toEqual({ config: 1, configs: ['a', 'c'] })
    expect(configNumber(['a'], 'c', used)).toEqual({ config: 1, configs: ['a', 'c'] })
    const many = Array.from({ length: 64 }, (_, i) => `${i}`)
    expect(() => configNumber(many, 'x', () => true)).toThrow('Too many')
    expect(() => configNumber([], 'x'.repeat(20_000), () => true)).toThrow('too long')
  })
})

describe('connections', () => {
  it('keep each state until a later one is acknowledged, in memory or not', async () => {
    const first = await connections.save(KEY, undefined, change([1, room()], [2, room()]))
    const state = await connections.stateOf(KEY, first)
    const second = await connections.save(KEY, { seq: first, state }, change([1, room({ room: 9 })]))
    const other = await connections.save(KEY, { seq: first, state }, change([2, null]))
    for (const each of [connections, fresh()]) {
      expect((await each.stateOf(KEY, first)).rooms).toEqual(
        new Map([
          [1, room()],
          [2, room()],
        ]),
      )
      expect((await each.stateOf(KEY, second)).rooms.get(1)).toEqual(room({ room: 9 }))
      expect([...(await each.stateOf(KEY, other)).rooms.keys()]).toEqual([1])
    }
    const then = await fresh().stateOf(KEY, second)
    const third = await fresh().save(KEY, { seq: second, state: then }, change([3, room()]))
    expect((await fresh().stateOf(KEY, third)).rooms).toEqual(applyChange(then, change([3, room()])).rooms)
    // The client has come with the second, so that neither the first nor what else was made of it is there.
    for (const seq of [first, other]) await expect(fresh().stateOf(KEY, seq)).rejects.toEqual(unknown)
    await expect(connections.save(KEY, { seq: other, state }, change([4, room()]))).rejects.toEqual(unknown)
  })

  it('write nothing for an answer that changes nothing', async () => {
    const first = await connections.save(KEY, undefined, change([1, room()]))
    const state = await connections.stateOf(KEY, first)
    expect(await connections.save(KEY, { seq: first, state }, change())).toBe(first)
    expect(await count('sliding_changes')).toBe(0)
  })

  it('hold few answers to one position, however often it is repeated', async () => {
    const first = await connections.save(KEY, undefined, change([1, room()]))
    const state = await connections.stateOf(KEY, first)
    const seqs: number[] = []
    for (let i = 0; i < 10; i++)
      seqs.push(await connections.save(KEY, { seq: first, state }, change([1, room({ room: i })])))
    expect(await count('sliding_changes')).toBeLessThanOrEqual(4)
    expect((await fresh().stateOf(KEY, seqs.at(-1)!)).rooms.get(1)).toEqual(room({ room: 9 }))
  })

  it('begin anew without a position, and never give a number twice', async () => {
    const first = await connections.save(KEY, undefined, change([1, room()]))
    const again = await connections.save(KEY, undefined, change())
    expect(again).toBeGreaterThan(first)
    expect((await fresh().stateOf(KEY, again)).rooms).toEqual(NOTHING_TOLD.rooms)
    await expect(connections.stateOf(KEY, first)).rejects.toEqual(unknown)
    expect(await count('sliding_rooms')).toBe(0)
  })

  it('are few for each device; those used longest ago give way', async () => {
    const seqs = new Map<string, number>()
    for (let i = 0; i < 12; i++) {
      clock.advance(1_000)
      seqs.set(`c${i}`, await connections.save({ ...KEY, connId: `c${i}` }, undefined, change([1, room()])))
    }
    await connections.save({ ...KEY, deviceId: 'OTHER' }, undefined, change())
    expect(await count('sliding_connections')).toBe(9)
    expect(await count('sliding_rooms')).toBe(8)
    await expect(fresh().stateOf({ ...KEY, connId: 'c3' }, seqs.get('c3')!)).rejects.toEqual(unknown)
    expect((await fresh().stateOf({ ...KEY, connId: 'c4' }, seqs.get('c4')!)).rooms.size).toBe(1)
  })

  it('are forgotten after a month in which nobody used them', async () => {
    const old = await connections.save(KEY, undefined, change([1, room()]))
    const used = await connections.save({ ...KEY, connId: 'used' }, undefined, change([1, room()]))
    for (let day = 0; day < 40; day += 2) {
      clock.advance(2 * DAY)
      await connections.stateOf({ ...KEY, connId: 'used' }, used)
    }
    await connections.prune()
    expect(await count('sliding_connections')).toBe(1)
    await expect(fresh().stateOf(KEY, old)).rejects.toEqual(unknown)
    expect((await fresh().stateOf({ ...KEY, connId: 'used' }, used)).rooms.size).toBe(1)
  })
})
