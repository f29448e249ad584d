import { adminActor, OPERATOR, SERVER, type Actor } from '../../core/audit/acts.js'
import { forbidden, invalidParam, MatrixError, notFound } from '../../core/errors.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import * as rows from '../../storage/tables/report-cases.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { AuditTrail } from '../audit/trail.js'
import type { Requester } from '../requester.js'
import type { ActWish, CaseActs } from './case-acts.js'

export interface DeskOptions {
  /** Users who may do it besides administrators. */
  readonly moderators: ReadonlySet<string>
  /** Users who are told of what is overdue. */
  readonly notified: readonly string[]
}

export interface CaseQuery {
  readonly state?: rows.CaseState | undefined
  readonly assignee?: string | undefined
  readonly overdue?: boolean | undefined
  readonly from: number
  readonly limit: number
}

export type Resolution = 'upheld' | 'rejected'

/** Who works at the desk: a moderator by user id, or whoever has the machine (undefined). */
export type DeskWorker = string | undefined

/**
 * What users report, as cases with a state, somebody who cares for it, and a time until when it is to be closed; and what moderators do about it.
 * Whatever they do is in the audit log. Throws M_NOT_FOUND for cases that are not there.
 */
export interface ModerationDesk {
  /** Throws M_FORBIDDEN unless the user is a moderator. Gives the user id. */
  worker(requester: Requester): string
  list(query: CaseQuery): Promise<JsonObject>
  details(caseId: number): Promise<JsonObject>
  /** Null: nobody. Throws M_INVALID_PARAM for who is no moderator, and for cases that are closed. */
  assign(caseId: number, assignee: string | null, by: DeskWorker): Promise<JsonObject>
  /** Throws M_INVALID_PARAM for one that is closed. */
  close(
    caseId: number,
    end: { readonly resolution: Resolution; readonly comment: string | undefined },
    by: DeskWorker,
  ): Promise<JsonObject>
  /** See `CaseActs`. The case stays open: more than one thing may be done about it. */
  act(caseId: number, wish: ActWish, by: DeskWorker): Promise<JsonObject>
  counts(): Promise<{ readonly open: number; readonly overdue: number }>
  /** Job: tells of what is overdue, once for each case. */
  watch(): Promise<void>
}

const MAX_PAGE = 500
const MAX_TOLD = 100

const actorOf = (by: DeskWorker): Actor => (by === undefined ? OPERATOR : adminActor(by))

