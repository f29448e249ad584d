import { notFound } from '../../core/errors.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import {
  countReports,
  reportOfKind,
  reportsPage,
  type ReportFilter,
  type ReportRow,
} from '../../storage/tables/reports.js'
import type { Store } from '../../storage/tx.js'
import type { RoomAdministration } from './rooms.js'
import { MAX_PAGE } from './users.js'

export interface ReportQuery extends Omit<ReportFilter, 'kind'> {
  readonly descending: boolean
  readonly offset: number
  readonly limit: number
}

/** Reports of one kind, in the shape that moderation bots and pages for administrators poll. */
export interface ReportLists {
  list(query: ReportQuery): Promise<JsonObject>
  /** Throws M_NOT_FOUND. */
  details(id: number): Promise<JsonObject>
}

/** `name`: the member that holds the list. `shown`: one report in it; `more`: what only its details have. */
function reportLists(
  store: Store,
  kind: ReportRow['kind'],
  name: string,
  shown: (row: ReportRow) => Promise<JsonObject>,
  more: (row: ReportRow) => JsonObject = () => ({}),
): ReportLists {
  return {
    async list({ descending, offset, limit, ...filter }) {
      const size = Math.min(limit, MAX_PAGE)
      const { rows, total } = await store.read('administration.reports', function* () {
        return {
          rows: yield* reportsPage({ kind, ...filter }, { descending, offset, limit: size }),
          total: yield* countReports({ kind, ...filter }),
        }
      })
      const reports: JsonObject[] = []
      for (const row of rows) reports.push(await shown(row))
      const next = offset + rows.length
      return { [name]: reports, total, ...(rows.length > 0 && next < total ? { next_token: next } : {}) }
    },

    async details(id) {
      const row = await store.read('administration.report', () => reportOfKind(kind, id))
      if (row === undefined) throw notFound('There is no such report')
      return { ...(await shown(row)), ...more(row) }
    },
  }
}

export const createEventReports = (deps: {
  readonly store: Store
  readonly titleOf: RoomAdministration['title']
}): ReportLists =>
  reportLists(
    deps.store,
    'event',
    'event_reports',
    async (row) => ({
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
    }),
    (row) => ({ event_json: row.event_json === null ? null : (JSON.parse(row.event_json) as Json) }),
  )

export const createUserReports = (store: Store): ReportLists =>
  reportLists(store, 'user', 'user_reports', (row) =>
    Promise.resolve({
      id: row.report_id,
      received_ts: row.created_ts,
      target_user_id: row.user_id,
      user_id: row.reporter,
      reason: row.reason,
    }),
  )
