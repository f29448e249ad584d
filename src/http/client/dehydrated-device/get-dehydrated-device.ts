import { route } from '../../route.js'

/** NOTSPEC: MSC3814. */
export const getDehydratedDevice = route({
  id: 'getDehydratedDevice',
  method: 'GET',
  paths: ['/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device'],
  auth: 'user',
  rateLimit: 'keys',
  handler: ({ requester }, { dehydratedDevices }) => dehydratedDevices.get(requester),
})
