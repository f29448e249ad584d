import type { Config } from '../config/schema.js'
import type { Logger } from '../platform/logger.js'
import type { AuditTrail } from '../services/audit/trail.js'
import { createPolicyLists } from '../services/policy-lists/policy-lists.js'
import type { RoomsContext } from '../services/rooms/context.js'
import type { RoomPolicies } from '../services/rooms/room-policies.js'

/** The lists of the banned that the configuration names. What speaks with other servers comes before the rooms in which the lists stand. */
export function buildPolicyLists(deps: {
  readonly config: Config
  readonly logger: Logger
  readonly audit: AuditTrail
  readonly serverName: string
}): {
  /** To be called once, as soon as there are rooms. */
  of(rooms: Pick<RoomsContext, 'loader' | 'events' | 'states'>): RoomPolicies | undefined
  bansServer(serverName: string): boolean
  refresh(): Promise<void>
} {
  const { config, ...base } = deps
  const { policy_rooms: rooms } = config.moderation
  let lists: RoomPolicies | undefined
  return {
    of: (context) =>
      (lists = rooms.length === 0 ? undefined : createPolicyLists({ ...base, context, rooms })),
    bansServer: (name) => lists?.bansServer(name) ?? false,
    refresh: async () => await lists?.refresh(),
  }
}
