import { backoffDelay } from '../../../platform/backoff.js'
import { createSemaphore } from '../../../platform/semaphore.js'
import {
  abandonPartialRoom,
  duePartialRooms,
  nextPartialRoomAt,
  postponePartialRoom,
  type PartialRoom,
} from '../../../storage/tables/partial-rooms.js'
import type { RoomsContext } from '../../rooms/context.js'
import { loadResident } from '../../rooms/residence.js'
import type { PeerReads } from '../peers/peer-reads.js'
import { completeRoom } from './complete-room.js'

/**
 * Fetches what is lacking of rooms that were joined before their members were known, in the background and several at once: a server that does not answer
 * holds up its own room alone. What is still to be done is on disk, so that no restart loses it.
 */
export interface RoomCompletion {
  /** At start, and when a room was joined. */
  wake(): void
  /** Resolves when no room is being worked on. */
  idle(): Promise<void>
  close(): Promise<void>
}

export interface RoomCompletionDeps {
  readonly context: RoomsContext
  readonly peers: PeerReads
  /** A room is whole: it is due to be compared with what other servers have. */
  onWhole(): void
  readonly options?: RoomCompletionOptions
}

export interface RoomCompletionOptions {
  /** For one attempt, in milliseconds. Default 10 minutes. */
  readonly timeoutMs?: number
  /** Before an attempt is repeated. Default 10 seconds, and up to half an hour. */
  readonly retry?: { readonly initialMs: number; readonly maxMs: number }
}

const AT_ONCE = 6
/** Rooms looked up at once. */
const MAX_DUE = 50
const RETRY = { initialMs: 10_000, maxMs: 30 * 60_000 }
const MIN_PAUSE = 5
const LONGEST_PAUSE = 10 * 60_000

/** TODO: several processes on one PostgreSQL need one of them to do it, by a lease; until then each room is completed by all. */
export function createRoomCompletion(deps: RoomCompletionDeps): RoomCompletion {
  const { context, options = {} } = deps
  const { store, clock, logger, random } = context
  const slots = createSemaphore({ permits: AT_ONCE })
  const retry = options.retry ?? RETRY
  const closing = new AbortController()
  const running = new Map<number, Promise<void>>()
  let looking: Promise<void> | undefined
  let again = false
  let timer: NodeJS.Timeout | undefined

  async function attempt(room: PartialRoom): Promise<void> {
    const { room_nid: roomNid, room_id: roomId, via, attempts } = room
    let done = false
    try {
      if ((await loadResident(context, roomId)) === undefined) {
        await store.write('partial.abandon', () => abandonPartialRoom(roomNid))
        return
      }
      done = await completeRoom(deps, { roomId, via }, options.timeoutMs ?? 600_000, closing.signal)
    } catch (error) {
      if (!closing.signal.aborted)
        logger.warn({ err: error, roomId }, 'the members of a room could not be brought in')
    }
    if (closing.signal.aborted) return
    if (done) {
      deps.onWhole()
      return
    }
    const due = clock.now() + backoffDelay(retry, attempts + 1, random)
    await store.write('partial.later', () => postponePartialRoom(roomNid, due))
  }

  async function look(): Promise<void> {
    do {
      again = false
      const now = clock.now()
      const due = await store.read('partial.due', () => duePartialRooms(now, MAX_DUE))
      for (const room of due) {
        if (closing.signal.aborted || running.has(room.room_nid)) continue
        const work = slots
          .run(() => attempt(room))
          .catch((error: unknown) =>
            logger.error({ err: error, roomId: room.room_id }, 'a partial room cannot be worked on'),
          )
          .finally(() => {
            running.delete(room.room_nid)
            wake()
          })
        running.set(room.room_nid, work)
      }
      const next = await store.read('partial.next', () => nextPartialRoomAt(now))
      if (next !== undefined) schedule(next - now)
    } while (again && !closing.signal.aborted)
  }

  function schedule(ms: number): void {
    if (closing.signal.aborted) return
    clearTimeout(timer)
    timer = setTimeout(wake, Math.max(MIN_PAUSE, Math.min(ms, LONGEST_PAUSE)))
    timer.unref()
  }

  function wake(): void {
    if (closing.signal.aborted) return
    again = true
    looking ??= look()
      .catch((error: unknown) => {
        logger.error({ err: error }, 'the list of partial rooms could not be worked on')
        schedule(retry.initialMs)
      })
      .finally(() => {
        looking = undefined
      })
  }

  return {
    wake,
    async idle() {
      while (looking !== undefined || running.size > 0) await Promise.all([looking, ...running.values()])
    },
    async close() {
      closing.abort()
      clearTimeout(timer)
      await looking
      await Promise.all(running.values())
    },
  }
}
