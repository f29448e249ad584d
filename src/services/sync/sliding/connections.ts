import { MatrixError } from '../../../core/errors.js'
import type { Clock } from '../../../platform/clock.js'
import { createLru } from '../../../platform/lru.js'
import * as rows from '../../../storage/tables/sliding-sync.js'
import type { Store, Tx } from '../../../storage/tx.js'
import {
  applyChange,
  isChange,
  NOTHING_TOLD,
  packChange,
  packRoom,
  readPackedChange,
  unpackChange,
  unpackRoom,
  type ConnectionMeta,
  type ConnectionState,
  type StateChange,
} from './connection-state.js'

/** A sync loop of one device. */
export interface ConnectionKey {
  readonly userId: string
  /** The empty string for none. */
  readonly deviceId: string
  readonly connId: string
}

/**
 * States of connections, on disk before a client hears of them. The state that the client's `pos` names stands still until it
 * comes with a later one: a repeated request is answered from where the first one began.
 */
export interface Connections {
  /** Throws M_UNKNOWN_POS for a state that is not there, or not this connection's. */
  stateOf(key: ConnectionKey, seq: number): Promise<ConnectionState>
  /**
   * Writes what an answer changed of a state (`parent` undefined: of nothing, as the connection begins anew) and gives the number
   * of the new one. A change of nothing is not written. Throws M_UNKNOWN_POS when the connection has gone on or begun anew meanwhile.
   */
  save(key: ConnectionKey, parent: Parent | undefined, change: StateChange): Promise<number>
  /** Job: forgets connections that nobody has used for a month. */
  prune(): Promise<void>
}

export interface Parent {
  readonly seq: number
  readonly state: ConnectionState
}

/** A client has two; some more for a share extension and the like. */
const MAX_PER_DEVICE = 8
/** Answers to one `pos` whose states are kept, until the client says which of them it has. */
const KEPT_ANSWERS = 3
const KEPT_UNUSED_MS = 30 * 86_400_000
const TOUCH_MS = 86_400_000
const PRUNED_AT_ONCE = 100
/** Rooms, over all states in memory. */
const MAX_CACHED_ROOMS = 400_000

const unknownPos = (): MatrixError =>
  new MatrixError('M_UNKNOWN_POS', 'This position is not known: begin without one', {}, 400)

