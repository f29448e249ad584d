import type { Logger } from '../platform/logger.js'
import { createUserStates, type UserStates } from '../services/accounts/user-states.js'
import type { Transport } from '../services/federation/transport.js'
import type { NodeListService } from '../services/node-list/node-list.js'
import type { RedList } from '../services/red-list/red-list.js'
import { expiredAmong } from '../storage/tables/account-validity.js'
import type { Store } from '../storage/tx.js'

const LIMITS = { timeoutMs: 5_000, maxBytes: 256 * 1024 }

/** How accounts are, also those of members. */
export const buildUserStates = (deps: {
  readonly store: Store
  readonly logger: Logger
  readonly serverName: string
  readonly nodeList: Pick<NodeListService, 'member'> | undefined
  readonly transport: Pick<Transport, 'client'>
  readonly redList: RedList | undefined
}): UserStates =>
  createUserStates({
    ...deps,
    hiddenOf: deps.redList?.hiddenOf,
    expiredOf: expiredAmong,
    isMember: (server) => deps.nodeList?.member(server) !== undefined,
    ask: (destination, userIds) =>
      deps.transport.client.request({
        destination,
        method: 'POST',
        path: '/_matrix/federation/unstable/users/info',
        body: { user_ids: userIds },
        ...LIMITS,
      }),
  })
