import { Type } from 'typebox'
import { route, v1, v3, type Reply } from '../../route.js'
import { MatrixError } from '../../../core/errors.js'
import { htmlPage } from '../page.js'

const RedirectQuery = Type.Object({
  redirectUrl: Type.String({ maxLength: 16_384 }),
  action: Type.Optional(Type.Enum(['login', 'register'])),
})

/**
 * A browser is sent here, so that a person reads the answer. `GET /login` offers no `m.login.sso`.
 * TODO: redirect to the provider, once sign-on by other providers is there.
 */
const noProvider = (): Reply =>
  htmlPage({
    status: 404,
    title: 'Not offered',
    content:
      '<p>This server has no log-in through another provider. Please use a user name and a password.</p>',
  })

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3loginssoredirect */
export const redirectToSso = route({
  id: 'redirectToSSO',
  method: 'GET',
  paths: v3('/login/sso/redirect'),
  auth: 'none',
  rateLimit: 'public',
  query: RedirectQuery,
  handler: () => Promise.resolve(noProvider()),
})

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3loginssoredirectidpid */
export const redirectToIdp = route({
  id: 'redirectToIdP',
  method: 'GET',
  paths: v3('/login/sso/redirect/{idpId}'),
  auth: 'none',
  rateLimit: 'public',
  query: RedirectQuery,
  handler: () => Promise.resolve(noProvider()),
})

/**
 * The OAuth 2.0 API is not there, which clients take from this answer.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#authentication-api-discovery
 */
export const getAuthMetadata = route({
  id: 'getAuthMetadata',
  method: 'GET',
  paths: v1('/auth_metadata'),
  auth: 'none',
  rateLimit: 'public',
  handler: () => Promise.reject(new MatrixError('M_UNRECOGNIZED', 'The OAuth 2.0 API is not offered')),
})
