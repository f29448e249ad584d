import { Type } from 'typebox'
import { confirmWhereGuarded } from '../../admin/confirmation-code.js'
import { route, v1 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv1adminsuspenduserid */
export const setAdminSuspendUser = route({
  id: 'setAdminSuspendUser',
  method: 'PUT',
  paths: v1('/admin/suspend/{userId}'),
  auth: 'admin',
  rateLimit: 'write',
  body: Type.Object({ suspended: Type.Boolean() }),
  async handler({ requester, params, body, request }, { accounts, secondFactor }) {
    await confirmWhereGuarded(secondFactor, requester.userId, request.headers)
    await accounts.moderation.set(requester.userId, params['userId']!, 'suspended', body.suspended)
    return { suspended: body.suspended }
  },
})
