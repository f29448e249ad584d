import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/application-service-api/#put_matrixclientv3directorylistappservicenetworkidroomid */
export const updateAppserviceRoomDirectoryVisibility = route({
  id: 'updateAppserviceRoomDirectoryVisibility',
  method: 'PUT',
  paths: v3('/directory/list/appservice/{networkId}/{roomId}'),
  auth: 'appservice',
  rateLimit: 'write',
  maxBody: 64 * 1024,
  body: Type.Object({ visibility: Type.Enum(['public', 'private']) }),
  async handler({ requester, params, body }, { publicRooms }) {
    await publicRooms.setNetworkVisibility(
      requester,
      params['networkId']!,
      params['roomId']!,
      body.visibility,
    )
    return {}
  },
})
