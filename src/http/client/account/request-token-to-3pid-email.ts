import { route, v3 } from '../../route.js'
import { EmailRequestBody, emailRequest } from './email-request-body.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidemailrequesttoken */
export const requestTokenTo3PIDEmail = route({
  id: 'requestTokenTo3PIDEmail',
  method: 'POST',
  paths: v3('/account/3pid/email/requestToken'),
  auth: 'none',
  rateLimit: 'registration',
  maxBody: 64 * 1024,
  body: EmailRequestBody,
  handler: ({ body }, { threepids }) => threepids.requestEmail('add', emailRequest(body)),
})
