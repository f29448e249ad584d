import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3profileuseridkeyname */
export const getProfileField = route({
  id: 'getProfileField',
  method: 'GET',
  paths: v3('/profile/{userId}/{keyName}'),
  auth: 'optional-user',
  rateLimit: 'read',
  handler: ({ requester, params }, { profile }) =>
    profile.getField(params['userId']!, params['keyName']!, requester),
})
