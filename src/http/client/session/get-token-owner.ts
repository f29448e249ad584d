import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami */
export const getTokenOwner = route({
  id: 'getTokenOwner',
  method: 'GET',
  paths: v3('/account/whoami'),
  auth: 'guest',
  rateLimit: 'read',
  handler: ({ requester }) =>
    Promise.resolve({
      user_id: requester.userId,
      is_guest: requester.isGuest,
      ...(requester.deviceId === undefined ? {} : { device_id: requester.deviceId }),
    }),
})
