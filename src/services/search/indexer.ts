import { advanceFill, fillOf } from '../../storage/tables/relations.js'
import {
  dropFromSearchQueue,
  indexableBetween,
  indexableByNids,
  insertSearchDocs,
  searchQueue,
  type IndexableRow,
} from '../../storage/tables/search.js'
import type { Store, Tx } from '../../storage/tx.js'
import { indexEntry } from './index-words.js'

/**
 * Brings the index up to date. Sends only note that there is an event to index, since a write to the index for each of them would cost
 * more than one for many. What waits is on disk, so a crash loses none of it.
 */
export interface SearchIndexer {
  /** Job: indexes events that wait. True when more are left. */
  follow(): Promise<boolean>
  /** Job: indexes a part of the events of before the index was. False when nothing is left to do. */
  fill(): Promise<boolean>
}

export interface IndexerOptions {
  /** Events of one transaction. Default 200. */
  readonly portion?: number
  /** Transactions of one step. Default 10. */
  readonly portions?: number
}

const FILL = 'search'

export function createSearchIndexer(store: Store, options: IndexerOptions = {}): SearchIndexer {
  const { portion = 200, portions = 10 } = options
  let following: Promise<boolean> | undefined
  let isFilled = false

  function* add(rows: readonly IndexableRow[]): Tx<void> {
    const entries = rows.flatMap((row) => indexEntry(row) ?? [])
    yield* insertSearchDocs(entries.sort((a, b) => a.doc - b.doc))
  }

  /** An event that is redacted meanwhile is read as it is then: in this very transaction. */
  function* followPortion(): Tx<boolean> {
    const nids = yield* searchQueue(portion)
    if (nids.length === 0) return false
    yield* add(yield* indexableByNids(nids))
    yield* dropFromSearchQueue(nids)
    return nids.length === portion
  }

  function* fillPortion(): Tx<boolean> {
    const fill = yield* fillOf(FILL)
    if (fill === undefined) return false
    const to = Math.min(fill.done + portion, fill.last)
    yield* add(yield* indexableBetween(fill.done, to))
    yield* advanceFill(FILL, to)
    return to < fill.last
  }

  async function follow(): Promise<boolean> {
    const waiting = await store.read('search.waiting', () => searchQueue(1))
    if (waiting.length === 0) return false
    for (let i = 0; i < portions; i++) if (!(await store.write('search.follow', followPortion))) return false
    return true
  }

  return {
    follow() {
      following ??= follow().finally(() => {
        following = undefined
      })
      return following
    },
    async fill() {
      for (let i = 0; i < portions && !isFilled; i++)
        isFilled = !(await store.write('search.fill', fillPortion))
      return !isFilled
    },
  }
}
