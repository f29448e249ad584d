import { appendTo } from '../../core/append-to.js'
import { MatrixError } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import { createKeyedQueue, QueueFullError } from '../../platform/keyed-queue.js'
import type { Logger } from '../../platform/logger.js'
import {
  delayedEventById,
  dueEvents,
  nextDue,
  postponeDelayedEvent,
  type DelayedEventRow,
} from '../../storage/tables/delayed-events.js'
import type { Store, Tx } from '../../storage/tx.js'

export interface DelayTimer {
  /** Runs what is done with one delayed event after everything else that is. Throws M_LIMIT_EXCEEDED. */
  inTurn<T>(delayId: string, work: () => Promise<T>): Promise<T>
  /** Something on disk is due at a time. */
  due(at: number): void
  sendDue(): Promise<void>
  start(): void
  close(): Promise<void>
}

/** Looked up in one query, and sent before the next. */
const BATCH = 50
const RETRY_MS = 10_000
/** Faults of this server, not refusals. */
const MAX_ATTEMPTS = 10
/** The clock may step: nothing sleeps for longer. */
const MAX_SLEEP_MS = 30_000
/** Requests about one event that wait. */
const MAX_WAITING = 20

/** Sends delayed events when they are due: those of one room in order, those of several rooms side by side. */
export function createDelayTimer(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  /** Gives the event id. */
  fire(row: DelayedEventRow): Promise<string>
  finalise(row: DelayedEventRow, outcome: { readonly eventId?: string; readonly error?: string }): Tx<void>
}): DelayTimer {
  const { store, clock, logger } = deps
  const turns = createKeyedQueue({ maxPerKey: MAX_WAITING })
  let started = false
  let closed = false
  let timer: NodeJS.Timeout | undefined
  /** What the timer waits for. */
  let wakesAt = Infinity
  let running: Promise<void> | undefined

  async function inTurn<T>(delayId: string, work: () => Promise<T>): Promise<T> {
    try {
      return await turns.run(delayId, work)
    } catch (error) {
      if (!(error instanceof QueueFullError)) throw error
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many requests for this event', { retry_after_ms: 1_000 })
    }
  }

  async function fireIfDue(delayId: string): Promise<void> {
    const row = await store.read('delayedEvents.find', () => delayedEventById(delayId))
    if (row === undefined || row.due_ts === null || row.due_ts > clock.now()) return
    let outcome: { readonly eventId: string } | { readonly error: string }
    try {
      outcome = { eventId: await deps.fire(row) }
    } catch (error) {
      const about = { err: error, roomId: row.room_id, userId: row.user_id }
      if (!(error instanceof MatrixError)) {
        if (row.attempts + 1 < MAX_ATTEMPTS) {
          logger.warn(about, 'a delayed event cannot be sent yet')
          const due = clock.now() + RETRY_MS
          await store.write('delayedEvents.postpone', () => postponeDelayedEvent(row.nid, due))
          return
        }
        logger.error(about, 'a delayed event cannot be sent; given up')
        outcome = { error: JSON.stringify({ errcode: 'M_UNKNOWN', error: 'Internal error' }) }
      } else {
        outcome = { error: JSON.stringify({ ...error.extra, errcode: error.errcode, error: error.message }) }
      }
    }
    await store.write('delayedEvents.finalise', () => deps.finalise(row, outcome))
  }

  async function sendDue(): Promise<void> {
    while (!closed) {
      const due = await store.read('delayedEvents.due', () => dueEvents(clock.now(), BATCH))
      if (due.length === 0) return
      const rooms = new Map<string, string[]>()
      for (const row of due) appendTo(rooms, row.room_id, row.delay_id)
      await Promise.all(
        [...rooms.values()].map(async (delayIds) => {
          for (const delayId of delayIds) await turns.run(delayId, () => fireIfDue(delayId))
        }),
      )
    }
  }

  function sleep(until: number): void {
    clearTimeout(timer)
    wakesAt = until
    const wait = Math.min(Math.max(until - clock.now(), 0), MAX_SLEEP_MS)
    timer = setTimeout(wake, wait)
    timer.unref()
  }

  function wake(): void {
    if (closed || running !== undefined) return
    clearTimeout(timer)
    wakesAt = Infinity
    running = (async () => {
      try {
        await sendDue()
        const next = await store.read('delayedEvents.next', nextDue)
        return Math.min(next ?? Infinity, wakesAt)
      } catch (error) {
        if (!closed) logger.error({ err: error }, 'delayed events cannot be sent; tried again')
        return clock.now() + RETRY_MS
      }
    })().then((at) => {
      running = undefined
      if (!closed && at < Infinity) sleep(at)
    })
  }

  return {
    inTurn,
    due(at) {
      if (!started || closed || at >= wakesAt) return
      if (running === undefined) sleep(at)
      else wakesAt = at
    },
    sendDue,
    start() {
      started = true
      wake()
    },
    async close() {
      closed = true
      clearTimeout(timer)
      await running
      await turns.idle()
    },
  }
}
