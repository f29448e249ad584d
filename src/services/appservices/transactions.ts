import type { Json, JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Random } from '../../platform/random.js'
import {
  appserviceProgress,
  deleteQueuedForAppservice,
  deleteQueuedToDevice,
  queuedForAppservice,
  setAppserviceProgress,
  toDeviceForAppservice,
  type QueuedEvent,
  type QueuedToDevice,
  type ToDeviceForAppservice,
} from '../../storage/tables/appservices.js'
import { deleteToDeviceOfMany } from '../../storage/tables/to-device.js'
import type { RoomsContext } from '../rooms/context.js'
import { strippedStateFor } from '../rooms/stripped-state.js'
import type { ClientViews } from '../timeline/client-view.js'
import { deviceNewsFor, keyCountsOf, type DeviceNews, type KeyCounts } from './device-news.js'
import type { Ephemeral } from './ephemeral.js'
import type { Interest } from './interest.js'
import type { Appservice } from './registry.js'

/** What is sent to an application service at once, on disk before it is sent: a repetition has the same body. */
export interface Transaction {
  readonly id: string
  /** JSON. */
  readonly body: string
}

/** What is remembered of an application service while the node runs. */
export interface Place {
  /** Typing and presence up to here were told, or need not be. */
  fleeting: number
  /** Positions up to here were looked through, further than what is on disk says. */
  scanned: number
}

export interface Transactions {
  /**
   * The transaction under way, or a new one of all that waits, at most a batch; undefined where nothing does. SPEC:
   * https://spec.matrix.org/v1.19/application-service-api/#pushing-events
   */
  next(appservice: Appservice, place: Place): Promise<Transaction | undefined>
}

const MAX_EVENTS = 100
const MAX_TO_DEVICE = 100
const MAX_BYTES = 1024 * 1024
/** Positions that a restart may look through once more. */
const SCANNED_UNSAVED = 10_000

interface Found {
  readonly events: readonly QueuedEvent[]
  readonly shown: readonly JsonObject[]
  readonly messages: readonly ToDeviceForAppservice[]
  readonly queuedToDevice: readonly QueuedToDevice[]
  readonly upTo: number
  readonly ephemeral: readonly JsonObject[]
  readonly news: DeviceNews | undefined
  readonly counts: KeyCounts | undefined
}

export interface TransactionsDeps {
  readonly context: RoomsContext
  readonly clock: Pick<Clock, 'now'>
  readonly random: Pick<Random, 'string'>
  readonly views: ClientViews
  readonly interest: Interest
  readonly ephemeral: Ephemeral
}

