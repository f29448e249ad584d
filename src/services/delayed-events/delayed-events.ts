import { badJson, forbidden, invalidParam, MatrixError, notFound } from '../../core/errors.js'
import { tryCanonicalJson } from '../../core/json/canonical.js'
import type { JsonObject } from '../../core/json/value.js'
import { deleteInBatches } from '../../storage/delete-in-batches.js'
import { transactionKey } from '../../storage/tables/client-transactions.js'
import {
  deleteFinalisedBefore,
  delayedEventById,
  delayedInTransaction,
  finaliseDelayedEvent,
  insertDelayedEvent,
  restartDelayedEvent,
  scheduledCountOf,
  scheduledEventsOf,
  trimFinalised,
  type DelayedEventRow,
} from '../../storage/tables/delayed-events.js'
import { membershipOf } from '../../storage/tables/memberships.js'
import type { Tx } from '../../storage/tx.js'
import type { Requester } from '../requester.js'
import { loadRoom, type RoomsContext } from '../rooms/context.js'
import { notInRoom } from '../rooms/not-in-room.js'
import { refuseSuspended } from '../rooms/send.js'
import { deliver, readContent, type DeliverDeps } from './deliver.js'
import { createDelayTimer } from './delay-timer.js'

export interface DelayedEventsOptions {
  /** Milliseconds. */
  readonly maxDelayMs: number
  /** Events that one user may wait for; 0: nobody may send events later. */
  readonly maxScheduled: number
}

export interface ScheduleInput {
  readonly roomId: string
  readonly type: string
  /** Of a state event. */
  readonly stateKey?: string | undefined
  readonly content: JsonObject
  /** Milliseconds. */
  readonly delayMs: number
  /** Absent where a repeated request means another event. */
  readonly txnId?: string | undefined
  /** Milliseconds; application services only. */
  readonly ts?: number | undefined
  /** Milliseconds for which the event is to reach everybody once it is sent (MSC4354). */
  readonly stickyMs?: number | undefined
}

/** What may be done with an event that waits. */
export type DelayAction = 'send' | 'cancel' | 'restart'

/** Events that are sent later, unless they are cancelled before. NOTSPEC: MSC4140. */
export interface DelayedEvents {
  /** Throws M_FORBIDDEN, M_LIMIT_EXCEEDED, M_TOO_LARGE, M_BAD_JSON, M_INVALID_PARAM. */
  schedule(requester: Requester, input: ScheduleInput): Promise<{ delay_id: string }>
  /**
   * The id is what permits it: a server for calls hangs up for those whom it has lost, and has no other token.
   * Throws M_NOT_FOUND, with status 409 where something else has become of the event; for `send` what sending throws.
   */
  act(delayId: string, action: DelayAction): Promise<object>
  /** One's own. Throws M_NOT_FOUND. */
  get(requester: Requester, delayId: string): Promise<object>
  /** What one waits for, in the order in which it is sent. */
  list(requester: Requester): Promise<{ readonly delayed_events: readonly object[] }>
  /** Sends what is due. Resolves when that is done; for tests. */
  sendDue(): Promise<void>
  /** Job: what became of them is forgotten after a week. */
  prune(): Promise<number>
  /** Once the node runs: sends what is due, from then on by itself. */
  start(): void
  close(): Promise<void>
}

/** Bytes of the content; an event with its other members has no more. */
const MAX_CONTENT = 65_536
/** Events that are over and of which their user may still ask. */
const KEPT = 1_000
const KEPT_MS = 7 * 86_400_000

/**
 * NOTSPEC: MSC4140 has the status and M_UNKNOWN. Clients begin a call anew by the errcode alone that says that there is nothing to wait for
 * any more, and take every other for a fault that ends it. Of what was sent and shall be restarted the proposal says nothing.
 */
const conflict = (what: string, status: 404 | 409): MatrixError =>
  new MatrixError('M_NOT_FOUND', `This event has already been ${what}`, {}, status)

