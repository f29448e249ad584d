import { Type } from 'typebox'
import { notFound } from '../../core/errors.js'
import { Short } from '../validate.js'
import { adminRoute } from './admin-route.js'
import { pageOf, PAGING } from './paging.js'

/** What users have reported of events, the newest first. */
export const adminListEventReports = adminRoute({
  id: 'adminListEventReports',
  method: 'GET',
  paths: ['/_synapse/admin/v1/event_reports'],
  rateLimit: 'read',
  query: Type.Object({
    ...PAGING,
    user_id: Type.Optional(Short),
    room_id: Type.Optional(Short),
    event_sender_user_id: Type.Optional(Short),
  }),
  handler: ({ query }, { administration }) =>
    administration.eventReports.list({
      ...pageOf(query),
      // Backwards in time unless told otherwise.
      descending: query.dir !== 'f',
      reporter: query.user_id,
      roomId: query.room_id,
      userId: query.event_sender_user_id,
    }),
})

/** The number of a report in a path. Throws M_NOT_FOUND. */
export const numberOf = (text: string): number => {
  if (!/^\d{1,15}$/.test(text)) throw notFound('There is no such report')
  return Number(text)
}

/** One report, with the event as the reporter saw it. */
export const adminGetEventReport = adminRoute({
  id: 'adminGetEventReport',
  method: 'GET',
  paths: ['/_synapse/admin/v1/event_reports/{reportId}'],
  rateLimit: 'read',
  handler: async ({ params }, { administration }) =>
    administration.eventReports.details(numberOf(params['reportId']!)),
})

export const adminDeleteEventReport = adminRoute({
  id: 'adminDeleteEventReport',
  method: 'DELETE',
  paths: ['/_synapse/admin/v1/event_reports/{reportId}'],
  rateLimit: 'write',
  async handler({ params }, { administration, operator }) {
    const id = numberOf(params['reportId']!)
    // The numbers of other kinds are not of this list.
    await administration.eventReports.details(id)
    await operator.deleteReport(id)
    return {}
  },
})
