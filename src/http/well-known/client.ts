import { notFound } from '../../core/errors.js'
import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#getwell-knownmatrixclient */
export const getWellknown = route({
  id: 'getWellknown',
  method: 'GET',
  paths: ['/.well-known/matrix/client'],
  auth: 'none',
  async handler(_call, { nodeInfo }) {
    const answer = nodeInfo.wellKnownClient()
    if (answer === undefined) throw notFound('This server does not publish its address')
    return answer
  },
})
