import { notFound } from '../../core/errors.js'
import { adminRoute } from './admin-route.js'
import { mediumBody } from './media-body.js'

const path = '/_synapse/admin/v1/media/{serverName}/{mediaId}'

/** One medium that is kept here, of this server or another. */
export const adminGetMedium = adminRoute({
  id: 'adminGetMedium',
  method: 'GET',
  paths: [path],
  rateLimit: 'read',
  async handler({ params }, { media }) {
    const row = await media.moderation.info(params['serverName']!, params['mediaId']!)
    return {
      media_info: { ...mediumBody(row), media_origin: row.origin, sha256: row.sha256, url_cache: null },
    }
  },
})

/** Deletes a medium of this server, and its bytes where nothing else has them. */
export const adminDeleteMedium = adminRoute({
  id: 'adminDeleteMedium',
  method: 'DELETE',
  paths: [path],
  rateLimit: 'write',
  async handler({ params }, { media }) {
    const serverName = params['serverName']!
    if (serverName !== media.serverName)
      throw notFound('Media of other servers are only a copy: purge_media_cache deletes them')
    const gone = await media.moderation.removeAll([[serverName, params['mediaId']!]])
    if (gone.length === 0) throw notFound('There is no such medium')
    return { deleted_media: gone, total: gone.length }
  },
})
