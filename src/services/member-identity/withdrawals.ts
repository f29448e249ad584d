import { backoffDelay } from '../../platform/backoff.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { Random } from '../../platform/random.js'
import {
  deleteInviteWithdrawal,
  dueInviteWithdrawals,
  inviteWithdrawalsOf,
  postponeInviteWithdrawal,
  type InviteWithdrawalRow,
} from '../../storage/tables/invite-withdrawals.js'
import type { Store } from '../../storage/tx.js'
import { FederationError } from '../federation/client.js'

/** Invitations that rooms have taken back, on their way to the servers that keep them. */
export interface Withdrawals {
  /** Tells of one at once. Where its keeper cannot be told now, the job does it. */
  tell(token: string): Promise<void>
  /** Job: tells of those whose time it is. */
  tellDue(): Promise<void>
}

const BATCH = 20
const RETRY = { initialMs: 10_000, maxMs: 3_600_000 }

export function createWithdrawals(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly random: Random
  readonly logger: Logger
  /** Where the keeper is none any more, there is nobody to tell: its word lets nobody in. */
  isMember(serverName: string): boolean
  /** Rejects with FederationError where the keeper has not heard it. */
  ask(row: InviteWithdrawalRow): Promise<unknown>
}): Withdrawals {
  const { store, clock, random, logger } = deps

  async function tellOne(row: InviteWithdrawalRow): Promise<void> {
    if (deps.isMember(row.keeper)) {
      try {
        await deps.ask(row)
      } catch (error) {
        if (!(error instanceof FederationError)) throw error
        const attempts = row.attempts + 1
        const due = clock.now() + backoffDelay(RETRY, attempts, random)
        logger.info(
          { err: error, keeper: row.keeper, attempts },
          'a member is not told yet that an invitation was taken back',
        )
        await store.write('withdrawals.postpone', () => postponeInviteWithdrawal(row, attempts, due))
        return
      }
    }
    await store.write('withdrawals.told', () => deleteInviteWithdrawal(row))
  }

  return {
    async tell(token) {
      await Promise.all((await store.read('withdrawals.of', () => inviteWithdrawalsOf(token))).map(tellOne))
    },
    async tellDue() {
      const due = await store.read('withdrawals.due', () => dueInviteWithdrawals(clock.now(), BATCH))
      await Promise.all(due.map(tellOne))
    },
  }
}
