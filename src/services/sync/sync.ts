import type { Json, JsonObject } from '../../core/json/value.js'
import { createLru } from '../../platform/lru.js'
import type { Notifier } from '../../platform/notifier.js'
import type { Semaphore } from '../../platform/semaphore.js'
import { accountDataBetween, type AccountDataRow } from '../../storage/tables/account-data.js'
import { ignoredUsersOf } from '../account-data/ignored-users.js'
import type { PushRules } from '../push/push-rules.js'
import type { Presence } from '../presence/presence.js'
import type { Requester } from '../requester.js'
import type { RoomsContext } from '../rooms/context.js'
import type { Aggregations } from '../timeline/aggregations.js'
import type { ClientViews } from '../timeline/client-view.js'
import type { LostPositions } from '../timeline/lost-positions.js'
import { parseSyncToken, syncToken } from '../timeline/tokens.js'
import type { ToDevice } from '../to-device/to-device.js'
import type { Typing } from '../typing/typing.js'
import { accountDataEvent, missingPushRules, PUSH_RULES } from './account-data-event.js'
import type { DeviceParts } from './device-part.js'
import { compileSyncFilter, type SyncFilter } from './filter.js'
import type { Frame, SyncInput } from './frame.js'
import { createParkedSubscriptions } from './parked-subscriptions.js'
import { createRoomsPart } from './rooms-part.js'
import { MAX_STICKY, stickyBatch } from './sticky-part.js'
import type { WaitingPolls } from './waiting-polls.js'

export interface Sync {
  /** Long-polls until there is news, at most `timeoutMs`. Throws M_INVALID_PARAM for a foreign token. */
  sync(requester: Requester, input: SyncInput): Promise<JsonObject>
}

export interface SyncDeps {
  readonly context: RoomsContext
  readonly views: ClientViews
  readonly aggregations: Aggregations
  readonly notifier: Notifier
  readonly typing: Typing
  readonly presence?: Pick<Presence, 'eventsFor'>
  readonly deviceParts: DeviceParts
  readonly waitingPolls: WaitingPolls
  readonly toDevice: Pick<ToDevice, 'acknowledge'>
  readonly pushRules: PushRules
  readonly lost: LostPositions
  readonly maxTimeoutMs: number
  /** Bounds how many answers are computed at once; waiting ones hold no place. */
  readonly gate: Semaphore
  /** For metrics: after each computation, the waiting not counted. */
  onComputed?(kind: 'initial' | 'incremental', seconds: number): void
}

interface Answer {
  readonly json: Record<string, Json>
  readonly hasNews: boolean
  readonly nextBatch: string
  /** Nothing that is there was held back for a later answer. */
  readonly complete: boolean
  readonly hasMessages: boolean
}

