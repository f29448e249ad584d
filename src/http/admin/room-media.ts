import { mxcUri } from '../../services/media/mxc.js'
import { adminRoute } from './admin-route.js'

/** Media that the events of a room name openly. */
export const adminRoomMedia = adminRoute({
  id: 'adminRoomMedia',
  method: 'GET',
  paths: ['/_synapse/admin/v1/room/{roomId}/media'],
  rateLimit: 'read',
  async handler({ params }, { administration, media }) {
    const keys = await administration.roomMedia.of(params['roomId']!)
    const uris = (isLocal: boolean): string[] =>
      keys
        .filter(([origin]) => (origin === media.serverName) === isLocal)
        .map(([origin, id]) => mxcUri(origin, id))
    return { local: uris(true), remote: uris(false) }
  },
})

/** The same go into quarantine. */
export const adminQuarantineRoomMedia = adminRoute({
  id: 'adminQuarantineRoomMedia',
  method: 'POST',
  paths: [
    '/_synapse/admin/v1/room/{roomId}/media/quarantine',
    '/_synapse/admin/v1/quarantine_media/{roomId}',
  ],
  rateLimit: 'write',
  async handler({ requester, params }, { administration, media }) {
    const keys = await administration.roomMedia.of(params['roomId']!)
    return { num_quarantined: await media.moderation.quarantine(keys, requester.userId) }
  },
})
