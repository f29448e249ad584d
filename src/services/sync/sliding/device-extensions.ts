import type { Json, JsonObject } from '../../../core/json/value.js'
import type { Store } from '../../../storage/tx.js'
import type { Requester } from '../../requester.js'
import { parseToDeviceToken, toDeviceToken } from '../../timeline/tokens.js'
import type { ToDevice } from '../../to-device/to-device.js'
import type { DeviceParts } from '../device-part.js'
import { UP_TO_DATE } from './connection-state.js'
import type { SlidingFrame } from './frame.js'
import type { NextState } from './next-state.js'
import type { SlidingRequest } from './request.js'

/**
 * Deletes the messages that the client says it has, by a `since` of its own, apart from `pos`.
 * A token that lies ahead of all positions acknowledges nothing. Throws M_INVALID_PARAM for what is no token.
 * SPEC: https://github.com/matrix-org/matrix-spec-proposals/pull/3885
 */
export async function acknowledgeToDevice(
  { userId, deviceId }: Requester,
  request: SlidingRequest,
  store: Store,
  toDevice: Pick<ToDevice, 'acknowledge'>,
): Promise<void> {
  const since = request.toDevice?.since
  if (since === undefined || deviceId === undefined) return
  const pos = parseToDeviceToken(since)
  if (pos > 0 && pos <= (await store.position())) await toDevice.acknowledge(userId, deviceId, pos)
}

/** The extensions `to_device` and `e2ee`. */
export async function devicePart(
  { viewer, request, state, from, upTo }: SlidingFrame,
  next: NextState,
  parts: DeviceParts,
): Promise<{ readonly json: JsonObject; readonly hasNews: boolean; readonly complete: boolean }> {
  const { userId, deviceId } = viewer
  const { toDevice, e2ee } = request
  const mark = state.meta.deviceLists
  if (!e2ee && mark === UP_TO_DATE && from > 0) next.setMeta({ deviceLists: from })
  if (deviceId === undefined || (toDevice === undefined && !e2ee))
    return { json: {}, hasNews: false, complete: true }
  const since = toDevice?.since === undefined ? 0 : parseToDeviceToken(toDevice.since)
  const toDeviceFrom = since > upTo ? 0 : since
  // A client that begins asks for the devices of everybody whom it meets.
  const listsFrom = mark === UP_TO_DATE ? from : (mark ?? undefined)
  const { batch, counts, lists } = await parts.read({
    userId,
    deviceId,
    toDeviceFrom: toDevice === undefined || toDevice.limit === 0 ? undefined : toDeviceFrom,
    ...(toDevice === undefined ? {} : { limit: toDevice.limit }),
    listsFrom: e2ee ? listsFrom : undefined,
    upTo,
  })
  const json: Record<string, Json> = {}
  if (toDevice !== undefined) {
    json['to_device'] = {
      // It stays where it is while nothing comes, so that clients need not store it anew.
      next_batch: toDeviceToken(batch.events.length === 0 && since === toDeviceFrom ? since : batch.upTo),
      events: batch.events.map((event): JsonObject => ({ ...event })),
    }
  }
  if (e2ee) {
    next.setMeta({ deviceLists: UP_TO_DATE })
    json['e2ee'] = {
      device_lists: { changed: [...lists.changed], left: [...lists.left] },
      // Always there: a client could not tell that there are none from that nothing changed.
      device_one_time_keys_count: counts.counts as JsonObject,
      device_unused_fallback_key_types: [...counts.unusedFallback],
    }
  }
  const countsChanged = e2ee && counts.pos !== undefined && counts.pos > from
  const listsChanged = e2ee && (lists.changed.length > 0 || lists.left.length > 0)
  return {
    json,
    hasNews: batch.events.length > 0 || listsChanged || countsChanged || (e2ee && mark === null),
    complete: batch.events.length === 0 || !batch.more,
  }
}
