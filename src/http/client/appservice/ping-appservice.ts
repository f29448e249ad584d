import { Type } from 'typebox'
import { route, v1 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/application-service-api/#post_matrixclientv1appserviceappserviceidping */
export const pingAppservice = route({
  id: 'pingAppservice',
  method: 'POST',
  // The unstable name is that of MSC2659.
  paths: [
    ...v1('/appservice/{appserviceId}/ping'),
    '/_matrix/client/unstable/fi.mau.msc2659/appservice/{appserviceId}/ping',
  ],
  auth: 'appservice',
  rateLimit: 'write',
  maxBody: 64 * 1024,
  body: Type.Object({ transaction_id: Type.Optional(Type.String({ maxLength: 255 })) }),
  handler: ({ requester, params, body }, { appservices }) =>
    appservices.ping(requester, params['appserviceId']!, body.transaction_id),
})
