import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload */
export const uploadCrossSigningKeys = route({
  id: 'uploadCrossSigningKeys',
  method: 'POST',
  // No unstable path: clients that try it first take its 404 as the sign that this one exists.
  paths: v3('/keys/device_signing/upload'),
  auth: 'user',
  rateLimit: 'keys',
  maxBody: 256 * 1024,
  body: 'object',
  numbers: 'exact',
  handler: ({ requester, body, request }, { e2ee }) => e2ee.uploadCrossSigning(requester, body, request.ip),
})
