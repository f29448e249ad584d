import { Type } from 'typebox'
import { given, Short } from '../validate.js'
import { adminRoute } from './admin-route.js'

const Time = given(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))

/** Takes back what a user has said, in the background. */
export const adminRedactUser = adminRoute({
  id: 'adminRedactUser',
  method: 'POST',
  paths: ['/_synapse/admin/v1/user/{userId}/redact'],
  rateLimit: 'write',
  body: Type.Object({
    rooms: Type.Array(Short, { maxItems: 10_000 }),
    reason: given(Type.String({ maxLength: 4_000 })),
    limit: given(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
    use_admin: given(Type.Boolean()),
    after_ts: Time,
    before_ts: Time,
  }),
  handler: async ({ requester, params, body }, { administration }) => ({
    redact_id: await administration.userRedaction.start(requester.userId, params['userId']!, {
      rooms: body.rooms,
      reason: body.reason ?? undefined,
      limit: body.limit ?? undefined,
      useAdmin: body.use_admin ?? false,
      afterTs: body.after_ts ?? undefined,
      beforeTs: body.before_ts ?? undefined,
    }),
  }),
})

/** How far it is. */
export const adminRedactStatus = adminRoute({
  id: 'adminRedactStatus',
  method: 'GET',
  paths: ['/_synapse/admin/v1/user/redact_status/{redactId}'],
  rateLimit: 'read',
  handler: ({ params }, { administration }) => administration.userRedaction.status(params['redactId']!),
})
