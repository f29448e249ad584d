import { policyForClients } from '../../../core/password-policy.js'
import { route, v3 } from '../../route.js'

/** What a new password must be, for clients that help to choose one. NOTSPEC: MSC2000. */
export const getPasswordPolicy = route({
  id: 'getPasswordPolicy',
  method: 'GET',
  paths: v3('/password_policy'),
  auth: 'none',
  rateLimit: 'public',
  handler: (_, { accounts }) => Promise.resolve(policyForClients(accounts.credentials.passwordPolicy)),
})
