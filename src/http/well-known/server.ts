import { notFound } from '../../core/errors.js'
import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#getwell-knownmatrixserver */
export const getWellKnown = route({
  id: 'getWellKnown',
  method: 'GET',
  paths: ['/.well-known/matrix/server'],
  auth: 'none',
  async handler(_call, { nodeInfo }) {
    const answer = nodeInfo.wellKnownServer()
    if (answer === undefined) throw notFound('This server does not delegate its name')
    return answer
  },
})
