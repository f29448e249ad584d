import { route } from '../../route.js'

/** NOTSPEC: MSC3814. */
export const putDehydratedDevice = route({
  id: 'putDehydratedDevice',
  method: 'PUT',
  paths: ['/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device'],
  auth: 'user',
  rateLimit: 'keys',
  // Signed objects: no number may be rounded on the way.
  body: 'object',
  numbers: 'exact',
  handler: ({ requester, body }, { dehydratedDevices }) => dehydratedDevices.put(requester, body),
})
