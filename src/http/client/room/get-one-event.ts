import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3eventseventid */
export const getOneEvent = route({
  id: 'getOneEvent',
  method: 'GET',
  paths: v3('/events/{eventId}'),
  auth: 'guest',
  rateLimit: 'read',
  handler: ({ requester, params }, { history }) => history.eventAnywhere(requester, params['eventId']!),
})
