import type { Json, JsonObject } from '../../../core/json/value.js'
import type { Notifier } from '../../../platform/notifier.js'
import type { Semaphore } from '../../../platform/semaphore.js'
import type { PushRules } from '../../push/push-rules.js'
import type { Requester } from '../../requester.js'
import type { RoomsContext } from '../../rooms/context.js'
import type { Aggregations } from '../../timeline/aggregations.js'
import type { ClientViews } from '../../timeline/client-view.js'
import type { LostPositions } from '../../timeline/lost-positions.js'
import { parseSlidingToken, slidingToken, type SlidingToken } from '../../timeline/tokens.js'
import type { ToDevice } from '../../to-device/to-device.js'
import type { Typing } from '../../typing/typing.js'
import type { DeviceParts } from '../device-part.js'
import { createParkedSubscriptions } from '../parked-subscriptions.js'
import type { WaitingPolls } from '../waiting-polls.js'
import { NOTHING_TOLD, type ListState } from './connection-state.js'
import { createConnections, unknownPos, type ConnectionKey, type Parent } from './connections.js'
import { acknowledgeToDevice, devicePart } from './device-extensions.js'
import type { SlidingFrame } from './frame.js'
import { readNews } from './news.js'
import { nextState } from './next-state.js'
import type { SlidingRequest } from './request.js'
import { accountDataPart, receiptsPart, typingPart, type ExtensionInput } from './room-extensions.js'
import { createRoomChoices } from './room-choice.js'
import { createRoomFilter } from './room-facts.js'
import { createRoomResults } from './room-result.js'
import { roomsPart } from './rooms-part.js'
import { stickyPart } from './sticky-extension.js'
import { profilesPart } from './profiles-extension.js'
import { threadsPart } from './threads-extension.js'
import { createUserRooms } from './user-rooms.js'

/**
 * Simplified sliding sync: the client says which rooms it looks at and is told the differences.
 * SPEC: https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4186-simplified-sliding-sync.md
 */
export interface SlidingSync {
  /** Long-polls until there is news, at most `timeoutMs`. Throws M_UNKNOWN_POS: the client begins again. */
  sync(requester: Requester, request: SlidingRequest, poll: Poll): Promise<JsonObject>
  /** Job: forgets connections that nobody uses. */
  prune(): Promise<void>
}

export interface Poll {
  readonly signal: AbortSignal
  /** Has the signal aborted, where too many of the user's polls wait. */
  readonly giveWay?: () => void
  /** Throws when the session has ended meanwhile; asked before each answer and each wait. */
  readonly stillAllowed?: () => Promise<void>
}

export interface SlidingSyncDeps {
  readonly context: RoomsContext
  readonly views: ClientViews
  readonly aggregations: Aggregations
  readonly notifier: Notifier
  readonly typing: Typing
  readonly deviceParts: DeviceParts
  readonly waitingPolls: WaitingPolls
  readonly toDevice: Pick<ToDevice, 'acknowledge'>
  readonly pushRules: PushRules
  readonly lost: LostPositions
  readonly maxTimeoutMs: number
  readonly gate: Semaphore
  onComputed?(kind: 'initial' | 'incremental', seconds: number): void
}

interface Answer {
  /** Keeps what the client will know and gives the answer. Throws M_UNKNOWN_POS when the connection has gone on meanwhile. */
  finish(): Promise<{ readonly json: JsonObject; readonly pos: string }>
  readonly hasNews: boolean
  /** Nothing that is there was held back for a later answer. */
  readonly complete: boolean
}

