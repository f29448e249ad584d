import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3capabilities */
export const getCapabilities = route({
  id: 'getCapabilities',
  method: 'GET',
  paths: v3('/capabilities'),
  auth: 'guest',
  rateLimit: 'read',
  handler: ({ requester }, { serverInfo }) => Promise.resolve(serverInfo.capabilities(requester)),
})