export function createTransactions(deps: TransactionsDeps): Transactions {
  const { context, clock, random, views, interest, ephemeral } = deps
  const { store } = context

  /** An invite says what the room is, since its user cannot ask yet. */
  async function withRoomState(appservice: Appservice, event: JsonObject): Promise<JsonObject> {
    const { type, state_key: stateKey, room_id: roomId, content, sender } = event
    if (type !== 'm.room.member' || typeof stateKey !== 'string' || !appservice.ownsUser(stateKey))
      return event
    if ((content as JsonObject)['membership'] !== 'invite' || typeof roomId !== 'string') return event
    const room = await context.loader.load(roomId)
    if (room?.root === undefined) return event
    const state = await strippedStateFor(context, room, stateKey, sender as string)
    return {
      ...event,
      unsigned: { ...(event['unsigned'] as JsonObject | undefined), invite_room_state: state },
    }
  }

  /** The queued events as clients see them, as many as fit; those that are gone are passed over. */
  async function show(
    appservice: Appservice,
    queued: readonly QueuedEvent[],
  ): Promise<{ readonly taken: readonly QueuedEvent[]; readonly shown: readonly JsonObject[] }> {
    const stored = await context.events.byNids(queued.flatMap((row) => row.event_nid ?? []))
    const known = [...stored.values()]
    const viewed = await views.view(known, { userId: appservice.senderUserId, deviceId: undefined })
    const byNid = new Map(known.map((event, index) => [event.nid, viewed[index]!]))
    const shown: JsonObject[] = []
    let bytes = 0
    for (const [index, row] of queued.entries()) {
      const event = row.event_nid === null ? (JSON.parse(row.json!) as JsonObject) : byNid.get(row.event_nid)
      if (event === undefined) continue
      const full = await withRoomState(appservice, event)
      bytes += JSON.stringify(full).length
      if (bytes > MAX_BYTES && shown.length > 0) return { taken: queued.slice(0, index), shown }
      shown.push(full)
    }
    return { taken: queued, shown }
  }

  async function look(appservice: Appservice, place: Place, position: number): Promise<Found> {
    const { receivesEphemeral, encrypts } = appservice.registration
    const from = place.scanned
    const { queued, toDevice } = await store.read('appservices.queued', function* () {
      return {
        queued: yield* queuedForAppservice(appservice.id, position, MAX_EVENTS),
        toDevice: yield* toDeviceForAppservice(appservice.id, position, MAX_TO_DEVICE),
      }
    })
    // Keys of messages go with the messages or before them: those that wait behind the batch hold back what is later than they.
    const held =
      toDevice.queued.length < MAX_TO_DEVICE
        ? queued
        : queued.filter((row) => row.pos <= toDevice.queued.at(-1)!.pos)
    const { taken, shown } = await show(appservice, held)
    let upTo = position
    const ephemeralEvents: JsonObject[] = []
    if (receivesEphemeral && from < position) {
      const receipts = await ephemeral.receipts(appservice, from, position)
      upTo = receipts.upTo
      ephemeralEvents.push(...receipts.events)
    }
    if (receivesEphemeral) ephemeralEvents.push(...(await ephemeral.fleeting(appservice, place.fleeting)))
    let news: DeviceNews | undefined
    if (encrypts && from < upTo) {
      news = await deviceNewsFor(context, interest, appservice, from, upTo)
      upTo = news.upTo
    }
    const devices = encrypts ? [...(news?.devices ?? []), ...toDevice.messages] : []
    return {
      events: taken,
      shown,
      messages: toDevice.messages,
      queuedToDevice: toDevice.queued,
      upTo,
      ephemeral: ephemeralEvents,
      news,
      counts: devices.length === 0 ? undefined : await keyCountsOf(context, devices),
    }
  }

  /** One look at what waits: a transaction of it, on disk; or whether more may wait behind what concerns nobody. */
  async function begin(
    appservice: Appservice,
    place: Place,
    saved: number,
  ): Promise<Transaction | 'more' | 'nothing'> {
    const { id } = appservice
    const fleeting = ephemeral.current()
    const position = await store.position()
    const found = await look(appservice, place, position)
    const body = bodyOf(appservice, found)
    const transaction =
      body === undefined
        ? undefined
        : {
            id: `${position}-${random.string(10, 'abcdefghijklmnopqrstuvwxyz0123456789')}`,
            body: JSON.stringify(body),
          }
    const hasQueued = found.events.length + found.queuedToDevice.length > 0
    if (transaction !== undefined || hasQueued || found.upTo - saved > SCANNED_UNSAVED) {
      await store.write('appservices.begin', function* () {
        yield* deleteQueuedForAppservice(found.events)
        yield* deleteQueuedToDevice(found.queuedToDevice)
        yield* deleteToDeviceOfMany(delivered(appservice, found.messages))
        yield* setAppserviceProgress(id, {
          pos: found.upTo,
          txn_id: transaction?.id ?? null,
          body: transaction?.body ?? null,
          txn_ts: transaction === undefined ? null : (found.events[0]?.ts ?? clock.now()),
        })
      })
    }
    place.fleeting = fleeting
    place.scanned = found.upTo
    return transaction ?? (hasQueued || found.upTo < position ? 'more' : 'nothing')
  }

  return {
    async next(appservice, place) {
      for (;;) {
        const progress = await store.read('appservices.progress', () => appserviceProgress(appservice.id))
        if (progress === undefined) return undefined
        if (progress.txn_id !== null && progress.body !== null)
          return { id: progress.txn_id, body: progress.body }
        place.scanned = Math.max(place.scanned, progress.pos)
        const begun = await begin(appservice, place, progress.pos)
        if (begun === 'nothing') return undefined
        if (begun !== 'more') return begun
      }
    },
  }
}

/**
 * The last of these messages for each device that only the application service can be: it encrypts, and has the user for itself. For all
 * others the messages stay until the device fetches them too.
 */
function delivered(
  appservice: Appservice,
  messages: readonly ToDeviceForAppservice[],
): readonly ToDeviceForAppservice[] {
  if (!appservice.registration.encrypts) return []
  const last = new Map<string, ToDeviceForAppservice>()
  for (const message of messages) {
    if (appservice.hasForItself(message.user_id)) last.set(`${message.user_id} ${message.device_id}`, message)
  }
  return [...last.values()]
}

/** Undefined where there is nothing to tell. Each part has the names beside the specification's by which bridges of today read it. */
function bodyOf(appservice: Appservice, found: Found): JsonObject | undefined {
  const { receivesEphemeral, encrypts } = appservice.registration
  const toDevice = found.messages.map((message): JsonObject => ({
    type: message.type,
    sender: message.sender,
    content: JSON.parse(message.content) as JsonObject,
    to_user_id: message.user_id,
    to_device_id: message.device_id,
  }))
  const { changed, left } = found.news?.lists ?? { changed: [], left: [] }
  const hasLists = changed.length > 0 || left.length > 0
  if (
    found.shown.length + toDevice.length + found.ephemeral.length === 0 &&
    !hasLists &&
    found.counts === undefined
  )
    return undefined
  const body: Record<string, Json> = { events: found.shown }
  if (receivesEphemeral) {
    body['ephemeral'] = found.ephemeral
    body['de.sorunome.msc2409.ephemeral'] = found.ephemeral
  }
  if (receivesEphemeral || encrypts) {
    body['to_device'] = toDevice
    body['de.sorunome.msc2409.to_device'] = toDevice
  }
  if (hasLists) {
    const lists = { changed: [...changed], left: [...left] }
    body['device_lists'] = lists
    body['org.matrix.msc3202.device_lists'] = lists
  }
  if (found.counts !== undefined) {
    const { counts, fallback } = found.counts
    body['device_one_time_keys_count'] = counts
    body['org.matrix.msc3202.device_one_time_keys_count'] = counts
    // The name that the proposal had first.
    body['org.matrix.msc3202.device_one_time_key_counts'] = counts
    body['device_unused_fallback_key_types'] = fallback
    body['org.matrix.msc3202.device_unused_fallback_key_types'] = fallback
  }
  return body
}
