import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devices */
export const getDevices = route({
  id: 'getDevices',
  method: 'GET',
  paths: v3('/devices'),
  auth: 'guest',
  rateLimit: 'read',
  handler: async ({ requester }, { devices }) => ({ devices: await devices.list(requester.userId) }),
})
