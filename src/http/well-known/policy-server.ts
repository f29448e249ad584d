import { notFound } from '../../core/errors.js'
import { route } from '../route.js'

/**
 * The key of a policy server that stands under this server's name, for whoever wants it to watch over a room.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#getwell-knownmatrixpolicy_server
 */
export const getWellknownPolicy = route({
  id: 'getWellknownPolicy',
  method: 'GET',
  paths: ['/.well-known/matrix/policy_server'],
  auth: 'none',
  async handler(_call, { nodeInfo }) {
    const answer = nodeInfo.wellKnownPolicyServer()
    if (answer === undefined) throw notFound('There is no policy server of this name')
    return answer
  },
})
