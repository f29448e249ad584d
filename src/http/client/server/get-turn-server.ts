import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3voipturnserver */
export const getTurnServer = route({
  id: 'getTurnServer',
  method: 'GET',
  paths: v3('/voip/turnServer'),
  auth: 'guest',
  rateLimit: 'read',
  handler: ({ requester }, { serverInfo }) => Promise.resolve(serverInfo.turnServer(requester)),
})
