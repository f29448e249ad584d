import { adminRoute } from './admin-route.js'

const media = '/_synapse/admin/v1/media'

/** Nobody is given the medium any more, nor any other with the same bytes. */
export const adminQuarantineMedium = adminRoute({
  id: 'adminQuarantineMedium',
  method: 'POST',
  paths: [`${media}/quarantine/{serverName}/{mediaId}`],
  rateLimit: 'write',
  async handler({ requester, params }, services) {
    const key = [params['serverName']!, params['mediaId']!] as const
    await services.media.moderation.quarantine([key], requester.userId)
    return {}
  },
})

export const adminUnquarantineMedium = adminRoute({
  id: 'adminUnquarantineMedium',
  method: 'POST',
  paths: [`${media}/unquarantine/{serverName}/{mediaId}`],
  rateLimit: 'write',
  async handler({ params }, services) {
    await services.media.moderation.release(params['serverName']!, params['mediaId']!)
    return {}
  },
})

/** The quarantine of a room's or a user's media passes this one over. */
export const adminProtectMedium = adminRoute({
  id: 'adminProtectMedium',
  method: 'POST',
  paths: [`${media}/protect/{mediaId}`],
  rateLimit: 'write',
  async handler({ params }, services) {
    await services.media.moderation.protect(params['mediaId']!, true)
    return {}
  },
})

export const adminUnprotectMedium = adminRoute({
  id: 'adminUnprotectMedium',
  method: 'POST',
  paths: [`${media}/unprotect/{mediaId}`],
  rateLimit: 'write',
  async handler({ params }, services) {
    await services.media.moderation.protect(params['mediaId']!, false)
    return {}
  },
})

/** What a user of this server has uploaded. */
export const adminQuarantineUserMedia = adminRoute({
  id: 'adminQuarantineUserMedia',
  method: 'POST',
  paths: ['/_synapse/admin/v1/user/{userId}/media/quarantine'],
  rateLimit: 'write',
  async handler({ requester, params }, services) {
    const userId = params['userId']!
    await services.administration.users.checkExists(userId)
    return { num_quarantined: await services.media.moderation.quarantineOfUser(userId, requester.userId) }
  },
})
