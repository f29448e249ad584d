import { Type } from 'typebox'
import { offered } from '../../client/identity/offered.js'
import { route } from '../../route.js'

/**
 * Whether the key of an invitation counts: as long as the invitation does. There are no other keys, so that both questions are one.
 * SPEC: https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2pubkeyephemeralisvalid
 * SPEC: https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2pubkeyisvalid
 */
export const isInviteKeyValid = route({
  id: 'isInviteKeyValid',
  method: 'GET',
  paths: ['/_matrix/identity/v2/pubkey/ephemeral/isvalid', '/_matrix/identity/v2/pubkey/isvalid'],
  auth: 'none',
  rateLimit: 'public',
  query: Type.Object({ public_key: Type.String({ maxLength: 100 }) }),
  handler: async ({ query }, { memberIdentity }) => ({
    valid: await offered(memberIdentity).invites.isKeyValid(query.public_key),
  }),
})
