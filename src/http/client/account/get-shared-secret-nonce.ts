import { route } from '../../route.js'

/** Not of the Matrix specification: what operators' registration scripts ask first. */
export const getSharedSecretNonce = route({
  id: 'getSharedSecretNonce',
  method: 'GET',
  paths: ['/_synapse/admin/v1/register'],
  auth: 'none',
  rateLimit: 'public',
  // oxlint-disable-next-line typescript/require-await
  handler: async (_call, { accounts }) => ({ nonce: accounts.sharedSecret.nonce() }),
})
