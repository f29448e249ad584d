import { Type } from 'typebox'
import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixkeyv2queryservername */
export const perspectivesKeyQuery = route({
  id: 'perspectivesKeyQuery',
  method: 'GET',
  paths: ['/_matrix/key/v2/query/{serverName}', '/_matrix/key/v2/query/{serverName}/{keyId}'],
  auth: 'none',
  rateLimit: 'federation',
  query: Type.Object({ minimum_valid_until_ts: Type.Optional(Type.Integer()) }),
  handler: ({ params, query }, { notary }) =>
    notary.queryServer(params['serverName']!, query.minimum_valid_until_ts),
})
