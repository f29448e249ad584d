import { Type } from 'typebox'
import { reply, route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3devicesdeviceid */
export const updateDevice = route({
  id: 'updateDevice',
  method: 'PUT',
  paths: v3('/devices/{deviceId}'),
  auth: 'guest',
  rateLimit: 'write',
  body: Type.Object({ display_name: Type.Optional(Type.String()) }),
  async handler({ requester, params, body }, { devices }) {
    const deviceId = params['deviceId']!
    if (requester.appserviceId === undefined) {
      await devices.rename(requester.userId, deviceId, body.display_name)
      return {}
    }
    const created = await devices.createOrRename(requester.userId, deviceId, body.display_name)
    return reply({ status: created ? 201 : 200, body: {} })
  },
})
