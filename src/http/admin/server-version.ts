import { route } from '../route.js'

/** Before they log in, tools ask what they talk to. NOTSPEC: Synapse says it to everybody; the specification's `/version` does too. */
export const adminServerVersion = route({
  id: 'adminServerVersion',
  method: 'GET',
  paths: ['/_synapse/admin/v1/server_version'],
  auth: 'none',
  rateLimit: 'public',
  handler: (_call, { nodeInfo }) => Promise.resolve({ server_version: `Chancery ${nodeInfo.about.version}` }),
})
