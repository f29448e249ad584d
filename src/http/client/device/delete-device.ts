import { Type } from 'typebox'
import { route, v3 } from '../../route.js'
import { AuthData, json } from '../auth-data.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3devicesdeviceid */
export const deleteDevice = route({
  id: 'deleteDevice',
  method: 'DELETE',
  paths: v3('/devices/{deviceId}'),
  auth: 'user',
  rateLimit: 'write',
  maxBody: 64 * 1024,
  body: Type.Object({ auth: AuthData }),
  async handler({ requester, params, body, request }, { accounts, devices }) {
    const deviceId = params['deviceId']!
    if (requester.appserviceId === undefined) {
      await accounts.credentials.confirm({
        userId: requester.userId,
        operation: 'deleteDevice',
        auth: json(body.auth),
        bound: deviceId,
        ip: request.ip,
      })
    }
    await devices.delete(requester.userId, [deviceId])
    return {}
  },
})
