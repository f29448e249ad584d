import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3registeravailable */
export const checkUsernameAvailability = route({
  id: 'checkUsernameAvailability',
  method: 'GET',
  paths: v3('/register/available'),
  auth: 'none',
  rateLimit: 'registration',
  query: Type.Object({ username: Type.String() }),
  async handler({ query }, { accounts }) {
    await accounts.registration.checkAvailable(query.username)
    return { available: true }
  },
})
