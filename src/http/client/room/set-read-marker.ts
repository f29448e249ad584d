import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

const eventId = Type.Optional(Type.String({ maxLength: 255 }))

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidreadmarkers */
export const setReadMarker = route({
  id: 'setReadMarker',
  method: 'POST',
  paths: v3('/rooms/{roomId}/read_markers'),
  auth: 'user',
  rateLimit: 'activity',
  body: Type.Object({ 'm.fully_read': eventId, 'm.read': eventId, 'm.read.private': eventId }),
  async handler({ requester, params, body }, { receipts }) {
    await receipts.setMarkers(requester, {
      roomId: params['roomId']!,
      fullyRead: body['m.fully_read'],
      read: body['m.read'],
      readPrivate: body['m.read.private'],
    })
    return {}
  },
})
