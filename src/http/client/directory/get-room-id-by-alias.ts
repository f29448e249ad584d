import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3directoryroomroomalias */
export const getRoomIdByAlias = route({
  id: 'getRoomIdByAlias',
  method: 'GET',
  paths: v3('/directory/room/{roomAlias}'),
  auth: 'none',
  rateLimit: 'read',
  handler: ({ params }, { aliases }) => aliases.resolve(params['roomAlias']!),
})
