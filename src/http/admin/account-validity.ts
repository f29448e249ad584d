import { Type } from 'typebox'
import { adminActor } from '../../core/audit/acts.js'
import { offered } from '../client/account-validity/offered.js'
import { Short } from '../validate.js'
import { adminRoute } from './admin-route.js'

/** Sets the day on which an account expires; one period from now, where none is named. By both of the paths that tools know. */
export const adminSetAccountValidity = adminRoute({
  id: 'adminSetAccountValidity',
  method: 'POST',
  paths: ['/_synapse/admin/v1/account_validity/validity', '/_synapse/client/email_account_validity/admin'],
  rateLimit: 'write',
  body: Type.Object({
    user_id: Short,
    expiration_ts: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
    enable_renewal_emails: Type.Optional(Type.Boolean()),
  }),
  handler: async ({ requester, body }, { accountValidity }) => ({
    expiration_ts: await offered(accountValidity).set(
      body.user_id,
      { expiresTs: body.expiration_ts, reminders: body.enable_renewal_emails },
      adminActor(requester.userId),
    ),
  }),
})
