import { Type } from 'typebox'
import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1hierarchyroomid */
export const getSpaceHierarchy = route({
  id: 'getSpaceHierarchy',
  method: 'GET',
  paths: ['/_matrix/federation/v1/hierarchy/{roomId}'],
  auth: 'server',
  rateLimit: 'federation',
  query: Type.Object({ suggested_only: Type.Optional(Type.Boolean()) }),
  handler: ({ origin, params, query }, { spaces }) =>
    spaces.serving.hierarchy(origin, params['roomId']!, query.suggested_only ?? false),
})
