import { invalidParam, MatrixError, notFound } from '../../core/errors.js'
import { relationOf } from '../../core/event/relation.js'
import type { JsonObject } from '../../core/json/value.js'
import type { Notifier } from '../../platform/notifier.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import {
  putThreadSubscription,
  threadSubscription,
  threadSubscriptionCount,
} from '../../storage/tables/thread-subscriptions.js'
import type { Requester } from '../requester.js'
import type { RoomsContext } from '../rooms/context.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import { visibleEvent } from '../timeline/room-access.js'
import { parseSlidingToken, parseThreadsToken, threadsToken } from '../timeline/tokens.js'
import { subscriptionPage } from './subscription-page.js'

export interface Thread {
  readonly roomId: string
  /** The event that it begins with. */
  readonly root: string
}

/** The threads that users follow. NOTSPEC: MSC4306, MSC4308. */
export interface ThreadSubscriptions {
  /** Throws M_NOT_FOUND where the user does not follow the thread, or may not see it. */
  get(requester: Requester, thread: Thread): Promise<{ automatic: boolean }>
  /**
   * `cause`: the event for which the client does it of itself; absent: the user has asked for it, which stays said.
   * Throws M_NOT_FOUND for a thread that the user may not see; `M_NOT_IN_THREAD` for a cause that is not in it; with status 409
   * `M_CONFLICTING_UNSUBSCRIPTION` where the user has ended it since the cause came; M_LIMIT_EXCEEDED.
   */
  subscribe(requester: Requester, thread: Thread, cause: string | undefined): Promise<Record<string, never>>
  /** Throws M_NOT_FOUND for a thread that the user may not see. */
  unsubscribe(requester: Requester, thread: Thread): Promise<Record<string, never>>
  /** Changes before `from` and after `to`, the latest first. Throws M_INVALID_PARAM. */
  list(
    requester: Requester,
    page: { readonly from?: string | undefined; readonly to?: string | undefined; readonly limit: number },
  ): Promise<JsonObject>
}

/** Of one user, those included that are followed no more. */
const MAX_THREADS = 20_000
const MAX_PAGE = 500

export function createThreadSubscriptions(deps: {
  readonly context: RoomsContext
  readonly notifier: Notifier
}): ThreadSubscriptions {
  const { context, notifier } = deps
  const { store } = context

  async function checkVisible(viewer: Requester, { roomId, root }: Thread): Promise<void> {
    const { event } = await visibleEvent(context, viewer, roomId, root)
    // What is in a thread begins none.
    if (relationOf(event.event)?.type === 'm.thread') throw notFound('Unknown event')
  }

  async function findCause(viewer: Requester, { roomId, root }: Thread, cause: string): Promise<StoredEvent> {
    const found = await visibleEvent(context, viewer, roomId, cause).catch((error: unknown) => {
      if (error instanceof MatrixError) return undefined
      throw error
    })
    const relation = found === undefined ? undefined : relationOf(found.event.event)
    if (relation?.type !== 'm.thread' || relation.eventId !== root)
      throw new MatrixError('IO.ELEMENT.MSC4306.M_NOT_IN_THREAD', 'The event is not in this thread', {}, 400)
    return found!.event
  }

  return {
    async get(requester, thread) {
      await checkVisible(requester, thread)
      const row = await store.read('threads.get', () =>
        threadSubscription(requester.userId, thread.roomId, thread.root),
      )
      if (row?.subscribed !== 1) throw notFound('You do not follow this thread')
      return { automatic: row.automatic === 1 }
    },

    async subscribe(requester, thread, causeId) {
      const { userId } = requester
      await checkVisible(requester, thread)
      const cause = causeId === undefined ? undefined : await findCause(requester, thread, causeId)
      const changed = await store.write('threads.subscribe', function* () {
        const row = yield* threadSubscription(userId, thread.roomId, thread.root)
        // What the user has said stays, and what a client says again changes nothing.
        if (row?.subscribed === 1 && (cause !== undefined || row.automatic === 0)) return false
        const ended = row?.ended_pos ?? null
        if (cause !== undefined && ended !== null && (cause.pos ?? 0) <= ended)
          throw new MatrixError(
            'IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION',
            'You have left this thread since that event',
            {},
            409,
          )
        if (row === undefined && (yield* threadSubscriptionCount(userId)) >= MAX_THREADS)
          throw new MatrixError('M_LIMIT_EXCEEDED', 'You follow as many threads as you may')
        yield* putThreadSubscription(userId, {
          room_id: thread.roomId,
          root: thread.root,
          subscribed: 1,
          automatic: cause === undefined ? 0 : 1,
          ended_pos: ended,
          pos: yield* allocatePosition(),
        })
        return true
      })
      if (changed) notifier.notify([userId])
      return {}
    },

    async unsubscribe(requester, thread) {
      const { userId } = requester
      await checkVisible(requester, thread)
      const changed = await store.write('threads.unsubscribe', function* () {
        const row = yield* threadSubscription(userId, thread.roomId, thread.root)
        if (row?.subscribed !== 1) return false
        const pos = yield* allocatePosition()
        yield* putThreadSubscription(userId, { ...row, subscribed: 0, automatic: 0, ended_pos: pos, pos })
        return true
      })
      if (changed) notifier.notify([userId])
      return {}
    },

    async list({ userId }, { from, to, limit }) {
      const after = to === undefined ? { pos: 0 } : parseSlidingToken(to)
      if (after === undefined) throw invalidParam('to is no position of sliding sync')
      const bound = await store.position()
      const upTo = from === undefined ? bound : Math.min(parseThreadsToken(from), bound)
      const page = await store.read('threads.list', () =>
        subscriptionPage(userId, after.pos, upTo, Math.min(limit, MAX_PAGE)),
      )
      return { ...page.json, ...(page.earlier === undefined ? {} : { end: threadsToken(page.earlier) }) }
    },
  }
}
