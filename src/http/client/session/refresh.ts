import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh */
export const refresh = route({
  id: 'refresh',
  method: 'POST',
  paths: v3('/refresh'),
  // The refresh token is the credential. No limit by address: a ministry's clients refresh behind one address, and
  // a token of 238 bits is not guessed.
  auth: 'none',
  rateLimit: 'public',
  maxBody: 64 * 1024,
  body: Type.Object({ refresh_token: Type.String() }),
  handler: ({ body }, { accounts }) => accounts.sessions.refresh(body.refresh_token),
})
