import { backoffDelay } from '../../../platform/backoff.js'
import type { Clock } from '../../../platform/clock.js'
import type { Logger } from '../../../platform/logger.js'
import type { Random } from '../../../platform/random.js'
import {
  deleteRepair,
  dueRepairs,
  nextRepairAt,
  postponeRepair,
  type RoomRepair,
} from '../../../storage/tables/room-repairs.js'
import type { Store } from '../../../storage/tx.js'
import type { RoomHealth } from './room-comparison.js'

/**
 * Compares rooms with what other servers have, in the background and one after the other: after a join, for which one server's word
 * was taken, and all of them after a restoration. What is put off is on disk, so that no restart loses it.
 */
export interface RoomRepairs {
  /** At start, and when a room was put on the list. */
  wake(): void
  /** Resolves when no room is being worked on. */
  idle(): Promise<void>
  close(): Promise<void>
}

export interface RoomRepairsDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly health: Pick<RoomHealth, 'repair'>
}

const RETRY = { initialMs: 60_000, maxMs: 60 * 60_000 }
/** Over some six hours. */
const MAX_ATTEMPTS = 10
const MIN_PAUSE = 5
const LONGEST_PAUSE = 10 * 60_000

/** TODO: several processes on one PostgreSQL need one of them to do it, by a lease; until then each room is compared by all. */
export function createRoomRepairs(deps: RoomRepairsDeps): RoomRepairs {
  const { store, clock, random, logger, health } = deps
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let again = false
  const closing = new AbortController()

  async function attempt({ room_nid: roomNid, room_id: roomId, via, attempts }: RoomRepair): Promise<void> {
    let outcome: Awaited<ReturnType<RoomHealth['repair']>> = 'again'
    try {
      outcome = await health.repair(roomId, via, closing.signal)
    } catch (error) {
      if (closing.signal.aborted) return
      logger.warn({ err: error, roomId }, 'a room could not be compared with what other servers have')
    }
    if (closing.signal.aborted) return
    // Where nobody else is known, whoever gave the state may have kept all others back: they may speak.
    if (outcome !== 'done' && attempts + 1 < MAX_ATTEMPTS) {
      const due = clock.now() + backoffDelay(RETRY, attempts + 1, random)
      await store.write('repairs.later', () => postponeRepair(roomNid, due))
      return
    }
    if (outcome === 'again')
      logger.warn({ roomId }, 'no other server says what it has of a room; it stays as it is')
    await store.write('repairs.done', () => deleteRepair(roomNid))
  }

  async function run(): Promise<void> {
    do {
      again = false
      const [due] = await store.read('repairs.due', () => dueRepairs(clock.now(), 1))
      if (due === undefined) continue
      await attempt(due)
      again = true
    } while (again && !closing.signal.aborted)
    const next = await store.read('repairs.next', () => nextRepairAt())
    if (next !== undefined && !closing.signal.aborted) schedule(next - clock.now())
  }

  function schedule(ms: number): void {
    clearTimeout(timer)
    timer = setTimeout(
      () => {
        timer = undefined
        wake()
      },
      Math.max(MIN_PAUSE, Math.min(ms, LONGEST_PAUSE)),
    )
    timer.unref()
  }

  function wake(): void {
    if (closing.signal.aborted) return
    again = true
    running ??= run()
      .catch((error: unknown) => {
        logger.error({ err: error }, 'the list of rooms to compare could not be worked on')
        schedule(RETRY.initialMs)
      })
      .finally(() => {
        running = undefined
      })
  }

  return {
    wake,
    async idle() {
      await running
    },
    async close() {
      closing.abort()
      clearTimeout(timer)
      await running
    },
  }
}
