import { Type } from 'typebox'
import { route } from '../../route.js'
import { Short } from '../../validate.js'

/** Not of the Matrix specification: registration by whoever knows the configured secret. */
export const registerWithSharedSecret = route({
  id: 'registerWithSharedSecret',
  method: 'POST',
  paths: ['/_synapse/admin/v1/register'],
  auth: 'none',
  rateLimit: 'public',
  maxBody: 64 * 1024,
  body: Type.Object({
    nonce: Short,
    username: Short,
    password: Type.String(),
    admin: Type.Optional(Type.Boolean()),
    user_type: Type.Optional(Type.Union([Short, Type.Null()])),
    displayname: Type.Optional(Short),
    mac: Short,
  }),
  handler: ({ body }, { accounts }) =>
    accounts.sharedSecret.register({
      nonce: body.nonce,
      username: body.username,
      password: body.password,
      admin: body.admin ?? false,
      userType: body.user_type ?? undefined,
      displayName: body.displayname,
      mac: body.mac,
    }),
})
