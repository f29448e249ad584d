import { notFound } from '../../core/errors.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import {
  countEventReports,
  eventReport,
  eventReportsPage,
  type EventReportFilter,
  type ReportRow,
} from '../../storage/tables/reports.js'
import type { Store } from '../../storage/tx.js'
import type { RoomAdministration } from './rooms.js'
import { MAX_PAGE } from './users.js'

export interface EventReportQuery extends EventReportFilter {
  readonly descending: boolean
  readonly offset: number
  readonly limit: number
}

/** Reports of events, in the shape that moderation bots poll. */
export interface EventReports {
  list(query: EventReportQuery): Promise<JsonObject>
  /** Throws M_NOT_FOUND. */
  details(id: number): Promise<JsonObject>
}

export function createEventReports(deps: {
  readonly store: Store
  readonly titleOf: RoomAdministration['title']
}): EventReports {
  const { store } = deps

  const shown = async (row: ReportRow): Promise<JsonObject> => ({
    id: row.report_id,
    received_ts: row.created_ts,
    room_id: row.room_id,
    event_id: row.event_id,
    user_id: row.reporter,
    sender: row.user_id,
    reason: row.reason,
    // Nobody is asked for one any more.
    score: null,
    ...(await deps.titleOf(row.room_id)),
  })

  return {
    async list({ descending, offset, limit, ...filter }) {
      const size = Math.min(limit, MAX_PAGE)
      const { rows, total } = await store.read('administration.reports', function* () {
        return {
          rows: yield* eventReportsPage(filter, { descending, offset, limit: size }),
          total: yield* countEventReports(filter),
        }
      })
      const reports: JsonObject[] = []
      for (const row of rows) reports.push(await shown(row))
      const next = offset + rows.length
      return {
        event_reports: reports,
        total,
        ...(rows.length > 0 && next < total ? { next_token: next } : {}),
      }
    },

    async details(id) {
      const row = await store.read('administration.report', () => eventReport(id))
      if (row === undefined) throw notFound('There is no such report')
      const event = row.event_json === null ? null : (JSON.parse(row.event_json) as Json)
      return { ...(await shown(row)), event_json: event }
    },
  }
}
