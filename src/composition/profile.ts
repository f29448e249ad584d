import type { JsonObject } from '../core/json/value.js'
import type { Transport } from '../services/federation/transport.js'
import { createProfile, type Profile } from '../services/profile/profile.js'
import { fetchRemoteProfile } from '../services/replication/peers/queries.js'
import type { RoomsContext } from '../services/rooms/context.js'
import { createProfileRooms, type ProfileRooms } from '../services/rooms/profile-rooms.js'

export interface ProfileParts {
  readonly profile: Profile
  readonly profileRooms: ProfileRooms
  /** What a user's member events carry. */
  memberProfile(userId: string): Promise<JsonObject>
}

/** Profiles, and their copies in the rooms of their users. */
export function buildProfile(deps: {
  readonly context: RoomsContext
  readonly transport: Pick<Transport, 'client'>
  /** Asks application services for a user who is not there. */
  makeUser(userId: string): Promise<boolean>
}): ProfileParts {
  const { context, transport } = deps
  const { store, logger, serverName } = context
  const profileRooms = createProfileRooms(context)
  const profile = createProfile({
    store,
    logger,
    serverName,
    makeUser: (userId) => deps.makeUser(userId),
    fetchRemoteProfile: (userId, field) => fetchRemoteProfile(transport.client, userId, field),
    onProfileChanged: (userId, field) => profileRooms.propagate(userId, field, () => memberProfile(userId)),
  })
  const memberProfile = async (userId: string): Promise<JsonObject> => ({
    ...(await store.read('profile.member', () => profile.memberFields(userId))),
  })
  return { profile, profileRooms, memberProfile }
}
