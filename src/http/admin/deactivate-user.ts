import { adminActor } from '../../core/audit/acts.js'
import { Type } from 'typebox'
import { forbidden } from '../../core/errors.js'
import { adminRoute } from './admin-route.js'

/** Closes an account for ever; with `erase` its profile and account data go too. */
export const adminDeactivateUser = adminRoute({
  id: 'adminDeactivateUser',
  method: 'POST',
  paths: ['/_synapse/admin/v1/deactivate/{userId}'],
  rateLimit: 'write',
  body: Type.Object({ erase: Type.Optional(Type.Boolean()) }),
  async handler({ requester, params, body: { erase } }, { administration, operator }) {
    const userId = params['userId']!
    await administration.users.checkExists(userId)
    if (userId === requester.userId) throw forbidden('You cannot do this to your own account')
    await operator.deactivate(userId, erase ?? false, adminActor(requester.userId))
    // Bindings at identity servers are withdrawn in the background, each of them until it is gone.
    return { id_server_unbind_result: 'success' }
  },
})
