import type { Config } from '../config/schema.js'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import type { Notifier } from '../platform/notifier.js'
import type { Random } from '../platform/random.js'
import { createAdminCommands } from '../services/admin-commands/admin-commands.js'
import { createSubjects } from '../services/admin-commands/subjects.js'
import { createAdminActs } from '../services/administration/acts.js'
import { createDatabaseSize } from '../services/administration/database-size.js'
import { createDestinations } from '../services/administration/destinations.js'
import { createEventReports, createUserReports } from '../services/administration/report-lists.js'
import { createHistoryPurge, historyWork } from '../services/administration/purge-history.js'
import { createRateLimitOverrides } from '../services/administration/rate-limits.js'
import { createUserRedaction, redactionWork } from '../services/administration/redact-user.js'
import { removalWork } from '../services/administration/removal-work.js'
import { createRoomMedia } from '../services/administration/room-media.js'
import { createRoomPower } from '../services/administration/room-power.js'
import { createRoomRemoval } from '../services/administration/room-removal.js'
import { createRoomAdministration } from '../services/administration/rooms.js'
import { createAdminTasks } from '../services/administration/tasks.js'
import { createUserCounts } from '../services/administration/user-counts.js'
import { createUserData } from '../services/administration/user-data.js'
import { createUserAdministration } from '../services/administration/users.js'
import type { Audit } from '../services/audit/audit.js'
import type { TokenCache } from '../services/devices/token-cache.js'
import type { OwnKeys } from '../services/federation/own-keys.js'
import { auditedOperator } from '../services/operator/audited-operator.js'
import { createOperator } from '../services/operator/operator.js'
import { createSecondFactor } from '../services/second-factor/second-factor.js'
import type { RoomHealth } from '../services/replication/receiving/room-comparison.js'
import type { RoomsContext } from '../services/rooms/context.js'
import type { Services } from '../services/services.js'
import type { ClientViews } from '../services/timeline/client-view.js'
import type { Store } from '../storage/tx.js'
import { VERSION } from '../version.js'
import { buildAdminBot } from './admin-bot.js'
import { buildDesk } from './moderation-desk.js'
import { ownAccounts } from './own-accounts.js'

type Needed = Pick<
  Services,
  | 'accounts'
  | 'media'
  | 'retention'
  | 'accountValidity'
  | 'auditDeposits'
  | 'auditCuts'
  | 'profile'
  | 'threepids'
  | 'bindings'
  | 'reports'
  | 'serverNotices'
  | 'aliases'
  | 'memberships'
  | 'sending'
  | 'roomCreation'
>

/** What administrators do with the command line and over HTTP. It stands on what there is for users. */
export function buildAdministration(
  deps: {
    readonly store: Store
    readonly clock: Clock
    readonly random: Random
    readonly logger: Logger
    readonly serverName: string
    readonly rotateKey: OwnKeys['rotate']
    readonly roomHealth: RoomHealth
    readonly context: RoomsContext
    readonly views: ClientViews
    readonly tokenCache: TokenCache
    readonly audit: Audit
    readonly config: Config
    readonly onContact: (serverName: string) => void
    readonly notifier: Notifier
    readonly isBridged: (userId: string) => boolean
  } & Needed,
): Pick<
  Services,
  | 'operator'
  | 'commandLine'
  | 'moderationDesk'
  | 'administration'
  | 'adminActs'
  | 'adminCommands'
  | 'adminBot'
  | 'secondFactor'
> {
  const tasks = createAdminTasks(deps, {
    shutdown_and_purge_room: removalWork(deps),
    redact_all_events: redactionWork(deps),
    purge_history: historyWork(deps),
  })
  const roomRemoval = createRoomRemoval({ ...deps, tasks })
  const moderationDesk = buildDesk({ ...deps, roomRemoval })
  const { config, serverName } = deps
  const { secret, attempts, guards_tools: guardsTools } = config.second_factor
  const secondFactor = createSecondFactor({
    ...deps,
    options: { secret, attempts, issuer: serverName, guardsTools },
  })
  const operator = createOperator({
    ...deps,
    notices: deps.serverNotices,
    rooms: deps.roomHealth,
    desk: moderationDesk,
    secondFactor,
  })
  const rooms = createRoomAdministration(deps)
  const users = createUserAdministration({ ...deps, operator })
  const userData = createUserData(deps)
  const own = ownAccounts(config)
  const commands = createAdminCommands({
    ...deps,
    ...{ users, userData, rooms, roomRemoval, operator },
    subjects: createSubjects({ ...deps, ownAccounts: own }),
    ownAccounts: own,
    version: VERSION,
  })
  return {
    operator,
    commandLine: auditedOperator(operator, deps.audit),
    adminActs: createAdminActs(deps),
    moderationDesk,
    secondFactor,
    adminCommands: commands,
    adminBot: buildAdminBot({ ...deps, secondFactor, commands }),
    administration: {
      users,
      userData,
      rooms,
      roomMedia: createRoomMedia(deps.context),
      eventReports: createEventReports({ store: deps.store, titleOf: (roomId) => rooms.title(roomId) }),
      userReports: createUserReports(deps.store),
      destinations: createDestinations(deps),
      rateLimits: createRateLimitOverrides(deps),
      roomRemoval,
      roomPower: createRoomPower(deps),
      tasks,
      userRedaction: createUserRedaction({ ...deps, tasks }),
      historyPurge: createHistoryPurge({ ...deps, tasks }),
      userCounts: createUserCounts(deps),
      databaseSize: createDatabaseSize(deps),
    },
  }
}
