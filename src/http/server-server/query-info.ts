import { MatrixError } from '../../core/errors.js'
import { route } from '../route.js'

/** Types of query beside `directory` and `profile`, which have endpoints of their own: there are none. SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1queryquerytype */
export const queryInfo = route({
  id: 'queryInfo',
  method: 'GET',
  paths: ['/_matrix/federation/v1/query/{queryType}'],
  auth: 'server',
  rateLimit: 'federation',
  handler: () =>
    Promise.reject(new MatrixError('M_UNRECOGNIZED', 'This server answers no queries of this type')),
})
