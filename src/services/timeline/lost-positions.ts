import { isCopy, lostRanges, resumeFromCopy, type LostRange } from '../../storage/tables/lost-positions.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { Store } from '../../storage/tx.js'

/** What was given out by a database that is lost, of which this one is a restored backup. */
export interface LostPositions {
  /**
   * Whether a token's position is of the time between a backup and its restoration. Its client knows what is not here any more, so
   * that an answer must tell it everything.
   */
  isLost(position: number): boolean
}

/** For a database that was never restored, and tests. */
export const nothingLost: LostPositions = { isLost: () => false }

/** What tells them apart. Ranges come with restorations alone, while no node runs. */
export function lostPositionsOf(ranges: readonly LostRange[]): LostPositions {
  return {
    isLost: (position) => ranges.some((range) => position > range.after_pos && position < range.resumed_pos),
  }
}

/** Makes a copy that an operator has just put in place fit to go on, and reads which positions are lost. For the start. */
export async function loadLostPositions(deps: {
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
}): Promise<LostPositions> {
  const { store, clock, logger } = deps
  if (await store.read('restore.isCopy', () => isCopy())) {
    const resumed = await store.write('restore.resume', () => resumeFromCopy(clock.now()))
    logger.warn(
      { ...resumed },
      'the database is a restored backup: clients are told everything anew, and no one-time key of it is handed out again',
    )
  }
  return lostPositionsOf(await store.read('restore.lost', () => lostRanges()))
}
