import type { Json } from '../../../core/json/value.js'
import type { Store } from '../../../storage/tx.js'
import { subscriptionPage } from '../../thread-subscriptions/subscription-page.js'
import { threadsToken } from '../../timeline/tokens.js'
import { UP_TO_DATE } from './connection-state.js'
import type { SlidingFrame } from './frame.js'
import type { NextState } from './next-state.js'

export const THREADS_EXTENSION = 'io.element.msc4308.thread_subscriptions'

/** The threads that the user follows, or follows no more, as far as that is news. NOTSPEC: MSC4308. */
export async function threadsPart(
  { viewer, request, state, from, upTo }: SlidingFrame,
  next: NextState,
  store: Store,
): Promise<{ readonly json: Readonly<Record<string, Json>>; readonly hasNews: boolean }> {
  // Connections of before know nothing of it.
  const mark = state.meta.threads ?? null
  if (request.threads === undefined) {
    if (mark === UP_TO_DATE && from > 0) next.setMeta({ threads: from })
    return { json: {}, hasNews: false }
  }
  const { limit } = request.threads
  const since = mark === UP_TO_DATE ? from : (mark ?? 0)
  next.setMeta({ threads: UP_TO_DATE })
  const page = await store.read('sliding.threads', () => subscriptionPage(viewer.userId, since, upTo, limit))
  const json = {
    ...page.json,
    ...(page.earlier === undefined ? {} : { prev_batch: threadsToken(page.earlier) }),
  }
  return { json: { [THREADS_EXTENSION]: json }, hasNews: Object.keys(json).length > 0 }
}
