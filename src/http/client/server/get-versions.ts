import { route } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientversions */
export const getVersions = route({
  id: 'getVersions',
  method: 'GET',
  paths: ['/_matrix/client/versions'],
  // Nothing in the answer depends on who asks, and a client with an expired token must still get it.
  auth: 'none',
  handler: (_call, { serverInfo }) => Promise.resolve(serverInfo.versions()),
})
