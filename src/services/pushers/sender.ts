import { setMaxListeners } from 'node:events'
import type { Action } from '../../core/push-rules/rules.js'
import { backoffDelay } from '../../platform/backoff.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { Random } from '../../platform/random.js'
import { membershipOf } from '../../storage/tables/memberships.js'
import {
  busyPushers,
  deletePusher,
  markPusherFailing,
  markPusherTold,
  pusherById,
  type PusherRow,
} from '../../storage/tables/pushers.js'
import {
  deleteQueuedPushes,
  dropOldPushes,
  queuedPushes,
  trimPushes,
  type QueuedPush,
} from '../../storage/tables/push-queue.js'
import { FederationError } from '../federation/federation-error.js'
import type { RoomsContext } from '../rooms/context.js'
import type { Gateways } from './gateway.js'
import {
  badgeNotification,
  eventNotification,
  inviteSubject,
  subjectOf,
  type Subject,
} from './notification.js'
import { isReadTo, readingOf, storedThreadOf, type Reading } from './reading.js'

/**
 * Tells what waits for pushers: each pusher one thing after the other, oldest first. What was told is deleted once the gateway has answered;
 * until then it stays, over restarts too. A crash between the answer and the deletion tells it twice, with the same event id.
 */
export interface PushSender {
  /** These have something to do. */
  wake(pusherIds: Iterable<number>): void
  /** At start: goes on with everything that waits. */
  resume(): Promise<void>
  /** How many pushers have something under way. */
  readonly active: number
  /** Ends the requests under way. */
  close(): Promise<void>
}

export interface PushSenderOptions {
  readonly backoff: { readonly initialMs: number; readonly maxMs: number }
  /** What a gateway does not take for so long is given up, in milliseconds: nobody wants to be told of it any more. */
  readonly giveUpMs: number
}

export interface PushSenderDeps {
  readonly context: RoomsContext
  readonly clock: Pick<Clock, 'now'>
  readonly random: Pick<Random, 'bytes'>
  readonly logger: Logger
  readonly gateways: Gateways
  /** A step of a pusher of kind `email`: when it is to be looked at again; undefined: when something comes. */
  mail(pusher: PusherRow): Promise<number | undefined>
  readonly options: PushSenderOptions
}

const BATCH = 20
/** What waits for one pusher; of more only the newest is told. */
const MAX_QUEUED = 1_000
/** What is told later than this may have been read meanwhile. */
const FRESH_MS = 2_000
/** A clock that steps must not put a pusher off for ever; nor may Node's timers be given more than 2^31 ms. */
const MAX_WAIT_MS = 60_000
const STORE_RETRY_MS = 10_000

