import { Type } from 'typebox'
import { notFound } from '../../core/errors.js'
import type { JsonObject } from '../../core/json/value.js'
import type { Accounts } from '../../services/accounts/accounts.js'
import type { ListedToken } from '../../services/accounts/registration-tokens.js'
import { adminRoute } from './admin-route.js'

const path = '/_synapse/admin/v1/registration_tokens/{token}'
const WholeOrNull = Type.Union([Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), Type.Null()])

/** How often a token serves, and until when (milliseconds since 1970); null: without end. */
export const TOKEN_BOUNDS = {
  uses_allowed: Type.Optional(WholeOrNull),
  expiry_time: Type.Optional(WholeOrNull),
}

export const tokenBody = (token: ListedToken): JsonObject => ({
  token: token.token,
  uses_allowed: token.uses_allowed,
  pending: token.pending,
  completed: token.completed,
  expiry_time: token.expires_ts,
})

/** Throws M_NOT_FOUND. */
export async function knownToken(
  { registrationTokens }: Pick<Accounts, 'registrationTokens'>,
  name: string,
): Promise<ListedToken> {
  const token = await registrationTokens.get(name)
  if (token === undefined) throw notFound('There is no such registration token')
  return token
}

export const adminGetRegistrationToken = adminRoute({
  id: 'adminGetRegistrationToken',
  method: 'GET',
  paths: [path],
  rateLimit: 'read',
  handler: async ({ params }, { accounts }) => tokenBody(await knownToken(accounts, params['token']!)),
})

/** What is absent stays as it is. */
export const adminPutRegistrationToken = adminRoute({
  id: 'adminPutRegistrationToken',
  method: 'PUT',
  paths: [path],
  rateLimit: 'write',
  body: Type.Object(TOKEN_BOUNDS),
  async handler({ params, body }, { accounts }) {
    const wish = {
      ...(body.uses_allowed === undefined ? {} : { usesAllowed: body.uses_allowed }),
      ...(body.expiry_time === undefined ? {} : { expiresTs: body.expiry_time }),
    }
    await accounts.registrationTokens.update(params['token']!, wish)
    return tokenBody(await knownToken(accounts, params['token']!))
  },
})

export const adminDeleteRegistrationToken = adminRoute({
  id: 'adminDeleteRegistrationToken',
  method: 'DELETE',
  paths: [path],
  rateLimit: 'write',
  async handler({ params }, { operator }) {
    await operator.revokeToken(params['token']!)
    return {}
  },
})
