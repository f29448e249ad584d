import { Type } from 'typebox'
import { Short } from '../validate.js'
import { adminRoute } from './admin-route.js'

/** Whether an account of the name could be made, also where people may not register. */
export const adminUsernameAvailable = adminRoute({
  id: 'adminUsernameAvailable',
  method: 'GET',
  paths: ['/_synapse/admin/v1/username_available'],
  rateLimit: 'read',
  query: Type.Object({ username: Short }),
  async handler({ query: { username } }, { accounts }) {
    await accounts.registration.checkName(username)
    return { available: true }
  },
})
