import { setMaxListeners } from 'node:events'
import { createSemaphore } from '../../../platform/semaphore.js'
import {
  dueStaged,
  hurryStaged,
  laterStagedAt,
  nextStagedAt,
  roomsWithStaged,
  stagedByNids,
  type StagedRow,
} from '../../../storage/tables/staging.js'
import type { RoomsContext } from '../../rooms/context.js'
import { applyEvents, type Applied } from '../history/apply-events.js'
import type { GapFill } from '../history/gap-fill.js'
import type { PduIntake } from '../peers/pdu-intake.js'
import { loadResident } from '../../rooms/residence.js'
import { createFillLanes } from './fill-lanes.js'
import { createStagedRows } from './staged-rows.js'
import { reviveStaged, sortOut, toApply } from './staged-events.js'
import { APPLIED_AT_ONCE, LONGEST_PAUSE, createStagedFill } from './staged-fill.js'
import type { StagingQuota } from './staging-quota.js'
import { createWanted, type Wanted } from './wanted.js'

/**
 * Applies staged PDUs, room by room. What is ready is applied at once; what waits for keys, for predecessors or for auth
 * events is fetched for aside, while what comes after it goes on. What fails is tried again ever more rarely and
 * finally dropped, so nothing holds up a room, and no room holds up another.
 */
export interface Drain {
  /** Something was staged for this room. */
  wake(roomId: string): void
  /** At start: counts what is staged, and goes on with it. */
  resume(): Promise<void>
  /** Resolves when nothing is being worked on; what waits for its next attempt does not count. */
  idle(): Promise<void>
  close(): Promise<void>
}

export interface DrainOptions {
  /** Pauses between attempts for one PDU, in milliseconds. Default 5 seconds to 30 minutes. */
  readonly retry?: { readonly initialMs: number; readonly maxMs: number }
  /** After so many failed attempts a PDU is dropped. Default 10. */
  readonly maxAttempts?: number
}

export interface DrainDeps {
  readonly context: RoomsContext
  readonly intake: PduIntake
  readonly gapFill: GapFill
  readonly quota: StagingQuota
  readonly options?: DrainOptions
}

interface RoomDrain {
  readonly roomId: string
  running: boolean
  again: boolean
  /** Parked rows are to be looked at again. */
  rescan: boolean
  /** Rows that wait for something that is not here, with who has sent them. */
  readonly parked: Map<number, string>
  /** Event ids that parked rows wait for. */
  readonly lacking: Set<string>
  /** Which rows wait for an event, also those that are not due: when it comes, they need not wait for their next attempt. */
  readonly wanted: Wanted
  filling: boolean
  timer: NodeJS.Timeout | undefined
}

/** Rows fetched for at once. */
const FILL_BATCH = 50
const MIN_PAUSE = 5