export function createPushSender(deps: PushSenderDeps): PushSender {
  const { context, clock, random, logger, gateways, options } = deps
  const { store } = context
  const stopping = new AbortController()
  // One for each request under way.
  setMaxListeners(0, stopping.signal)
  /** Those under way, with whether something came meanwhile. */
  const running = new Map<number, { again: boolean; readonly work: Promise<void> }>()
  const timers = new Map<number, NodeJS.Timeout>()

  /** What to tell of a queued push; undefined: nothing any more. */
  async function subjectFor(row: QueuedPush, userId: string, reading: Reading): Promise<Subject | undefined> {
    if (row.event_nid === null) {
      const invite = await store.read('push.invite', () => membershipOf(row.room_nid, userId))
      if (invite?.membership !== 'invite') return undefined
      const { roomId } = await context.events.meta(row.room_nid)
      return inviteSubject(roomId, userId, invite.sender, invite.stripped_state)
    }
    const stored = (await context.events.byNids([row.event_nid])).get(row.event_nid)
    if (stored === undefined) return undefined
    const { event } = stored
    if (event.type === 'm.room.member' && event.stateKey === userId && !reading.isJoined) {
      const member = await store.read('push.invite', () => membershipOf(row.room_nid, userId))
      return member?.event_nid === stored.nid ? subjectOf(context, stored) : undefined
    }
    if (!reading.isJoined || stored.redactedBy !== undefined) return undefined
    const thread = await storedThreadOf(context.events, event)
    if (isReadTo(reading.receipts, thread, row.pos)) return undefined
    const isLate = clock.now() - row.ts > FRESH_MS
    if (isLate && !reading.unreadThreads.has(thread)) return undefined
    return subjectOf(context, stored)
  }

  /** Post: told, or of no use any more, and off the queue. False: the pusher is gone. Throws FederationError. */
  async function tell(pusher: PusherRow, row: QueuedPush): Promise<boolean> {
    const reading = await store.read('push.reading', () => readingOf(pusher.user_id, row.room_nid))
    const subject = await subjectFor(row, pusher.user_id, reading)
    if (subject === undefined) {
      await store.write('push.skip', () => deleteQueuedPushes(pusher.pusher_id, [row.pos]))
      return true
    }
    const actions = JSON.parse(row.actions) as readonly Action[]
    const body = eventNotification(pusher, subject, actions, reading.unread)
    return send(pusher, body, reading.unread, [row.pos])
  }

  async function tellBadge(pusher: PusherRow): Promise<boolean> {
    const { unread } = await store.read('push.badge', () => readingOf(pusher.user_id, undefined))
    if (unread !== pusher.badge) return send(pusher, badgeNotification(pusher, unread), unread, [])
    await store.write('push.badgeTold', () => markPusherTold(pusher.pusher_id, unread, pusher.badge_due))
    return true
  }

  async function send(
    pusher: PusherRow,
    body: ReturnType<typeof badgeNotification>,
    unread: number,
    positions: readonly number[],
  ): Promise<boolean> {
    const { url } = JSON.parse(pusher.data) as { url: string }
    const { signal } = stopping
    const rejected = await gateways.notify({ url, body, failing: pusher.failures > 0, signal })
    if (rejected.has(pusher.pushkey)) {
      logger.info({ userId: pusher.user_id, appId: pusher.app_id }, 'a gateway rejected a pusher')
      await store.write('push.rejected', () => deletePusher(pusher.user_id, pusher.app_id, pusher.pushkey))
      return false
    }
    await store.write('push.told', function* () {
      yield* deleteQueuedPushes(pusher.pusher_id, positions)
      yield* markPusherTold(pusher.pusher_id, unread, pusher.badge_due)
    })
    return true
  }

  /** Gives the pause. */
  async function failed(pusher: PusherRow, error: FederationError): Promise<number> {
    const now = clock.now()
    const failures = pusher.failures + 1
    const { maxMs } = options.backoff
    const pause = Math.max(
      backoffDelay(options.backoff, failures, random),
      Math.min(error.retryAfterMs ?? 0, maxMs),
    )
    const since = pusher.failing_since ?? now
    const dropped = await store.write('push.failed', function* () {
      yield* markPusherFailing(pusher.pusher_id, { since, failures, retryAt: now + pause })
      return yield* dropOldPushes(pusher.pusher_id, now - options.giveUpMs)
    })
    const { user_id: userId, app_id: appId } = pusher
    logger.info({ userId, appId, failures, reason: error.message, pause }, 'a gateway cannot be told')
    if (dropped > 0) logger.warn({ userId, appId, dropped }, 'notifications were given up')
    return pause
  }

  /** Gives when to look again, in milliseconds from now; undefined: when something comes. */
  async function work(pusherId: number): Promise<number | undefined> {
    for (;;) {
      if (stopping.signal.aborted) return undefined
      const { pusher, rows } = await store.read('push.next', function* () {
        return { pusher: yield* pusherById(pusherId), rows: yield* queuedPushes(pusherId, BATCH) }
      })
      if (pusher === undefined) return undefined
      if (rows.length === BATCH) {
        const dropped = await store.write('push.trim', () => trimPushes(pusherId, MAX_QUEUED))
        if (dropped > 0) {
          logger.warn({ userId: pusher.user_id, dropped }, 'a pusher falls behind')
          continue
        }
      }
      if (pusher.kind === 'email') {
        const due = await deps.mail(pusher)
        return due === undefined ? undefined : due - clock.now()
      }
      const pause = Math.min(pusher.retry_at - clock.now(), options.backoff.maxMs)
      if (pusher.failures > 0 && pause > 0) return pause
      if (rows.length === 0 && pusher.badge_due === 0) return undefined
      try {
        if (rows.length === 0) await tellBadge(pusher)
        // After a failure one is enough to find out whether the gateway is there again.
        for (const row of pusher.failures > 0 ? rows.slice(0, 1) : rows) {
          if (!(await tell(pusher, row))) return undefined
        }
      } catch (error) {
        if (stopping.signal.aborted) return undefined
        if (!(error instanceof FederationError)) throw error
        return await failed(pusher, error)
      }
    }
  }

  function schedule(pusherId: number, delay: number): void {
    if (stopping.signal.aborted) return
    clearTimeout(timers.get(pusherId))
    const timer = setTimeout(
      () => {
        timers.delete(pusherId)
        start(pusherId)
      },
      Math.min(Math.max(delay, 0), MAX_WAIT_MS),
    )
    timer.unref()
    timers.set(pusherId, timer)
  }

  function start(pusherId: number): void {
    if (stopping.signal.aborted) return
    const known = running.get(pusherId)
    if (known !== undefined) {
      known.again = true
      return
    }
    const state = {
      again: false,
      work: Promise.resolve()
        .then(() => work(pusherId))
        .catch((error: unknown) => {
          if (stopping.signal.aborted) return undefined
          logger.error({ err: error, pusherId }, 'a pusher stopped; tried again')
          return STORE_RETRY_MS
        })
        .then((delay) => {
          running.delete(pusherId)
          if (delay !== undefined) schedule(pusherId, delay)
          else if (state.again) start(pusherId)
        }),
    }
    running.set(pusherId, state)
  }

  return {
    wake(pusherIds) {
      for (const pusherId of pusherIds) start(pusherId)
    },
    async resume() {
      const busy = await store.read('push.busy', () => busyPushers())
      for (const pusherId of busy) start(pusherId)
    },
    get active() {
      return running.size
    },
    async close() {
      stopping.abort(new Error('the server stops'))
      for (const timer of timers.values()) clearTimeout(timer)
      await Promise.all([...running.values()].map((state) => state.work))
    },
  }
}
