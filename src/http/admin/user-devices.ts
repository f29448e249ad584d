import { adminActor } from '../../core/audit/acts.js'
import { Type } from 'typebox'
import { reply } from '../route.js'
import { Short } from '../validate.js'
import { adminRoute } from './admin-route.js'

const path = '/_synapse/admin/v2/users/{userId}/devices'

/** Somebody's devices. */
export const adminListDevices = adminRoute({
  id: 'adminListDevices',
  method: 'GET',
  paths: [path],
  rateLimit: 'read',
  async handler({ params }, { administration }) {
    const devices = await administration.userData.devices(params['userId']!)
    return { devices, total: devices.length }
  },
})

/** Makes a device without a session, as for bots whose tokens are made elsewhere. */
export const adminCreateDevice = adminRoute({
  id: 'adminCreateDevice',
  method: 'POST',
  paths: [path],
  rateLimit: 'write',
  body: Type.Object({ device_id: Short }),
  async handler({ params, body }, { administration, devices }) {
    await administration.users.checkExists(params['userId']!)
    await devices.createOrRename(params['userId']!, body.device_id, undefined)
    return reply({ status: 201, body: {} })
  },
})

/** Ends sessions, with all that the devices have. */
export const adminDeleteDevices = adminRoute({
  id: 'adminDeleteDevices',
  method: 'POST',
  paths: ['/_synapse/admin/v2/users/{userId}/delete_devices'],
  rateLimit: 'write',
  body: Type.Object({ devices: Type.Array(Short, { maxItems: 1_000 }) }),
  async handler({ requester, params, body }, { administration, devices }) {
    await administration.users.checkExists(params['userId']!)
    await devices.delete(params['userId']!, body.devices, adminActor(requester.userId))
    return {}
  },
})
