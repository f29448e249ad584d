import { adminActor } from '../../core/audit/acts.js'
import { Type } from 'typebox'
import { adminRoute } from './admin-route.js'

const path = '/_synapse/admin/v2/users/{userId}/devices/{deviceId}'

/** One device. */
export const adminGetDevice = adminRoute({
  id: 'adminGetDevice',
  method: 'GET',
  paths: [path],
  rateLimit: 'read',
  handler: ({ params }, { administration }) =>
    administration.userData.device(params['userId']!, params['deviceId']!),
})

/** Names a device. */
export const adminPutDevice = adminRoute({
  id: 'adminPutDevice',
  method: 'PUT',
  paths: [path],
  rateLimit: 'write',
  body: Type.Object({ display_name: Type.Optional(Type.String({ maxLength: 1_000 })) }),
  async handler({ params, body }, { administration, devices }) {
    await administration.users.checkExists(params['userId']!)
    await devices.rename(params['userId']!, params['deviceId']!, body.display_name)
    return {}
  },
})

/** Ends the session of a device. One that is not there is gone already. */
export const adminDeleteDevice = adminRoute({
  id: 'adminDeleteDevice',
  method: 'DELETE',
  paths: [path],
  rateLimit: 'write',
  async handler({ requester, params }, { administration, devices }) {
    await administration.users.checkExists(params['userId']!)
    await devices.delete(params['userId']!, [params['deviceId']!], adminActor(requester.userId))
    return {}
  },
})
