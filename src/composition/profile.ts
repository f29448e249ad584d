import type { Config } from '../config/schema.js'
import { serverNameOf } from '../core/ids/server-name-of.js'
import type { JsonObject } from '../core/json/value.js'
import type { Notifier } from '../platform/notifier.js'
import { createSharerWaker } from '../services/e2ee/sharer-waker.js'
import type { Transport } from '../services/federation/transport.js'
import type { NodeListService } from '../services/node-list/node-list.js'
import { createProfile, type Profile } from '../services/profile/profile.js'
import { fetchRemoteProfile } from '../services/replication/peers/queries.js'
import { createRedList, type RedList } from '../services/red-list/red-list.js'
import type { RoomsContext } from '../services/rooms/context.js'
import { createProfileRooms, type ProfileRooms } from '../services/rooms/profile-rooms.js'
import { externalServers } from './access-policy.js'
import { managedFields } from './options.js'

export interface ProfileParts {
  readonly profile: Profile
  readonly profileRooms: ProfileRooms
  /** What a user's member events carry. */
  memberProfile(userId: string): Promise<JsonObject>
  /** What an invite of a user of this server carries of them: nothing where they hide from whoever invites them. */
  inviteeProfile(userId: string, inviter: string): Promise<JsonObject>
  /** Undefined where nobody can hide. */
  readonly redList: RedList | undefined
}

/** Profiles, and their copies in the rooms of their users. */
export function buildProfile(deps: {
  readonly context: RoomsContext
  readonly config: Config
  readonly transport: Pick<Transport, 'client'>
  readonly nodeList: NodeListService | undefined
  readonly notifier: Notifier
  /** Asks application services for a user who is not there. */
  makeUser(userId: string): Promise<boolean>
}): ProfileParts {
  const { config, context, transport } = deps
  const { store, logger, serverName } = context
  const redList = config.directory.red_list ? createRedList({ store }) : undefined
  // Who asks is told to the nodes of the circle alone, and only where that matters.
  const tellsAsker = (userId: string): boolean =>
    redList !== undefined && deps.nodeList?.member(serverNameOf(userId) ?? '') !== undefined
  const profileRooms = createProfileRooms(context)
  const waker = createSharerWaker({ store, logger, clock: context.clock, notifier: deps.notifier })
  const profile = createProfile({
    store,
    logger,
    serverName,
    makeUser: (userId) => deps.makeUser(userId),
    options: { managed: managedFields(deps.config) },
    redList,
    isExternalServer: externalServers(config, deps.nodeList),
    fetchRemoteProfile: (userId, field, asker) =>
      fetchRemoteProfile(transport.client, userId, field, tellsAsker(userId) ? asker : undefined),
    onProfileChanged(userId, field) {
      waker.wake([userId])
      return profileRooms.propagate(userId, field, () => memberProfile(userId))
    },
  })
  const memberProfile = async (userId: string): Promise<JsonObject> => ({
    ...(await store.read('profile.member', () => profile.memberFields(userId))),
  })
  const inviteeProfile = async (userId: string, inviter: string): Promise<JsonObject> => {
    const isShown =
      redList === undefined || (await redList.mayKnow(userId, { kind: 'user', userId: inviter }))
    return isShown ? memberProfile(userId) : {}
  }
  return { profile, profileRooms, memberProfile, inviteeProfile, redList }
}
