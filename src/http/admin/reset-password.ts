import { adminActor } from '../../core/audit/acts.js'
import { Type } from 'typebox'
import { adminRoute } from './admin-route.js'

/** Sets a password; ends the sessions of the account unless told not to. */
export const adminResetPassword = adminRoute({
  id: 'adminResetPassword',
  method: 'POST',
  paths: ['/_synapse/admin/v1/reset_password/{userId}'],
  rateLimit: 'write',
  body: Type.Object({
    new_password: Type.String({ maxLength: 1_024 }),
    logout_devices: Type.Optional(Type.Boolean()),
  }),
  async handler({ requester, params, body }, { administration, operator }) {
    await administration.users.checkExists(params['userId']!)
    await operator.resetPassword(
      params['userId']!,
      body.new_password,
      body.logout_devices ?? true,
      adminActor(requester.userId),
    )
    return {}
  },
})
