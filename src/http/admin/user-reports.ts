import { Type } from 'typebox'
import { Short } from '../validate.js'
import { adminRoute } from './admin-route.js'
import { numberOf } from './event-reports.js'
import { pageOf, PAGING } from './paging.js'

/** Whom users have reported, the newest report first. */
export const adminListUserReports = adminRoute({
  id: 'adminListUserReports',
  method: 'GET',
  paths: ['/_synapse/admin/v1/user_reports'],
  rateLimit: 'read',
  query: Type.Object({
    ...PAGING,
    user_id: Type.Optional(Short),
    target_user_id: Type.Optional(Short),
  }),
  handler: ({ query }, { administration }) =>
    administration.userReports.list({
      ...pageOf(query),
      // Backwards in time unless told otherwise.
      descending: query.dir !== 'f',
      reporter: query.user_id,
      userId: query.target_user_id,
    }),
})

export const adminGetUserReport = adminRoute({
  id: 'adminGetUserReport',
  method: 'GET',
  paths: ['/_synapse/admin/v1/user_reports/{reportId}'],
  rateLimit: 'read',
  handler: async ({ params }, { administration }) =>
    administration.userReports.details(numberOf(params['reportId']!)),
})

export const adminDeleteUserReport = adminRoute({
  id: 'adminDeleteUserReport',
  method: 'DELETE',
  paths: ['/_synapse/admin/v1/user_reports/{reportId}'],
  rateLimit: 'write',
  async handler({ params }, { administration, operator }) {
    const id = numberOf(params['reportId']!)
    // The numbers of other kinds are not of this list.
    await administration.userReports.details(id)
    await operator.deleteReport(id)
    return {}
  },
})
