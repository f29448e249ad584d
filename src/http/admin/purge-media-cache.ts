import { Type } from 'typebox'
import { adminRoute } from './admin-route.js'

/** Deletes copies of other servers' media that nobody has used since a time (milliseconds since 1970); they can be fetched again. */
export const adminPurgeMediaCache = adminRoute({
  id: 'adminPurgeMediaCache',
  method: 'POST',
  paths: ['/_synapse/admin/v1/purge_media_cache'],
  rateLimit: 'write',
  query: Type.Object({ before_ts: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }) }),
  handler: async ({ query }, { media }) => ({ deleted: await media.evictRemoteBefore(query.before_ts) }),
})
