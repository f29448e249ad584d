import { Type } from 'typebox'
import type { JsonObject } from '../../../core/json/value.js'
import { route } from '../../route.js'

/**
 * NOTSPEC: a member node offers an account that moves to this one, with a certificate that it has signed. Gives the certificate with this node's signature, and a
 * key for the bundle, also signed.
 */
export const offerAccountMove = route({
  id: 'offerAccountMove',
  method: 'POST',
  paths: ['/_matrix/federation/unstable/org.chancery/account_move/offer'],
  auth: 'server',
  rateLimit: 'federation',
  maxBody: 16_384,
  numbers: 'exact',
  body: Type.Object({ certificate: Type.Unsafe<JsonObject>(Type.Object({})) }),
  handler: ({ origin, body }, { accountMoves }) => accountMoves.offer(origin, body.certificate),
})
