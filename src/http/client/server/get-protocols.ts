import { route, v3 } from '../../route.js'

/**
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3thirdpartyprotocols
 */
export const getProtocols = route({
  id: 'getProtocols',
  method: 'GET',
  paths: v3('/thirdparty/protocols'),
  auth: 'user',
  rateLimit: 'read',
  handler: (_, { appservices }) => appservices.queries.protocols(),
})