export function createConnections(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
}): Connections {
  const { store, clock } = deps
  const cache = createStateCache(MAX_CACHED_ROOMS)
  const touched = createLru<string, number>({ max: 20_000 })
  const textOf = (key: ConnectionKey): string => JSON.stringify([key.userId, key.deviceId, key.connId])

  function* read({ userId, deviceId, connId }: ConnectionKey, seq: number): Tx<ConnectionState | undefined> {
    const row = yield* rows.slidingConnection(userId, deviceId, connId)
    if (row === undefined) return undefined
    const change = seq === row.base ? undefined : yield* rows.slidingChange(row.nid, seq)
    if (seq !== row.base && change === undefined) return undefined
    const rooms = yield* rows.slidingRooms(row.nid)
    const base: ConnectionState = {
      meta: JSON.parse(row.meta) as ConnectionMeta,
      rooms: new Map(rooms.map((room) => [room.room_nid, unpackRoom(room.state)])),
    }
    return change === undefined ? base : applyChange(base, unpackChange(change))
  }

  function* begin(key: ConnectionKey, change: StateChange, now: number): Tx<number> {
    const { userId, deviceId, connId } = key
    const old = yield* rows.slidingConnection(userId, deviceId, connId)
    // Never a number that an earlier connection of this name has had, even where its row is gone.
    const seq = Math.max((old?.last_seq ?? 0) + 1, now)
    const conn = yield* rows.putSlidingConnection({
      user_id: userId,
      device_id: deviceId,
      conn_id: connId,
      base: seq,
      last_seq: seq,
      meta: JSON.stringify(change.meta ?? NOTHING_TOLD.meta),
      used_ts: now,
    })
    if (old === undefined) yield* rows.boundSlidingConnections(userId, deviceId, MAX_PER_DEVICE)
    else yield* rows.clearSlidingConnection(conn)
    yield* rows.putSlidingRooms(
      conn,
      [...change.rooms].map(([nid, room]) => [nid, room === null ? null : packRoom(room)]),
    )
    return seq
  }

  function* goOn(key: ConnectionKey, parent: number, change: string, now: number): Tx<number | undefined> {
    const row = yield* rows.nextSlidingState(key.userId, key.deviceId, key.connId, now)
    if (row === undefined) return undefined
    if (row.base !== parent) {
      // The client has come with this state, so the one before it is not needed any more.
      const packed = yield* rows.slidingChange(row.nid, parent)
      if (packed === undefined) return undefined
      const { meta, rooms } = readPackedChange(packed)
      yield* rows.putSlidingRooms(row.nid, rooms)
      yield* rows.moveSlidingBase(row.nid, parent, meta === undefined ? row.meta : JSON.stringify(meta))
      yield* rows.deleteSlidingChanges(row.nid)
    }
    yield* rows.insertSlidingChange(row.nid, row.last_seq, change, KEPT_ANSWERS)
    return row.last_seq
  }

  return {
    async stateOf(key, seq) {
      const text = textOf(key)
      const cached = cache.get(text, seq)
      const now = clock.now()
      if (Math.abs(now - (touched.get(text) ?? 0)) > TOUCH_MS) {
        touched.set(text, now)
        await store.write('sliding.used', () =>
          rows.markSlidingConnectionUsed(key.userId, key.deviceId, key.connId, now),
        )
      }
      if (cached !== undefined) return cached
      const state = await store.read('sliding.state', () => read(key, seq))
      if (state === undefined) throw unknownPos()
      cache.put(text, seq, state)
      return state
    },

    async save(key, parent, change) {
      const text = textOf(key)
      const now = clock.now()
      if (parent === undefined) {
        cache.forget(text)
        const seq = await store.write('sliding.begin', () => begin(key, change, now))
        touched.set(text, now)
        cache.put(text, seq, applyChange(NOTHING_TOLD, change))
        return seq
      }
      if (!isChange(change)) return parent.seq
      const packed = packChange(change)
      const seq = await store.write('sliding.save', () => goOn(key, parent.seq, packed, now))
      if (seq === undefined) {
        cache.forget(text)
        throw unknownPos()
      }
      cache.put(text, seq, applyChange(parent.state, change))
      return seq
    },

    async prune() {
      const before = clock.now() - KEPT_UNUSED_MS
      for (;;) {
        const gone = await store.write('sliding.prune', () =>
          rows.deleteUnusedSlidingConnections(before, PRUNED_AT_ONCE),
        )
        if (gone < PRUNED_AT_ONCE) return
      }
    },
  }
}

export { unknownPos }

interface StateCache {
  get(key: string, seq: number): ConnectionState | undefined
  put(key: string, seq: number, state: ConnectionState): void
  forget(key: string): void
}

/** The latest few states of the connections used last, bounded by the rooms in them. */
function createStateCache(maxRooms: number): StateCache {
  const connections = new Map<string, Map<number, ConnectionState>>()
  let weight = 0
  const weightOf = (states: ReadonlyMap<number, ConnectionState>): number => {
    let sum = 1
    for (const state of states.values()) sum += state.rooms.size
    return sum
  }
  function forget(key: string): void {
    const states = connections.get(key)
    if (states === undefined) return
    weight -= weightOf(states)
    connections.delete(key)
  }
  return {
    forget,
    get: (key, seq) => connections.get(key)?.get(seq),
    put(key, seq, state) {
      const states = new Map(connections.get(key))
      forget(key)
      states.delete(seq)
      states.set(seq, state)
      if (states.size > KEPT_ANSWERS) states.delete(states.keys().next().value!)
      connections.set(key, states)
      weight += weightOf(states)
      while (weight > maxRooms && connections.size > 1) forget(connections.keys().next().value!)
    },
  }
}
