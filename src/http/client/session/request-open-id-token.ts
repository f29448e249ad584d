import { route, v3 } from '../../route.js'
import { ownUserId } from '../own-account.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3useruseridopenidrequest_token */
export const requestOpenIdToken = route({
  id: 'requestOpenIdToken',
  method: 'POST',
  paths: v3('/user/{userId}/openid/request_token'),
  auth: 'user',
  rateLimit: 'write',
  maxBody: 64 * 1024,
  body: 'object',
  handler: ({ requester, params }, { openId }) => openId.issue(ownUserId(requester, params)),
})
