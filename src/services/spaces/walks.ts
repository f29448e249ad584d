import type { Clock } from '../../platform/clock.js'
import type { Random } from '../../platform/random.js'
import { deleteInBatches } from '../../storage/delete-in-batches.js'
import { deleteSpaceWalks, insertSpaceWalk, spaceWalk } from '../../storage/tables/space-walks.js'
import type { Store } from '../../storage/tx.js'
import { readWalk, walkText, type Walk } from './walk-text.js'

/**
 * Pages to come, kept on disk until somebody asks for them, so that a restart or another process of the same node ends nothing. Their age and
 * their number for each user are bounded, and the size of each.
 */
export interface Walks {
  /** Gives the token. */
  put(userId: string, walk: Walk): Promise<string>
  /** Undefined for a token that is another user's, unknown or too old. A token may be used again, as a client repeats a request. */
  get(userId: string, token: string): Promise<Walk | undefined>
  /** Job: removes those that are too old. */
  prune(): Promise<void>
}

const LIFETIME_MS = 15 * 60_000
const MAX_WALKS = 8
const BATCH = 50

export function createWalks(deps: {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
}): Walks {
  const { store, clock, random } = deps
  return {
    async put(userId, walk) {
      const token = `h2_${random.string(22)}`
      const row = { token, userId, expiresTs: clock.now() + LIFETIME_MS, walk: walkText(walk) }
      await store.write('spaces.putWalk', () => insertSpaceWalk(row, MAX_WALKS))
      return token
    },
    async get(userId, token) {
      if (!/^h2_\w{22}$/.test(token)) return undefined
      const text = await store.read('spaces.walk', () => spaceWalk(token, userId, clock.now()))
      return text === undefined ? undefined : readWalk(text)
    },
    async prune() {
      await deleteInBatches(store, 'spaces.pruneWalks', BATCH, (size) => deleteSpaceWalks(clock.now(), size))
    },
  }
}
