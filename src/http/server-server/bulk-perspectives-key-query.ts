import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#post_matrixkeyv2query */
export const bulkPerspectivesKeyQuery = route({
  id: 'bulkPerspectivesKeyQuery',
  method: 'POST',
  paths: ['/_matrix/key/v2/query'],
  auth: 'none',
  rateLimit: 'federation',
  body: 'object',
  handler: ({ body }, { notary }) => notary.queryMany(body),
})