export function createSlidingSync(deps: SlidingSyncDeps): SlidingSync {
  const { context, typing, pushRules } = deps
  const { store, clock } = context
  const connections = createConnections({ store, clock })
  const userRooms = createUserRooms({ store })
  const choices = createRoomChoices(createRoomFilter({ context }))
  const results = createRoomResults(deps)
  const parked = createParkedSubscriptions()

  async function compute(
    requester: Requester,
    request: SlidingRequest,
    key: ConnectionKey,
    token: SlidingToken | undefined,
  ): Promise<Answer> {
    const { userId, deviceId } = requester
    const ephemeralNow = typing.position()
    const upTo = await store.position()
    // No answer of this database has named a position that is not there yet, or that a restored backup has skipped.
    if (token !== undefined && (token.pos > upTo || deps.lost.isLost(token.pos))) throw unknownPos()
    const state = token === undefined ? NOTHING_TOLD : await connections.stateOf(key, token.seq)
    const parent: Parent | undefined = token === undefined ? undefined : { seq: token.seq, state }
    const frame: SlidingFrame = {
      viewer: { userId, deviceId },
      request,
      state,
      from: token?.pos ?? 0,
      upTo,
      // A token of a former run with a faster clock: everybody's typing is news.
      typingFrom: token === undefined || token.ephemeral > ephemeralNow ? 0 : token.ephemeral,
    }
    const next = nextState(frame)
    const rooms = await roomParts(frame, next)
    const device = await devicePart(frame, next, deps.deviceParts)
    const threads = await threadsPart(frame, next, store)
    const sticky = await stickyPart(frame, next, rooms.json, deps)
    const profiles = await profilesPart(frame, next, rooms.input, { store, deviceParts: deps.deviceParts })
    const { lists } = rooms
    return {
      async finish() {
        const seq = await connections.save(key, parent, next.change())
        const pos = slidingToken({ seq, pos: upTo, ephemeral: ephemeralNow })
        return {
          json: {
            pos,
            lists: Object.fromEntries(lists.map(([name, count]) => [name, { count }])),
            rooms: rooms.json,
            extensions: {
              ...rooms.extensions,
              ...device.json,
              ...threads.json,
              ...sticky.json,
              ...profiles.json,
            },
          },
          pos,
        }
      },
      hasNews:
        token === undefined ||
        rooms.hasNews ||
        device.hasNews ||
        threads.hasNews ||
        sticky.hasNews ||
        profiles.hasNews ||
        listsChanged(lists, state.meta.lists),
      complete: !rooms.more && device.complete && sticky.complete && profiles.complete,
    }
  }

  /** All that is about rooms; nothing is read for a client that asks for none and has none. */
  async function roomParts(
    frame: SlidingFrame,
    next: ReturnType<typeof nextState>,
  ): Promise<{
    readonly json: JsonObject
    readonly lists: readonly ListState[]
    readonly extensions: Readonly<Record<string, Json>>
    readonly hasNews: boolean
    readonly more: boolean
    /** Absent where there are no rooms. */
    readonly input?: ExtensionInput
  }> {
    const { request, state, viewer, from, upTo } = frame
    const asksForRooms = request.lists.size > 0 || request.subscriptions.size > 0 || state.rooms.size > 0
    if (!asksForRooms && request.accountData === undefined && state.meta.accountData === null) {
      next.setMeta({ lists: [] })
      return { json: {}, lists: [], extensions: scopesOf(request), hasNews: false, more: false }
    }
    const news = await readNews(store, viewer.userId, from, upTo)
    const list = await userRooms.of(viewer.userId, upTo, { from, data: news.data })
    const choice = await choices.of(frame, list, news)
    const { lists } = choice
    next.setMeta({ lists })
    const rooms = await roomsPart(frame, choice, list, news, next, { context, results })
    const input: ExtensionInput = { frame, choice, list, results: rooms.results, news, next }
    const accountData = await accountDataPart(input, request.accountData, { store, pushRules })
    const receipts = await receiptsPart(input, request.receipts, store)
    const typists = await typingPart(input, request.typing, typing)
    return {
      json: rooms.json,
      lists,
      extensions: {
        ...(request.accountData === undefined ? {} : { account_data: accountData.json }),
        ...(request.receipts === undefined ? {} : { receipts: receipts.json }),
        ...(request.typing === undefined ? {} : { typing: typists.json }),
      },
      hasNews:
        Object.keys(rooms.json).length > 0 || accountData.hasNews || receipts.hasNews || typists.hasNews,
      more: rooms.more,
      input,
    }
  }

  async function measured(...args: Parameters<typeof compute>): Promise<Answer> {
    const started = clock.monotonic()
    const answer = await compute(...args)
    const kind = args[3] === undefined ? 'initial' : 'incremental'
    deps.onComputed?.(kind, (clock.monotonic() - started) / 1_000)
    return answer
  }

  return {
    prune: () => connections.prune(),

    async sync(requester, request, poll) {
      const { userId, deviceId } = requester
      const token = request.pos === undefined ? undefined : parseSlidingToken(request.pos)
      if (request.pos !== undefined && token === undefined) throw unknownPos()
      const key: ConnectionKey = { userId, deviceId: deviceId ?? '', connId: request.connId }
      await acknowledgeToDevice(requester, request, store, deps.toDevice)
      const deadline = clock.monotonic() + Math.min(request.timeoutMs, deps.maxTimeoutMs)
      const place = deps.waitingPolls.enter(userId, poll.giveWay)
      const viewer = { userId, deviceId: JSON.stringify([key.deviceId, key.connId]) }
      const parkedAs = (pos: string): string => `${pos} ${request.id}`
      const kept = request.pos === undefined ? undefined : parked.take(viewer, parkedAs(request.pos))
      const subscription = kept?.subscription ?? deps.notifier.subscribe([userId])
      let parkAs: string | undefined
      const finish = async (answer: Answer): Promise<JsonObject> => {
        const { json, pos } = await answer.finish()
        if (answer.complete) parkAs = parkedAs(pos)
        return json
      }
      try {
        let left = deadline - clock.monotonic()
        // All that the position covers was computed under this subscription: only what has woken it since is news.
        if (kept !== undefined && left > 0) await subscription.wait(left, poll.signal)
        for (;;) {
          const answer = await deps.gate.run(() => measured(requester, request, key, token))
          await poll.stillAllowed?.()
          left = deadline - clock.monotonic()
          if (answer.hasNews || left <= 0 || poll.signal.aborted) return await finish(answer)
          const woken = await subscription.wait(left, poll.signal)
          if (woken) continue
          await poll.stillAllowed?.()
          return await finish(answer)
        }
      } finally {
        // Messages to the device have a token of their own here.
        if (parkAs !== undefined) parked.park(viewer, { token: parkAs, subscription, hadMessages: true })
        else subscription.close()
        place.leave()
      }
    },
  }
}

/** Extensions of rooms for a client without rooms. */
const scopesOf = (request: SlidingRequest): Readonly<Record<string, Json>> => ({
  ...(request.receipts === undefined ? {} : { receipts: { rooms: {} } }),
  ...(request.typing === undefined ? {} : { typing: { rooms: {} } }),
})

/** A list that the client did not have, or with other filters, or that has more or fewer rooms now. */
const listsChanged = (lists: readonly ListState[], old: readonly ListState[]): boolean =>
  lists.some(
    (list) => !old.some((known) => known[0] === list[0] && known[1] === list[1] && known[2] === list[2]),
  )
