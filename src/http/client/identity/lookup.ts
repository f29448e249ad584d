import { Type } from 'typebox'
import { MAX_HASHES } from '../../../services/member-identity/member-identity.js'
import { route } from '../../route.js'
import { Short } from '../../validate.js'
import { asker, offered } from './offered.js'

/** What a look-up asks, of a client or of a member. */
export const LookupBody = Type.Object({
  addresses: Type.Array(Short, { maxItems: MAX_HASHES }),
  algorithm: Short,
  pepper: Short,
})

/** SPEC: https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2hash_details */
export const getHashDetails = route({
  id: 'getHashDetails',
  method: 'GET',
  paths: ['/_matrix/identity/v2/hash_details'],
  auth: 'none',
  rateLimit: 'public',
  async handler({ request }, { memberIdentity, openId }) {
    const members = offered(memberIdentity)
    await asker(request, openId)
    return members.hashDetails()
  },
})

/** Users of all member servers. SPEC: https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2lookup */
export const lookupUsers = route({
  id: 'lookupUsers',
  method: 'POST',
  paths: ['/_matrix/identity/v2/lookup'],
  auth: 'none',
  rateLimit: 'login',
  maxBody: 256 * 1024,
  body: LookupBody,
  async handler({ request, body }, { memberIdentity, openId }) {
    const members = offered(memberIdentity)
    await asker(request, openId)
    const { addresses: hashes, algorithm, pepper } = body
    return { mappings: await members.lookupHashes({ hashes, algorithm, pepper }) }
  },
})
