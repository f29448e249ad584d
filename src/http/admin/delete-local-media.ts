import { Type } from 'typebox'
import { adminActor } from '../../core/audit/acts.js'
import { invalidParam } from '../../core/errors.js'
import { adminRoute } from './admin-route.js'

const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
/** Ids that an answer names; `total` counts all. */
const MAX_NAMED = 10_000

/**
 * Deletes files of this server's users that nobody has used since a moment, or only the larger ones. What is under a legal hold stays. Answers when it is
 * done.
 */
export const adminDeleteLocalMedia = adminRoute({
  id: 'adminDeleteLocalMedia',
  method: 'POST',
  paths: ['/_synapse/admin/v1/media/delete', '/_synapse/admin/v1/media/{serverName}/delete'],
  rateLimit: 'write',
  query: Type.Object({
    before_ts: Count,
    size_gt: Type.Optional(Count),
    keep_profiles: Type.Optional(Type.Boolean()),
  }),
  async handler({ requester, params, query }, { media, retention }) {
    const serverName = params['serverName'] ?? media.serverName
    if (serverName !== media.serverName)
      throw invalidParam('Media of other servers are only a copy: purge_media_cache deletes them')
    const gone = await retention.deleteMedia({
      before: query.before_ts,
      largerThan: query.size_gt ?? 0,
      keepPictures: query.keep_profiles ?? true,
      by: adminActor(requester.userId),
    })
    return { deleted_media: gone.slice(0, MAX_NAMED), total: gone.length }
  },
})
