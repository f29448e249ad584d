import { Type } from 'typebox'
import { adminRoute } from './admin-route.js'
import { knownToken, TOKEN_BOUNDS, tokenBody } from './registration-token.js'

/** All tokens; `valid`: only those that somebody could register with now, or only the others. */
export const adminListRegistrationTokens = adminRoute({
  id: 'adminListRegistrationTokens',
  method: 'GET',
  paths: ['/_synapse/admin/v1/registration_tokens'],
  rateLimit: 'read',
  query: Type.Object({ valid: Type.Optional(Type.Boolean()) }),
  async handler({ query: { valid } }, { accounts }) {
    const tokens = await accounts.registrationTokens.list()
    const wanted = valid === undefined ? tokens : tokens.filter((token) => token.isValid === valid)
    return { registration_tokens: wanted.map(tokenBody) }
  },
})

/** Makes a token; one of `length` characters is chosen where none is given. */
export const adminCreateRegistrationToken = adminRoute({
  id: 'adminCreateRegistrationToken',
  method: 'POST',
  paths: ['/_synapse/admin/v1/registration_tokens/new'],
  rateLimit: 'write',
  body: Type.Object({
    ...TOKEN_BOUNDS,
    token: Type.Optional(Type.Union([Type.String({ maxLength: 64 }), Type.Null()])),
    length: Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum: 64 }), Type.Null()])),
  }),
  async handler({ body }, { accounts }) {
    const { token, length, uses_allowed: uses, expiry_time: expires } = body
    const made = await accounts.registrationTokens.create({
      ...(typeof token === 'string' ? { token } : {}),
      ...(typeof length === 'number' ? { length } : {}),
      ...(typeof uses === 'number' ? { usesAllowed: uses } : {}),
      ...(typeof expires === 'number' ? { expiresTs: expires } : {}),
    })
    return tokenBody(await knownToken(accounts, made))
  },
})
