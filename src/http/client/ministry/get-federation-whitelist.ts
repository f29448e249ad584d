import { route } from '../../route.js'
import { circleOnly } from './circle-only.js'

/** With whom this server speaks, for clients that name servers. NOTSPEC: as Synapse answers it. Only where there is a node list. */
export const getFederationWhitelist = route({
  id: 'getFederationWhitelist',
  method: 'GET',
  paths: ['/_synapse/client/v1/config/federation_whitelist'],
  auth: 'user',
  rateLimit: 'read',
  handler: (_, { nodeList }) =>
    Promise.resolve({ whitelist_enabled: true, whitelist: circleOnly(nodeList).memberNames() }),
})
