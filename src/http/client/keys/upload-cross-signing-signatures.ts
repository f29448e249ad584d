import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keyssignaturesupload */
export const uploadCrossSigningSignatures = route({
  id: 'uploadCrossSigningSignatures',
  method: 'POST',
  paths: v3('/keys/signatures/upload'),
  auth: 'user',
  rateLimit: 'keys',
  body: 'object',
  numbers: 'exact',
  handler: ({ requester, body }, { e2ee }) => e2ee.uploadSignatures(requester.userId, body),
})
