import { route, v3 } from '../../route.js'
import { ownUserId } from '../own-account.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3useruseridfilter */
export const defineFilter = route({
  id: 'defineFilter',
  method: 'POST',
  paths: v3('/user/{userId}/filter'),
  auth: 'guest',
  rateLimit: 'write',
  maxBody: 128 * 1024,
  body: 'object',
  handler: async ({ requester, params, body }, { filters }) => ({
    filter_id: await filters.define(ownUserId(requester, params), body),
  }),
})
