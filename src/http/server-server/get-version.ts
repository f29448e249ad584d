import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1version */
export const getVersion = route({
  id: 'getVersion',
  method: 'GET',
  paths: ['/_matrix/federation/v1/version'],
  auth: 'none',
  rateLimit: 'public',
  handler: (_call, { nodeInfo }) =>
    Promise.resolve({ server: { name: 'Chancery', version: nodeInfo.about.version } }),
})
