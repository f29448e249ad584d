import { Type, type Static } from 'typebox'
import type { EmailRequest } from '../../../services/threepids/threepids.js'

/** What the three requests for a mail have in common. `id_server` is ignored: addresses are proved by this server itself. */
export const EmailRequestBody = Type.Object({
  client_secret: Type.String({ maxLength: 1_024 }),
  email: Type.String({ maxLength: 1_024 }),
  send_attempt: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  next_link: Type.Optional(Type.String({ maxLength: 16_384 })),
})

export const emailRequest = (body: Static<typeof EmailRequestBody>): EmailRequest => ({
  email: body.email,
  clientSecret: body.client_secret,
  sendAttempt: body.send_attempt,
  nextLink: body.next_link,
})
