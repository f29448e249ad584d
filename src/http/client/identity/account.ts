import { Type } from 'typebox'
import { MatrixError } from '../../../core/errors.js'
import { route } from '../../route.js'
import { requestToken } from '../session/request-token.js'
import { asker, offered } from './offered.js'

const ROOT = '/_matrix/identity/v2'

/** Whether there is an identity server. SPEC: https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2 */
export const pingIdentity = route({
  id: 'pingIdentityService',
  method: 'GET',
  paths: [ROOT],
  auth: 'none',
  rateLimit: 'public',
  handler(_, { memberIdentity }) {
    offered(memberIdentity)
    return Promise.resolve({})
  },
})

/** SPEC: https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityversions */
export const getIdentityVersions = route({
  id: 'getIdentityVersions',
  method: 'GET',
  paths: ['/_matrix/identity/versions'],
  auth: 'none',
  rateLimit: 'public',
  handler(_, { memberIdentity }) {
    offered(memberIdentity)
    return Promise.resolve({ versions: ['r0.3.0', 'v1.1', 'v1.19'] })
  },
})

/**
 * A user of this server shows who they are; the token that proves it is the one to go on with.
 * SPEC: https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2accountregister
 * NOTSPEC: users of other servers ask their own, which asks this one.
 */
export const registerIdentityAccount = route({
  id: 'registerIdentityAccount',
  method: 'POST',
  paths: [`${ROOT}/account/register`],
  auth: 'none',
  rateLimit: 'public',
  maxBody: 16 * 1024,
  body: Type.Object({
    access_token: Type.String({ maxLength: 1_024 }),
    matrix_server_name: Type.String({ maxLength: 255 }),
    token_type: Type.Optional(Type.String({ maxLength: 20 })),
    expires_in: Type.Optional(Type.Integer()),
  }),
  async handler({ body }, { memberIdentity, openId }) {
    offered(memberIdentity)
    const refused = new MatrixError('M_UNAUTHORIZED', 'This token proves nobody of this server', {}, 401)
    const userId = await openId.userOf(body.access_token).catch((error: unknown) => {
      throw error instanceof MatrixError ? refused : error
    })
    if (!userId.endsWith(`:${body.matrix_server_name}`)) throw refused
    return { token: body.access_token, access_token: body.access_token }
  },
})

/** SPEC: https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2account */
export const getIdentityAccount = route({
  id: 'getIdentityAccount',
  method: 'GET',
  paths: [`${ROOT}/account`],
  auth: 'none',
  rateLimit: 'public',
  async handler({ request }, { memberIdentity, openId }) {
    offered(memberIdentity)
    return { user_id: await asker(request, openId) }
  },
})

/** The token is void at once. SPEC: https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2accountlogout */
export const logOutOfIdentity = route({
  id: 'logOutOfIdentity',
  method: 'POST',
  paths: [`${ROOT}/account/logout`],
  auth: 'none',
  rateLimit: 'public',
  async handler({ request }, { memberIdentity, openId }) {
    offered(memberIdentity)
    await asker(request, openId)
    await openId.revoke(requestToken(request) ?? '')
    return {}
  },
})

/** There is nothing to agree to. SPEC: https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2terms */
export const getIdentityTerms = route({
  id: 'getIdentityTerms',
  method: 'GET',
  paths: [`${ROOT}/terms`],
  auth: 'none',
  rateLimit: 'public',
  handler(_, { memberIdentity }) {
    offered(memberIdentity)
    return Promise.resolve({ policies: {} })
  },
})
