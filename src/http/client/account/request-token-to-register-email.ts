import { route, v3 } from '../../route.js'
import { EmailRequestBody, emailRequest } from './email-request-body.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registeremailrequesttoken */
export const requestTokenToRegisterEmail = route({
  id: 'requestTokenToRegisterEmail',
  method: 'POST',
  paths: v3('/register/email/requestToken'),
  auth: 'none',
  rateLimit: 'registration',
  maxBody: 64 * 1024,
  body: EmailRequestBody,
  handler: ({ body }, { accounts }) => accounts.registration.requestEmail(emailRequest(body)),
})