export function createModerationDesk(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  readonly audit: AuditTrail
  readonly acts: CaseActs
  isAdmin(userId: string): Promise<boolean>
  notify(userId: string, text: string): Promise<unknown>
  readonly options: DeskOptions
}): ModerationDesk {
  const { store, clock, logger, audit, acts, options } = deps

  const shown = (row: rows.ReportedCase): JsonObject => ({
    case_id: row.report_id,
    state: row.state,
    assignee: row.assignee,
    due_ts: row.due_ts,
    overdue: row.state !== 'closed' && row.due_ts <= clock.now(),
    kind: row.kind,
    reporter: row.reporter,
    ...(row.room_id === '' ? {} : { room_id: row.room_id }),
    ...(row.event_id === '' ? {} : { event_id: row.event_id }),
    ...(row.user_id === '' ? {} : { user_id: row.user_id }),
    reason: row.reason,
    reported_ts: row.created_ts,
    ...(row.state === 'closed'
      ? {
          resolution: row.resolution,
          comment: row.comment,
          closed_by: row.closed_by,
          closed_ts: row.closed_ts,
        }
      : {}),
  })

  const full = (row: rows.ReportedCase): JsonObject => ({
    ...shown(row),
    event: row.event_json === null ? null : (JSON.parse(row.event_json) as Json),
  })

  function* find(caseId: number): Tx<rows.ReportedCase> {
    const row = yield* rows.caseById(caseId)
    if (row === undefined) throw notFound('There is no such case')
    return row
  }

  function* told(
    row: rows.ReportedCase,
    by: DeskWorker,
    details: Readonly<Record<string, string | number | null>>,
    reason?: string,
  ): Tx<void> {
    yield* audit.record({
      act: 'report.changed',
      by: actorOf(by),
      on: row.user_id === '' ? row.event_id : row.user_id,
      room: row.room_id === '' ? undefined : row.room_id,
      reason,
      details: { case: row.report_id, ...details },
    })
  }

  const isClosed = (): MatrixError => invalidParam('The case is closed')

  return {
    worker(requester) {
      if (!requester.isAdmin && !options.moderators.has(requester.userId))
        throw forbidden('Only a moderator of this server may do this')
      if (requester.appserviceId !== undefined) throw forbidden('Only a person may do this')
      return requester.userId
    },

    async list({ state, assignee, overdue, from, limit }) {
      const size = Math.min(limit, MAX_PAGE)
      const filter = { state, assignee, ...(overdue === true ? { overdueAt: clock.now() } : {}) }
      const { found, total } = await store.read('desk.list', function* () {
        return {
          found: yield* rows.casesPage(filter, { offset: from, limit: size }),
          total: yield* rows.countCases(filter),
        }
      })
      const next = from + found.length
      return {
        cases: found.map(shown),
        total,
        ...(found.length > 0 && next < total ? { next_batch: String(next) } : {}),
      }
    },

    details: async (caseId) => full(await store.read('desk.case', () => find(caseId))),

    async assign(caseId, assignee, by) {
      if (assignee !== null && !options.moderators.has(assignee) && !(await deps.isAdmin(assignee)))
        throw invalidParam('This is no moderator of this server')
      return await store.write('desk.assign', function* () {
        const before = yield* find(caseId)
        if (!(yield* rows.assignCase(caseId, assignee))) throw isClosed()
        yield* told(before, by, { to: 'assigned', assignee })
        return full(yield* find(caseId))
      })
    },

    async close(caseId, { resolution, comment }, by) {
      return await store.write('desk.close', function* () {
        const before = yield* find(caseId)
        const end = { resolution, comment: comment ?? null, by: by ?? null, ts: clock.now() }
        if (!(yield* rows.closeCase(caseId, end))) throw isClosed()
        yield* told(before, by, { to: 'closed', resolution }, comment)
        return full(yield* find(caseId))
      })
    },

    async act(caseId, wish, by) {
      const { action, reason } = wish
      const found = await store.read('desk.case', () => find(caseId))
      const act = {
        act: ACT_OF[action],
        by: actorOf(by),
        on: action === 'redact' || found.user_id === '' ? found.event_id : found.user_id,
        room: found.room_id === '' ? undefined : found.room_id,
        reason,
      } as const
      const isOne = acts.isOneTransaction(action)
      const details = { case: caseId, action }
      // Before it begins, so that it has a trace where the node is killed meanwhile.
      if (!isOne) await audit.note({ ...act, outcome: 'begun', details })
      let done: Readonly<Record<string, string | number>>
      try {
        done = await acts.carryOut(found, wish, by, details)
      } catch (error) {
        const outcome = error instanceof MatrixError ? error.errcode : 'failed'
        await audit.note({ ...act, outcome, details })
        throw error
      }
      if (!isOne) await audit.note({ ...act, details: { ...details, ...done } })
      return { ...done }
    },

    counts: () =>
      store.read('desk.counts', function* () {
        return {
          open: yield* rows.countCases({}),
          overdue: yield* rows.countCases({ overdueAt: clock.now() }),
        }
      }),

    async watch() {
      const due = await store.read('desk.overdue', () => rows.untoldOverdue(clock.now(), MAX_TOLD))
      if (due.length === 0) return
      const text =
        `${due.length} report${due.length === 1 ? ' is' : 's are'} overdue, the first of them number ${due[0]!}. ` +
        'They should have been closed by now.'
      logger.warn({ cases: due.slice(0, 20), count: due.length }, 'reports are overdue')
      for (const userId of options.notified) {
        try {
          await deps.notify(userId, text)
        } catch (error) {
          logger.warn({ err: error, userId }, 'a moderator cannot be told of what is overdue')
        }
      }
      await store.write('desk.told', function* () {
        yield* rows.markTold(due)
        yield* audit.record({
          act: 'report.changed',
          by: SERVER,
          details: { to: 'overdue', cases: due.length, first: due[0]! },
        })
      })
    },
  }
}

const ACT_OF = {
  redact: 'event.redacted',
  lock: 'account.locked',
  suspend: 'account.suspended',
  quarantine_media: 'media.quarantined',
  shut_down_room: 'room.shut_down',
} as const
