import type { DatabaseSize } from './database-size.js'
import type { Destinations } from './destinations.js'
import type { HistoryPurge } from './purge-history.js'
import type { UserRedaction } from './redact-user.js'
import type { AdminTasks } from './tasks.js'
import type { UserCounts } from './user-counts.js'
import type { ReportLists } from './report-lists.js'
import type { RateLimitOverrides } from './rate-limits.js'
import type { RoomMedia } from './room-media.js'
import type { RoomPower } from './room-power.js'
import type { RoomRemoval } from './room-removal.js'
import type { RoomAdministration } from './rooms.js'
import type { UserAdministration } from './users.js'
import type { UserData } from './user-data.js'

/** What the endpoints of administrators need beyond what there is for users and for the command line. */
export interface Administration {
  readonly users: UserAdministration
  readonly userData: UserData
  readonly rooms: RoomAdministration
  readonly roomRemoval: RoomRemoval
  readonly roomPower: RoomPower
  readonly roomMedia: RoomMedia
  readonly eventReports: ReportLists
  readonly userReports: ReportLists
  readonly destinations: Destinations
  readonly rateLimits: RateLimitOverrides
  readonly tasks: AdminTasks
  readonly userRedaction: UserRedaction
  readonly historyPurge: HistoryPurge
  readonly userCounts: UserCounts
  readonly databaseSize: DatabaseSize
}
