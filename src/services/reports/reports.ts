import { userActor } from '../../core/audit/acts.js'
import { invalidParam, MatrixError, notFound } from '../../core/errors.js'
import { isRoomId } from '../../core/ids/room-id.js'
import { isUserId } from '../../core/ids/user-id.js'
import type { JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import { deleteCases, openCase } from '../../storage/tables/report-cases.js'
import * as rows from '../../storage/tables/reports.js'
import type { Store } from '../../storage/tx.js'
import { NO_AUDIT, type AuditTrail } from '../audit/trail.js'
import type { Requester } from '../requester.js'

/**
 * What users report to the administrators: rooms, events, users. Of a room or a user nobody learns by it whether they exist: the answer
 * is the same.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#reporting-content
 */
export interface Reports {
  /** Whether or not the user is in the room. Throws M_INVALID_PARAM for what is no room id. */
  reportRoom(requester: Requester, roomId: string, reason: string): Promise<void>
  /** Throws M_NOT_FOUND unless the user is in the room and sees the event there. */
  reportEvent(requester: Requester, roomId: string, eventId: string, reason: string): Promise<void>
  /** Throws M_INVALID_PARAM for what is no user id. */
  reportUser(requester: Requester, userId: string, reason: string): Promise<void>
  /** For administrators: newest first; `before`: below this number. */
  list(page: { readonly before?: number; readonly limit: number }): Promise<readonly rows.ReportRow[]>
  /** For administrators. False when there is no such report. */
  delete(reportId: number): Promise<boolean>
}

/** Of one user; a newer report takes the place of the oldest, so that nobody pushes out the reports of others. */
const MAX_PER_REPORTER = 500
const MAX_PAGE = 1_000

const cannotSee = (): MatrixError => notFound('There is no such event, or you are not in the room')

export function createReports(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly audit?: AuditTrail
  /** Until when a report is to be dealt with. Default a day. */
  readonly answerWithinMs?: number
  joinedRooms(userId: string): Promise<readonly string[]>
  /** The event as the user sees it; throws a MatrixError when they do not. */
  visibleEvent(requester: Requester, roomId: string, eventId: string): Promise<JsonObject>
}): Reports {
  const { store, clock, audit = NO_AUDIT, answerWithinMs = 24 * 3_600_000 } = deps

  async function put(
    reporter: string,
    report: Pick<rows.ReportRow, 'kind' | 'reason'> & Partial<rows.ReportRow>,
  ): Promise<void> {
    await store.write('reports.put', function* () {
      const now = clock.now()
      const reportId = yield* rows.putReport({
        reporter,
        room_id: '',
        event_id: '',
        user_id: '',
        event_json: null,
        created_ts: now,
        ...report,
      })
      yield* openCase(reportId, now + answerWithinMs)
      yield* deleteCases(yield* rows.pruneReportsOf(reporter, MAX_PER_REPORTER))
      yield* audit.record({
        act: 'report.filed',
        by: userActor(reporter),
        on: report.event_id ?? report.user_id,
        room: report.room_id,
        details: { case: reportId, kind: report.kind },
      })
    })
  }

  async function seen(requester: Requester, roomId: string, eventId: string): Promise<JsonObject> {
    if (!(await deps.joinedRooms(requester.userId)).includes(roomId)) throw cannotSee()
    try {
      return await deps.visibleEvent(requester, roomId, eventId)
    } catch (error) {
      throw error instanceof MatrixError ? cannotSee() : error
    }
  }

  return {
    async reportRoom({ userId }, roomId, reason) {
      if (!isRoomId(roomId)) throw invalidParam('This is not a room id')
      await put(userId, { kind: 'room', room_id: roomId, reason })
    },
    async reportEvent(requester, roomId, eventId, reason) {
      const event = await seen(requester, roomId, eventId)
      const sender = event['sender']
      await put(requester.userId, {
        kind: 'event',
        room_id: roomId,
        event_id: eventId,
        user_id: typeof sender === 'string' ? sender : '',
        event_json: JSON.stringify(event),
        reason,
      })
    },
    async reportUser({ userId }, reported, reason) {
      if (!isUserId(reported)) throw invalidParam('This is not a user id')
      await put(userId, { kind: 'user', user_id: reported, reason })
    },
    list: ({ before = Number.MAX_SAFE_INTEGER, limit }) =>
      store.read('reports.list', () => rows.reportsBefore(before, Math.min(limit, MAX_PAGE))),
    delete: (reportId) =>
      store.write('reports.delete', function* () {
        yield* deleteCases([reportId])
        return yield* rows.deleteReport(reportId)
      }),
  }
}
