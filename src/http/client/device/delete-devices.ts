import { Type } from 'typebox'
import { route, v3 } from '../../route.js'
import { AuthData, json } from '../auth-data.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3delete_devices */
export const deleteDevices = route({
  id: 'deleteDevices',
  method: 'POST',
  paths: v3('/delete_devices'),
  auth: 'user',
  rateLimit: 'write',
  body: Type.Object({ devices: Type.Array(Type.String(), { maxItems: 1_000 }), auth: AuthData }),
  async handler({ requester, body, request }, { accounts, devices }) {
    if (requester.appserviceId === undefined) {
      await accounts.credentials.confirm({
        userId: requester.userId,
        operation: 'deleteDevices',
        auth: json(body.auth),
        bound: body.devices,
        ip: request.ip,
      })
    }
    await devices.delete(requester.userId, body.devices)
    return {}
  },
})
