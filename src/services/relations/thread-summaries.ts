import {
  countReplies,
  earlierReplies,
  latestReplies,
  threadSenders,
  threadsOf,
  type ThreadRow,
} from '../../storage/tables/relations.js'
import type { RoomsContext } from '../rooms/context.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { Access } from '../timeline/room-access.js'

export interface ThreadSummary {
  readonly latest: StoredEvent
  readonly count: number
  readonly participated: boolean
}

type Scope = Pick<Access, 'room' | 'reader' | 'end' | 'ignored'>

/** How often an earlier event of a thread is looked for, where the user may not see the latest. */
const MAX_STEPS = 8
/** Counting for those who have left ends here. */
const MAX_COUNTED = 1_000

/**
 * The threads upon some events as one user sees them, by the root's id. A thread of which the user sees nothing is left out.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#server-side-aggregation-of-mthread-relationships
 */
export async function threadSummaries(
  context: Pick<RoomsContext, 'store' | 'events'>,
  roots: readonly StoredEvent[],
  userId: string,
  scope: Scope,
): Promise<Map<string, ThreadSummary>> {
  if (roots.length === 0) return new Map()
  const { room, ignored } = scope
  const without = [...ignored]
  const ids = roots.map((item) => item.event.id)
  const { threads, senders } = await context.store.read('relations.threads', function* () {
    return {
      threads: yield* threadsOf(room.nid, ids),
      senders: yield* threadSenders(room.nid, ids, [userId, ...without]),
    }
  })
  const counts = new Map(threads.map((row) => [row.root, row.n]))
  const mine = new Set<string>()
  /** Threads in which somebody wrote whom the user ignores. */
  const mixed = new Set<string>()
  for (const { root, sender, n } of senders) {
    if (sender === userId) mine.add(root)
    else {
      mixed.add(root)
      counts.set(root, (counts.get(root) ?? 0) - n)
    }
  }
  const latest = await latestVisible(context, threads, mixed, scope)
  const { end } = scope
  if (end !== undefined) {
    // What was said after they left is not counted for them.
    const shown = await context.store.read('relations.countReplies', () =>
      countReplies(room.nid, [...latest.keys()], without, end, MAX_COUNTED),
    )
    for (const { root, n } of shown) counts.set(root, n)
  }
  const summaries = new Map<string, ThreadSummary>()
  for (const { event } of roots) {
    const newest = latest.get(event.id)
    const count = counts.get(event.id) ?? 0
    if (newest === undefined || count <= 0) continue
    const participated = event.sender === userId || mine.has(event.id)
    summaries.set(event.id, { latest: newest, count, participated })
  }
  return summaries
}

/** The latest event of each thread that the user may see, by the root's id. */
async function latestVisible(
  context: Pick<RoomsContext, 'store' | 'events'>,
  threads: readonly ThreadRow[],
  mixed: ReadonlySet<string>,
  { room, reader, end, ignored }: Scope,
): Promise<Map<string, StoredEvent>> {
  const without = [...ignored]
  const found = new Map<string, StoredEvent>()
  let candidates = new Map<string, number>()
  const asked: string[] = []
  for (const { root, latest } of threads) {
    if (mixed.has(root) || end !== undefined) asked.push(root)
    else candidates.set(root, latest)
  }
  if (asked.length > 0) {
    const place = end ?? { depth: Number.MAX_SAFE_INTEGER, ord: Number.MAX_SAFE_INTEGER }
    const rows = await context.store.read('relations.latest', () =>
      latestReplies(room.nid, asked, without, place),
    )
    for (const { root, child } of rows) if (child !== null) candidates.set(root, child)
  }
  for (let step = 0; step < MAX_STEPS && candidates.size > 0; step++) {
    const events = await context.events.byNids([...candidates.values()])
    const hidden: number[] = []
    for (const [root, nid] of candidates) {
      const event = events.get(nid)
      if (event !== undefined && (await reader.mayRead(event))) found.set(root, event)
      else hidden.push(nid)
    }
    candidates = new Map()
    if (hidden.length === 0) break
    const rows = await context.store.read('relations.earlier', () => earlierReplies(hidden, without))
    for (const { root, child } of rows) if (child !== null) candidates.set(root, child)
  }
  return found
}
