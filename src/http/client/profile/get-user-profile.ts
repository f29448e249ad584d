import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3profileuserid */
export const getUserProfile = route({
  id: 'getUserProfile',
  method: 'GET',
  paths: v3('/profile/{userId}'),
  auth: 'optional-user',
  rateLimit: 'read',
  handler: ({ requester, params }, { profile }) => profile.get(params['userId']!, requester),
})
