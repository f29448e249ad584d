import { route, unstable, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload */
export const uploadCrossSigningKeys = route({
  id: 'uploadCrossSigningKeys',
  method: 'POST',
  // Clients on older releases of matrix-js-sdk know the unstable path alone, and newer ones still try it first.
  paths: [...v3('/keys/device_signing/upload'), ...unstable('/keys/device_signing/upload')],
  auth: 'user',
  rateLimit: 'keys',
  maxBody: 256 * 1024,
  body: 'object',
  numbers: 'exact',
  handler: ({ requester, body, request }, { e2ee }) => e2ee.uploadCrossSigning(requester, body, request.ip),
})
