import { Type } from 'typebox'
import { notSupported } from '../../../services/threepids/threepids.js'
import { route, v3, type Route } from '../../route.js'

/**
 * NOTSPEC: this server proves no telephone numbers: it sends no text messages. Accounts have e-mail addresses instead.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidmsisdnrequesttoken
 */
const refusal = (id: string, path: string): Route =>
  route({
    id,
    method: 'POST',
    paths: v3(path),
    auth: 'none',
    rateLimit: 'registration',
    maxBody: 64 * 1024,
    body: Type.Object({
      client_secret: Type.String({ maxLength: 1_024 }),
      country: Type.String({ maxLength: 255 }),
      phone_number: Type.String({ maxLength: 255 }),
      send_attempt: Type.Integer(),
    }),
    handler: () => Promise.reject(notSupported('Telephone numbers are not supported by this server')),
  })

export const requestTokenTo3PIDMSISDN = refusal(
  'requestTokenTo3PIDMSISDN',
  '/account/3pid/msisdn/requestToken',
)
export const requestTokenToRegisterMSISDN = refusal(
  'requestTokenToRegisterMSISDN',
  '/register/msisdn/requestToken',
)
export const requestTokenToResetPasswordMSISDN = refusal(
  'requestTokenToResetPasswordMSISDN',
  '/account/password/msisdn/requestToken',
)