/** TODO: several processes on one PostgreSQL need one owner for each room's drain, by a lease. */
export function createDrain(deps: DrainDeps): Drain {
  const { context, quota, gapFill, options = {} } = deps
  const { store, clock, logger } = context
  const { retry = { initialMs: 5_000, maxMs: 30 * 60_000 }, maxAttempts = 10 } = options
  const settling = createStagedRows(context, quota, { retry, maxAttempts })
  const { finish, drop } = settling
  const rooms = new Map<string, RoomDrain>()
  /** Local work and work that waits for others are bounded apart: slow servers must not stop rooms that need none. */
  const applying = createSemaphore({ permits: 16 })
  const lanes = createFillLanes(clock)
  /** Rooms for which nobody may be asked at present. */
  const hungry = new Set<RoomDrain>()
  const closing = new AbortController()
  // Everything under way listens to it.
  setMaxListeners(0, closing.signal)
  const fill = createStagedFill({
    context,
    intake: deps.intake,
    gapFill,
    settling,
    retry,
    signal: closing.signal,
  })
  const tasks = new Set<Promise<void>>()

  function wake(roomId: string, rescan = false): void {
    if (closing.signal.aborted) return
    let room = rooms.get(roomId)
    if (room === undefined) {
      room = { roomId, running: false, again: false, rescan: false, parked: new Map(), lacking: new Set(), wanted: createWanted(), filling: false, timer: undefined } // prettier-ignore
      rooms.set(roomId, room)
    }
    room.rescan ||= rescan
    if (room.running) room.again = true
    else start(room)
  }

  function start(room: RoomDrain): void {
    room.running = true
    track(
      run(room).catch((error: unknown) => troubled(room, error)),
      () => {
        room.running = false
        if (room.again) start(room)
        else if (!room.filling && room.timer === undefined) rooms.delete(room.roomId)
      },
    )
  }

  function track(work: Promise<void>, done: () => void): void {
    const task = work.finally(() => {
      tasks.delete(task)
      if (!closing.signal.aborted) done()
    })
    tasks.add(task)
  }

  function troubled(room: RoomDrain, error: unknown): void {
    if (closing.signal.aborted) return
    logger.error({ err: error, roomId: room.roomId }, 'staged events of a room could not be processed')
    schedule(room, retry.initialMs)
  }

  function schedule(room: RoomDrain, ms: number): void {
    clearTimeout(room.timer)
    room.timer = setTimeout(
      () => {
        room.timer = undefined
        wake(room.roomId, true)
      },
      Math.max(MIN_PAUSE, Math.min(ms, LONGEST_PAUSE)),
    )
    room.timer.unref()
  }

  /** One look at everything that is due. */
  async function run(room: RoomDrain): Promise<void> {
    room.again = false
    if (room.rescan && !room.filling) {
      room.rescan = false
      room.parked.clear()
      room.lacking.clear()
    }
    const now = clock.now()
    const longest = Math.max(LONGEST_PAUSE, retry.maxMs)
    const { nids, first, later } = await store.read('drain.due', function* () {
      const due = yield* dueStaged(room.roomId, now, longest)
      const nids = due.filter((nid) => !room.parked.has(nid))
      const first = nids.length === 0 ? [] : yield* stagedByNids(nids.slice(0, APPLIED_AT_ONCE))
      return { nids, first, later: yield* laterStagedAt(room.roomId, now, longest) }
    })
    let gone = true
    for (let i = 0; i < nids.length && !closing.signal.aborted; i += APPLIED_AT_ONCE) {
      const part = nids.slice(i, i + APPLIED_AT_ONCE)
      const rows = i === 0 ? first : await store.read('drain.rows', () => stagedByNids(part))
      gone = (await applying.run(() => process(room, rows), closing.signal)) && gone
    }
    if (room.parked.size > 0 && !room.filling) startFilling(room)
    // The end of the filling is followed by another look.
    if (hungry.has(room)) schedule(room, LONGEST_PAUSE)
    else if (!room.filling) {
      const next = gone ? later : await store.read('drain.next', () => nextStagedAt(room.roomId))
      if (next !== undefined) schedule(room, next - clock.now())
    }
  }

  /** Whether all of the rows are gone afterwards. */
  async function process(room: RoomDrain, rows: readonly StagedRow[]): Promise<boolean> {
    const snapshot = await loadResident(context, room.roomId)
    if (snapshot === undefined) {
      await drop(rows, 'this server has left the room')
      return true
    }
    const { events, damaged } = reviveStaged(rows, snapshot.rules)
    if (damaged.length > 0) await drop(damaged, 'it cannot be read')
    const sorted = await sortOut(context, snapshot, events)
    await drop(sorted.known.map(({ row }) => row))
    for (const { row } of sorted.waiting) room.parked.set(row.nid, row.origin)
    for (const id of sorted.lacking) room.lacking.add(id)
    room.wanted.add(sorted)
    const applied = await applyEvents(context, room.roomId, sorted.ready.map(toApply))
    await finish(applied, events)
    await cameTrue(room, applied)
    if (applied.some(({ item, ok }) => ok && room.lacking.has(item.event.id))) {
      room.rescan = true
      room.again = true
    }
    return sorted.waiting.length === 0 && applied.every(({ ok }) => ok)
  }

  /** What waited for these alone is due at once: the next attempt may be half an hour away. */
  async function cameTrue(room: RoomDrain, applied: readonly Applied[]): Promise<void> {
    const nids = room.wanted.take(applied.flatMap(({ item, ok }) => (ok ? [item.event.id] : [])))
    if (nids.length === 0) return
    await store.write('drain.hurry', () => hurryStaged(nids))
    room.rescan = true
    room.again = true
  }

  /** For the oldest rows of a server that may be asked now. Where there is none the room's turn comes when another has had its own. */
  function startFilling(room: RoomDrain): void {
    const parked = [...room.parked].toSorted(([a], [b]) => a - b)
    const origin = parked.map(([, from]) => from).find(lanes.isFree)
    if (origin === undefined) {
      hungry.add(room)
      return
    }
    hungry.delete(room)
    room.filling = true
    const nids = parked.flatMap(([nid, from]) => (from === origin ? [nid] : [])).slice(0, FILL_BATCH)
    let failed = false
    track(
      lanes
        .run(origin, () => fill(room.roomId, nids, (applied) => cameTrue(room, applied)))
        .catch((error: unknown) => {
          failed = true
          troubled(room, error)
        }),
      () => {
        room.filling = false
        for (const nid of nids) room.parked.delete(nid)
        for (const other of [...hungry]) {
          hungry.delete(other)
          if (!other.filling && other.parked.size > 0) startFilling(other)
        }
        // After trouble the next look is scheduled: what was fetched in vain is not fetched again at once.
        if (!failed) wake(room.roomId, true)
      },
    )
  }

  return {
    wake: (roomId) => wake(roomId),
    async resume() {
      await quota.load()
      for (const roomId of await store.read('drain.rooms', () => roomsWithStaged())) wake(roomId)
    },
    async idle() {
      while (tasks.size > 0) await Promise.allSettled(tasks)
    },
    async close() {
      closing.abort()
      for (const room of rooms.values()) clearTimeout(room.timer)
      await Promise.allSettled(tasks)
      rooms.clear()
    },
  }
}
