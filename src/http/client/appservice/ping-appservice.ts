import { Type } from 'typebox'
import { forbidden, MatrixError } from '../../../core/errors.js'
import { route, v1 } from '../../route.js'

/**
 * TODO: call the application service, once their addresses are configured; until then no token is that of one.
 * SPEC: https://spec.matrix.org/v1.19/application-service-api/#post_matrixclientv1appserviceappserviceidping
 */
export const pingAppservice = route({
  id: 'pingAppservice',
  method: 'POST',
  paths: v1('/appservice/{appserviceId}/ping'),
  auth: 'appservice',
  rateLimit: 'write',
  maxBody: 64 * 1024,
  body: Type.Object({ transaction_id: Type.Optional(Type.String({ maxLength: 255 })) }),
  handler({ requester, params }) {
    if (requester.appserviceId !== params['appserviceId'])
      return Promise.reject(forbidden('The access token is not that of this application service'))
    return Promise.reject(
      new MatrixError('M_URL_NOT_SET', 'The application service has no address configured', {}, 400),
    )
  },
})
