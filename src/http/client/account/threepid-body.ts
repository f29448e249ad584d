import { Type } from 'typebox'
import { Short } from '../../validate.js'

/** The credentials of an identity server's session. */
export const IdentityCredentials = Type.Object({
  client_secret: Short,
  id_server: Short,
  id_access_token: Type.String({ maxLength: 4_096 }),
  sid: Short,
})

/** An address that is to go. */
export const NamedThreepid = Type.Object({
  id_server: Type.Optional(Short),
  medium: Type.Enum(['email', 'msisdn']),
  address: Short,
})
