import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1exchange_third_party_inviteroomid */
export const exchangeThirdPartyInvite = route({
  id: 'exchangeThirdPartyInvite',
  method: 'PUT',
  paths: ['/_matrix/federation/v1/exchange_third_party_invite/{roomId}'],
  auth: 'server',
  rateLimit: 'invite',
  body: 'object',
  numbers: 'exact',
  maxBody: 64 * 1024,
  async handler({ origin, params, body }, { thirdPartyInvites }) {
    await thirdPartyInvites.exchange(origin, params['roomId']!, body)
    return {}
  },
})
