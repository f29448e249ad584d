import { route, v3 } from '../../route.js'
import { EmailRequestBody, emailRequest } from './email-request-body.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpasswordemailrequesttoken */
export const requestTokenToResetPasswordEmail = route({
  id: 'requestTokenToResetPasswordEmail',
  method: 'POST',
  paths: v3('/account/password/email/requestToken'),
  auth: 'none',
  rateLimit: 'registration',
  maxBody: 64 * 1024,
  body: EmailRequestBody,
  handler: ({ body }, { threepids }) => threepids.requestEmail('reset', emailRequest(body)),
})
