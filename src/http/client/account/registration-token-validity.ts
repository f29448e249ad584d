import { Type } from 'typebox'
import { route, v1 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity */
export const registrationTokenValidity = route({
  id: 'registrationTokenValidity',
  method: 'GET',
  paths: v1('/register/m.login.registration_token/validity'),
  auth: 'none',
  rateLimit: 'registration',
  query: Type.Object({ token: Type.String() }),
  handler: async ({ query }, { accounts }) => ({
    valid: await accounts.registration.tokenIsValid(query.token),
  }),
})
