import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devicesdeviceid */
export const getDevice = route({
  id: 'getDevice',
  method: 'GET',
  paths: v3('/devices/{deviceId}'),
  auth: 'guest',
  rateLimit: 'read',
  handler: ({ requester, params }, { devices }) => devices.get(requester.userId, params['deviceId']!),
})
