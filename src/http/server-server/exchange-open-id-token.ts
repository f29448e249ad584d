import { Type } from 'typebox'
import { MatrixError } from '../../core/errors.js'
import { route } from '../route.js'

/** The token is the proof: the request is not signed. SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1openiduserinfo */
export const exchangeOpenIdToken = route({
  id: 'exchangeOpenIdToken',
  method: 'GET',
  paths: ['/_matrix/federation/v1/openid/userinfo'],
  auth: 'none',
  rateLimit: 'public',
  query: Type.Object({ access_token: Type.Optional(Type.String({ maxLength: 1_024 })) }),
  async handler({ query }, { openId }) {
    if (query.access_token === undefined) throw new MatrixError('M_MISSING_TOKEN', 'Missing access_token')
    return { sub: await openId.userOf(query.access_token) }
  },
})
