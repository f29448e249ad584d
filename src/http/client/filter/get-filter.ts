import { route, v3 } from '../../route.js'
import { ownUserId } from '../own-account.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3useruseridfilterfilterid */
export const getFilter = route({
  id: 'getFilter',
  method: 'GET',
  paths: v3('/user/{userId}/filter/{filterId}'),
  auth: 'guest',
  rateLimit: 'read',
  handler: ({ requester, params }, { filters }) =>
    filters.get(ownUserId(requester, params), params['filterId']!),
})
