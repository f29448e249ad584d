import { notFound } from '../../core/errors.js'
import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#getwell-knownmatrixsupport */
export const getWellknownSupport = route({
  id: 'getWellknownSupport',
  method: 'GET',
  paths: ['/.well-known/matrix/support'],
  auth: 'none',
  async handler(_call, { nodeInfo }) {
    const answer = nodeInfo.wellKnownSupport()
    if (answer === undefined) throw notFound('This server publishes no contacts')
    return answer
  },
})