export function createDelayedEvents(
  deps: DeliverDeps & { readonly context: RoomsContext; readonly options: DelayedEventsOptions },
): DelayedEvents {
  const { context, options } = deps
  const { store, clock, random, logger } = context
  const timer = createDelayTimer({ store, clock, logger, fire: (row) => deliver(deps, row), finalise })

  function* finalise(
    row: DelayedEventRow,
    outcome: { readonly eventId?: string; readonly error?: string },
  ): Tx<void> {
    yield* finaliseDelayedEvent(row.nid, clock.now(), outcome)
    yield* trimFinalised(row.user_id, KEPT)
  }

  function checkInput({ type, stateKey, delayMs }: ScheduleInput): void {
    if (options.maxScheduled === 0) throw forbidden('This server sends no events later')
    if (delayMs > options.maxDelayMs) {
      throw new MatrixError('M_FORBIDDEN', `The delay is longer than ${options.maxDelayMs} ms`, {
        // By these, clients find a delay that is short enough.
        'org.matrix.msc4140.errcode': 'M_MAX_DELAY_EXCEEDED',
        'org.matrix.msc4140.max_delay': options.maxDelayMs,
      })
    }
    if (type === '' || Buffer.byteLength(type) > 255) throw invalidParam('Bad event type')
    if (stateKey === undefined) return
    if (Buffer.byteLength(stateKey) > 255) throw invalidParam('The state key is too long')
    if (type === 'm.room.create') throw forbidden('A room has one create event')
  }

  /** Post: true where somebody is in a room; a room that does not exist is told like one that they are not in. */
  async function checkMember({ userId }: Requester, roomId: string): Promise<'strict' | 'lenient'> {
    const room = await loadRoom(context, roomId)
    const row = await store.read('delayedEvents.member', () => membershipOf(room.nid, userId))
    if (row?.membership !== 'join') throw notInRoom()
    return room.rules.strictCanonicalJson ? 'strict' : 'lenient'
  }

  return {
    async schedule(requester, input) {
      refuseSuspended(requester)
      checkInput(input)
      const mode = await checkMember(requester, input.roomId)
      const content = tryCanonicalJson(input.content, mode)
      if (!content.ok) throw badJson(`Bad event: ${content.reason}`)
      if (Buffer.byteLength(content.text) > MAX_CONTENT)
        throw new MatrixError('M_TOO_LARGE', 'The event is too large')
      const { userId, deviceId, appserviceId } = requester
      const { txnId, stateKey, roomId, type, delayMs } = input
      if (txnId !== undefined && txnId.length > 255) throw invalidParam('The transaction id is too long')
      const of = { userId, deviceId: deviceId ?? appserviceId ?? '', path: `delayed/${roomId}/${type}` }
      const txnKey = txnId === undefined ? null : transactionKey({ ...of, txnId })
      const delayId = random.string(32)
      const now = clock.now()
      const scheduled = await store.write('delayedEvents.schedule', function* () {
        const known = txnKey === null ? undefined : yield* delayedInTransaction(txnKey)
        if (known !== undefined) return known
        const { count, first } = yield* scheduledCountOf(userId)
        if (count >= options.maxScheduled) {
          throw new MatrixError('M_LIMIT_EXCEEDED', 'You have as many delayed events as you may', {
            retry_after_ms: Math.max(1_000, (first ?? now) - now),
          })
        }
        yield* insertDelayedEvent({
          delay_id: delayId,
          user_id: userId,
          device_id: deviceId ?? null,
          appservice_id: appserviceId ?? null,
          txn_key: txnKey,
          room_id: roomId,
          type,
          state_key: stateKey ?? null,
          content: content.text,
          ts: appserviceId === undefined ? null : (input.ts ?? null),
          sticky_ms: input.stickyMs ?? null,
          delay_ms: delayMs,
          scheduled_ts: now,
          due_ts: now + delayMs,
        })
        return delayId
      })
      timer.due(now + delayMs)
      return { delay_id: scheduled }
    },

    act: (delayId, action) =>
      timer.inTurn(delayId, async () => {
        const row = await store.read('delayedEvents.find', () => delayedEventById(delayId))
        if (row === undefined) throw notFound('There is no such delayed event')
        if (row.due_ts === null) {
          const isSent = row.event_id !== null
          if (action === (isSent ? 'send' : 'cancel')) return {}
          throw conflict(isSent ? 'sent' : 'cancelled', isSent && action === 'restart' ? 404 : 409)
        }
        if (action === 'restart') {
          const now = clock.now()
          await store.write('delayedEvents.restart', () => restartDelayedEvent(row.nid, now))
          timer.due(now + row.delay_ms)
          return {}
        }
        const outcome = action === 'send' ? { eventId: await deliver(deps, row) } : {}
        await store.write('delayedEvents.finalise', () => finalise(row, outcome))
        return {}
      }),

    async get(requester, delayId) {
      const row = await store.read('delayedEvents.find', () => delayedEventById(delayId))
      if (row?.user_id !== requester.userId) throw notFound('There is no such delayed event')
      return {
        ...detailsOf(row),
        ...(row.finalised_ts === null ? {} : { finalised_ts: row.finalised_ts }),
        ...(row.event_id === null ? {} : { event_id: row.event_id }),
        ...(row.error === null ? {} : { error: JSON.parse(row.error) as object }),
      }
    },

    async list(requester) {
      const rows = await store.read('delayedEvents.list', () =>
        scheduledEventsOf(requester.userId, Math.max(options.maxScheduled, 1)),
      )
      return { delayed_events: rows.map(detailsOf) }
    },

    sendDue: () => timer.sendDue(),
    prune: () =>
      deleteInBatches(store, 'delayedEvents.prune', 500, (size) =>
        deleteFinalisedBefore(clock.now() - KEPT_MS, size),
      ),
    start: () => timer.start(),
    close: () => timer.close(),
  }
}

function detailsOf(row: DelayedEventRow): object {
  return {
    delay_id: row.delay_id,
    room_id: row.room_id,
    type: row.type,
    ...(row.state_key === null ? {} : { state_key: row.state_key }),
    delay_ms: row.delay_ms,
    scheduled_at: row.scheduled_ts,
    // What they were called before; matrix-js-sdk reads these.
    delay: row.delay_ms,
    running_since: row.scheduled_ts,
    content: readContent(row),
  }
}
