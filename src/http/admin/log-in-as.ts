import { Type } from 'typebox'
import { adminRoute } from './admin-route.js'

/**
 * A session as somebody else, to help them. NOTSPEC: as everywhere in Matrix it has a device, which the user sees in their list and may
 * end; `/logout` with the token ends it too.
 */
export const adminLogInAs = adminRoute({
  id: 'adminLogInAs',
  method: 'POST',
  paths: ['/_synapse/admin/v1/users/{userId}/login'],
  rateLimit: 'write',
  body: Type.Object({
    valid_until_ms: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  }),
  handler: ({ requester, params, body }, { administration }) =>
    administration.users.logInAs(requester.userId, params['userId']!, body.valid_until_ms),
})
