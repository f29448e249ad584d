import { adminRoute } from './admin-route.js'

/** From where somebody's devices were seen; as the specification's `/admin/whois`. */
export const adminWhois = adminRoute({
  id: 'adminWhois',
  method: 'GET',
  paths: ['/_synapse/admin/v1/whois/{userId}'],
  rateLimit: 'read',
  handler: ({ params }, { accounts }) => accounts.moderation.whois(params['userId']!),
})
