import { Type } from 'typebox'
import { MatrixError } from '../../../core/errors.js'
import { route, v3 } from '../../route.js'

/**
 * TODO: keep the list of each network, once application services are served; until then no token is that of one.
 * SPEC: https://spec.matrix.org/v1.19/application-service-api/#put_matrixclientv3directorylistappservicenetworkidroomid
 */
export const updateAppserviceRoomDirectoryVisibility = route({
  id: 'updateAppserviceRoomDirectoryVisibility',
  method: 'PUT',
  paths: v3('/directory/list/appservice/{networkId}/{roomId}'),
  auth: 'appservice',
  rateLimit: 'write',
  maxBody: 64 * 1024,
  body: Type.Object({ visibility: Type.Enum(['public', 'private']) }),
  handler: () =>
    Promise.reject(new MatrixError('M_UNRECOGNIZED', 'Lists of application services are not served yet')),
})
