import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3login */
export const getLoginFlows = route({
  id: 'getLoginFlows',
  method: 'GET',
  paths: v3('/login'),
  auth: 'none',
  rateLimit: 'public',
  handler: (_call, { accounts }) => Promise.resolve({ flows: accounts.login.flows() }),
})
