import { Type } from 'typebox'
import { route } from '../../route.js'

const PATH = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{deviceId}/events'
const TOKEN = Type.String({ maxLength: 64 })

/** NOTSPEC: MSC3814 as its text is now: the last page has no token. */
export const getDehydratedDeviceEvents = route({
  id: 'getDehydratedDeviceEvents',
  method: 'GET',
  paths: [PATH],
  auth: 'user',
  rateLimit: 'keys',
  query: Type.Object({ from: Type.Optional(TOKEN) }),
  async handler({ requester, params, query }, { dehydratedDevices }) {
    const { more, events, next_batch } = await dehydratedDevices.events(
      requester,
      params['deviceId']!,
      query.from,
    )
    return more ? { events, next_batch } : { events }
  },
})

/** NOTSPEC: MSC3814 as the SDKs speak it: they ask until a page is empty, and every page must have a token. */
export const postDehydratedDeviceEvents = route({
  id: 'postDehydratedDeviceEvents',
  method: 'POST',
  paths: [PATH],
  auth: 'user',
  rateLimit: 'keys',
  body: Type.Object({ next_batch: Type.Optional(Type.Union([TOKEN, Type.Null()])) }),
  async handler({ requester, params, body }, { dehydratedDevices }) {
    const { events, next_batch } = await dehydratedDevices.events(
      requester,
      params['deviceId']!,
      body.next_batch ?? undefined,
    )
    return { events, next_batch }
  },
})
