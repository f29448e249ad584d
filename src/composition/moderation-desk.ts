import type { Config } from '../config/schema.js'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import type { Random } from '../platform/random.js'
import type { RoomRemoval } from '../services/administration/room-removal.js'
import type { AuditTrail } from '../services/audit/trail.js'
import { createCaseActs } from '../services/moderation-desk/case-acts.js'
import { createModerationDesk, type ModerationDesk } from '../services/moderation-desk/moderation-desk.js'
import type { RoomsContext } from '../services/rooms/context.js'
import type { Services } from '../services/services.js'
import { userById } from '../storage/tables/users.js'
import type { Store } from '../storage/tx.js'

/** The desk of the moderators, which stands on what administrators may do. */
export function buildDesk(
  deps: {
    readonly config: Config
    readonly store: Store
    readonly clock: Clock
    readonly random: Random
    readonly logger: Logger
    readonly serverName: string
    readonly audit: AuditTrail
    readonly context: RoomsContext
    readonly roomRemoval: RoomRemoval
  } & Pick<Services, 'accounts' | 'media' | 'sending' | 'serverNotices'>,
): ModerationDesk {
  const { config, accounts, media, serverNotices, ...base } = deps
  return createModerationDesk({
    ...base,
    acts: createCaseActs({ ...base, moderation: accounts.moderation, media: media.moderation }),
    isAdmin: (userId) =>
      deps.store.read('desk.isAdmin', function* () {
        const user = yield* userById(userId)
        return user?.is_admin === 1 && user.deactivated === 0
      }),
    notify: (userId, text) => serverNotices.send({ userId, content: { msgtype: 'm.text', body: text } }),
    options: {
      moderators: new Set(config.moderation.moderators),
      notified: config.moderation.notify,
    },
  })
}
