import type { Config } from '../config/schema.js'
import type { JsonObject } from '../core/json/value.js'
import { createCircleDirectory } from '../services/directory/circle-directory.js'
import { createCircleNodes, type CircleNodes } from '../services/directory/circle-nodes.js'
import { createCircleRooms } from '../services/directory/circle-rooms.js'
import { createMemberPeople } from '../services/directory/member-people.js'
import { createMutualRooms } from '../services/directory/mutual-rooms.js'
import { createOwnPeople } from '../services/directory/own-people.js'
import { createPublicRooms, type PublicRoomsQuery } from '../services/directory/public-rooms.js'
import { peopleUnlessExternal, roomsUnlessExternal } from '../services/directory/unless-external.js'
import { createKnownPeople, createUserDirectory } from '../services/directory/user-directory.js'
import type { Transport } from '../services/federation/transport.js'
import type { NodeListService } from '../services/node-list/node-list.js'
import type { RedList } from '../services/red-list/red-list.js'
import { fetchRemotePublicRooms } from '../services/replication/peers/queries.js'
import type { RoomsContext } from '../services/rooms/context.js'
import type { Services } from '../services/services.js'
import { externalServers } from './access-policy.js'

interface DirectoryDeps {
  readonly config: Config
  readonly context: RoomsContext
  readonly transport: Pick<Transport, 'client'>
  readonly nodeList: NodeListService | undefined
  readonly redList: RedList | undefined
  /** Whether the application service acts for the user. */
  acts(appserviceId: string, userId: string): boolean
}

type People = Pick<Services, 'userDirectory' | 'memberPeople'>

/** What people find of rooms and of each other. */
export function buildDirectory(deps: DirectoryDeps): People & Pick<Services, 'publicRooms' | 'mutualRooms'> {
  const { config, context, transport, nodeList } = deps
  const { clock, logger, serverName } = context
  const { wait: waitMs } = config.directory
  const nodes =
    nodeList === undefined ? undefined : createCircleNodes({ clock, logger, serverName, nodeList, waitMs })
  const fetchRemote = (server: string, query: PublicRoomsQuery): Promise<JsonObject> =>
    fetchRemotePublicRooms(transport.client, server, query)
  const isExternal = (): boolean => externalServers(config, nodeList)?.(serverName) ?? false
  const publicRooms = createPublicRooms({
    context,
    acts: (appserviceId, userId) => deps.acts(appserviceId, userId),
    fetchRemote,
    circle:
      config.directory.rooms === 'circle' && nodes !== undefined
        ? createCircleRooms({ clock, logger, nodes, fetchRemote })
        : undefined,
  })
  const people = buildPeople(deps, nodes)
  return {
    ...people,
    publicRooms: roomsUnlessExternal(publicRooms, isExternal),
    userDirectory: peopleUnlessExternal(people.userDirectory, isExternal),
    mutualRooms: createMutualRooms({ store: context.store }),
  }
}

function buildPeople(
  { config, context, transport, redList }: DirectoryDeps,
  nodes: CircleNodes | undefined,
): People {
  const { store, clock, serverName } = context
  const known = createKnownPeople({ store, serverName, redList })
  if (config.directory.people !== 'circle' || nodes === undefined)
    return { userDirectory: createUserDirectory(known), memberPeople: undefined }
  const own = createOwnPeople({ store, clock, redList })
  const members = createMemberPeople({ client: transport.client, clock, nodes, own })
  return {
    userDirectory: createCircleDirectory({ serverName, known, own, members, nodes }),
    memberPeople: members,
  }
}
