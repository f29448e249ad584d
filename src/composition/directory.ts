import { createMutualRooms } from '../services/directory/mutual-rooms.js'
import { createPublicRooms } from '../services/directory/public-rooms.js'
import { createUserDirectory } from '../services/directory/user-directory.js'
import type { Transport } from '../services/federation/transport.js'
import type { RedList } from '../services/red-list/red-list.js'
import { fetchRemotePublicRooms } from '../services/replication/peers/queries.js'
import type { RoomsContext } from '../services/rooms/context.js'
import type { Services } from '../services/services.js'

/** What people find of rooms and of each other. */
export function buildDirectory(deps: {
  readonly context: RoomsContext
  readonly transport: Pick<Transport, 'client'>
  readonly redList: RedList | undefined
  /** Whether the application service acts for the user. */
  acts(appserviceId: string, userId: string): boolean
}): Pick<Services, 'publicRooms' | 'userDirectory' | 'mutualRooms'> {
  const { context, transport } = deps
  return {
    publicRooms: createPublicRooms({
      context,
      acts: (appserviceId, userId) => deps.acts(appserviceId, userId),
      fetchRemote: (server, query) => fetchRemotePublicRooms(transport.client, server, query),
    }),
    userDirectory: createUserDirectory({
      store: context.store,
      serverName: context.serverName,
      redList: deps.redList,
    }),
    mutualRooms: createMutualRooms({ store: context.store }),
  }
}