export function createSync(deps: SyncDeps): Sync {
  const { context, typing } = deps
  const roomsPart = createRoomsPart(deps)
  const filters = createLru<string, SyncFilter>({ max: 500 })
  const parked = createParkedSubscriptions()

  function compiled(json: JsonObject): SyncFilter {
    const key = JSON.stringify(json)
    let filter = filters.get(key)
    if (filter === undefined) {
      filter = compileSyncFilter(json)
      filters.set(key, filter)
    }
    return filter
  }

  /** A token of a database that is lost: its client knows more than is here, and is told everything. */
  const isUnknown = (position: number, upTo: number): boolean => position > upTo || deps.lost.isLost(position)

  async function compute(requester: Requester, input: SyncInput): Promise<Answer> {
    const since = input.since === undefined ? undefined : parseSyncToken(input.since)
    const { userId, deviceId } = requester
    const ephemeralNow = typing.position()
    const upTo = await context.store.position()
    const frame: Frame = {
      viewer: { userId, deviceId },
      since,
      from: since === undefined || isUnknown(since.pos, upTo) ? 0 : since.pos,
      upTo,
      // A token of a former run with a faster clock: everybody's typing is news.
      typingFrom: since === undefined || since.ephemeral > ephemeralNow ? 0 : since.ephemeral,
      filter: compiled(input.filter),
      input,
    }
    const stickyRange = {
      from: frame.from === 0 ? 0 : (since?.sticky ?? frame.from),
      to: upTo,
      now: context.clock.now(),
      limit: MAX_STICKY,
    }
    const { data, sticky } = await context.store.read('sync.accountData', function* () {
      return {
        data: yield* accountDataBetween(userId, frame.from, upTo),
        sticky: yield* stickyBatch(userId, stickyRange),
      }
    })
    const rooms = await roomsPart.compute(frame, data, sticky)
    const global = data.filter(
      (row) => row.room_id === '' && frame.filter.accountData.admits({ type: row.type, content: {} }),
    )
    const presence = await presencePart(frame)
    const e2ee = await e2eePart(frame)
    const nextBatch = syncToken({
      pos: upTo,
      ephemeral: ephemeralNow,
      toDevice: e2ee.toDeviceUpTo,
      sticky: sticky.upTo,
    })
    const json: Record<string, Json> = {
      next_batch: nextBatch,
      rooms: rooms.json,
      account_data: { events: [...global.map(accountDataEvent), ...(await defaultRules(frame, data))] },
      presence: { events: presence },
      ...e2ee.json,
    }
    return {
      json,
      hasNews:
        rooms.hasNews || global.length > 0 || e2ee.hasNews || presence.length > 0 || since === undefined,
      nextBatch,
      complete: e2ee.toDeviceUpTo >= upTo && sticky.upTo >= upTo,
      hasMessages: e2ee.hasMessages,
    }
  }

  async function measured(requester: Requester, input: SyncInput): Promise<Answer> {
    const started = context.clock.monotonic()
    const answer = await compute(requester, input)
    const seconds = (context.clock.monotonic() - started) / 1_000
    deps.onComputed?.(input.since === undefined ? 'initial' : 'incremental', seconds)
    return answer
  }

  async function defaultRules(frame: Frame, data: readonly AccountDataRow[]): Promise<readonly JsonObject[]> {
    const wanted = frame.from === 0 && frame.filter.accountData.admits({ type: PUSH_RULES, content: {} })
    return wanted ? missingPushRules(deps.pushRules, frame.viewer.userId, data) : []
  }

  /** Up to now, and perhaps a little beyond the token: who changed since is shown once more. */
  async function presencePart({ viewer, typingFrom, filter }: Frame): Promise<JsonObject[]> {
    if (deps.presence === undefined || filter.presence.nothing) return []
    const events = await deps.presence.eventsFor(viewer.userId, typingFrom)
    if (events.length === 0) return []
    const ignored = await context.store.read('sync.ignored', () => ignoredUsersOf(viewer.userId))
    return events.filter(
      (event) =>
        !ignored.has(event['sender'] as string) &&
        filter.presence.admits({
          type: 'm.presence',
          sender: event['sender'] as string,
          content: event['content'] as JsonObject,
        }),
    )
  }

  async function e2eePart(frame: Frame): Promise<{
    json: Record<string, Json>
    hasNews: boolean
    hasMessages: boolean
    toDeviceUpTo: number
  }> {
    const { viewer, since, from, upTo } = frame
    const toDeviceFrom = since?.toDevice ?? 0
    const { userId, deviceId } = viewer
    if (deviceId === undefined)
      return { json: { to_device: { events: [] } }, hasNews: false, hasMessages: false, toDeviceUpTo: upTo }
    const { batch, counts, lists } = await deps.deviceParts.read({
      userId,
      deviceId,
      toDeviceFrom,
      listsFrom: since === undefined ? undefined : from,
      upTo,
    })
    const countsChanged = counts.pos !== undefined && counts.pos > from
    return {
      json: {
        to_device: { events: batch.events.map((event): JsonObject => ({ ...event })) },
        device_lists: { changed: [...lists.changed], left: [...lists.left] },
        device_one_time_keys_count: counts.counts as JsonObject,
        device_unused_fallback_key_types: [...counts.unusedFallback],
        'org.matrix.msc2732.device_unused_fallback_key_types': [...counts.unusedFallback],
      },
      hasNews: batch.events.length > 0 || lists.changed.length > 0 || lists.left.length > 0 || countsChanged,
      hasMessages: batch.events.length > 0,
      toDeviceUpTo: batch.upTo,
    }
  }

  return {
    async sync(requester, input) {
      const { clock } = context
      const since = input.since === undefined ? undefined : parseSyncToken(input.since)
      const viewer = { userId: requester.userId, deviceId: requester.deviceId }
      const kept = input.since === undefined ? undefined : parked.take(viewer, input.since)
      const subscription = kept?.subscription ?? deps.notifier.subscribe([requester.userId])
      const deadline = clock.monotonic() + Math.min(Math.max(0, input.timeoutMs), deps.maxTimeoutMs)
      const place = deps.waitingPolls.enter(requester.userId, input.giveWay)
      let answered: Answer | undefined
      try {
        // After an answer without messages none is left that it could acknowledge: those before it the request for it did.
        if (
          since !== undefined &&
          viewer.deviceId !== undefined &&
          since.toDevice > 0 &&
          kept?.hadMessages !== false
        )
          await deps.toDevice.acknowledge(viewer.userId, viewer.deviceId, since.toDevice)
        let left = deadline - clock.monotonic()
        // All that the token covers was computed under this subscription: only what has woken it since is news.
        if (kept !== undefined && !input.fullState && left > 0) await subscription.wait(left, input.signal)
        for (;;) {
          const answer = await deps.gate.run(() => measured(requester, input))
          answered = answer
          await input.stillAllowed?.()
          left = deadline - clock.monotonic()
          if (answer.hasNews || input.fullState || left <= 0 || input.signal.aborted) return answer.json
          const woken = await subscription.wait(left, input.signal)
          if (woken) continue
          await input.stillAllowed?.()
          return answer.json
        }
      } finally {
        if (answered?.complete === true)
          parked.park(viewer, {
            token: answered.nextBatch,
            subscription,
            hadMessages: answered.hasMessages,
          })
        else subscription.close()
        place.leave()
      }
    },
  }
}
