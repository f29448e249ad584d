import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1userdevicesuserid */
export const getUserDevices = route({
  id: 'getUserDevices',
  method: 'GET',
  paths: ['/_matrix/federation/v1/user/devices/{userId}'],
  auth: 'server',
  rateLimit: 'federation',
  handler: ({ params }, { e2ee }) => e2ee.userDevices(params['userId']!),
})
