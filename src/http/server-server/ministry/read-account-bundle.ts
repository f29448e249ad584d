import { Type } from 'typebox'
import type { JsonObject } from '../../../core/json/value.js'
import { route } from '../../route.js'

/** NOTSPEC: the node to which an account moves reads what goes along with it, part by part, sealed with the key that it gave for that. */
export const readAccountBundle = route({
  id: 'readAccountBundle',
  method: 'POST',
  paths: ['/_matrix/federation/unstable/org.chancery/account_move/bundle'],
  auth: 'server',
  rateLimit: 'federation',
  maxBody: 16_384,
  body: Type.Object({
    nonce: Type.String({ maxLength: 64 }),
    place: Type.Optional(Type.Unsafe<JsonObject>(Type.Object({}))),
  }),
  handler: async ({ origin, body }, { accountMoves }) => ({
    sealed: await accountMoves.part(origin, body.nonce, body.place),
  }),
})
