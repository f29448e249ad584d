import { MatrixError, badJson } from '../../core/errors.js'
import { fitsId, isLegalText } from '../../core/ids/common.js'
import { parseUserId } from '../../core/ids/user-id.js'
import { ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { Notifier } from '../../platform/notifier.js'
import type { Random } from '../../platform/random.js'
import { localDevicesOf } from '../../storage/tables/device-keys.js'
import { enqueueEdus, type OutboxEdu } from '../../storage/tables/outbox.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import { recordTransaction } from '../../storage/tables/client-transactions.js'
import * as rows from '../../storage/tables/to-device.js'
import { deleteInBatches } from '../../storage/delete-in-batches.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { Requester } from '../requester.js'
import { boundQueues, type DroppedMessages, type QueueLimits } from './bound-queues.js'
import { readMessages } from './read-messages.js'
import { fitsEdu, splitIntoEdus, type DeviceMessage } from './split-edus.js'

export interface ToDeviceDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly notifier: Notifier
  readonly serverName: string
  /** After a durable write: something waits for these servers. */
  readonly wakeSender: (destinations: readonly string[]) => void
  /** What else is written with messages that wait for these devices: for application services. */
  stage?(
    rows: readonly { readonly user_id: string; readonly device_id: string; readonly pos: number }[],
  ): Tx<void>
  readonly options?: Partial<ToDeviceOptions>
}

export interface ToDeviceOptions extends QueueLimits {
  /** Milliseconds that a message waits for its device. */
  readonly maxAge: number
  /** Messages in one request, and local devices once `*` is expanded. */
  readonly messagesPerRequest: number
}

const DEFAULTS: ToDeviceOptions = {
  maxMessages: 10_000,
  maxBytes: 32 * 1024 * 1024,
  maxAge: 180 * 24 * 3_600_000,
  messagesPerRequest: 10_000,
}

export interface ToDeviceEvent {
  readonly sender: string
  readonly type: string
  readonly content: JsonObject
}

export interface ToDeviceBatch {
  readonly events: readonly ToDeviceEvent[]
  /** The position to continue after; the next `since` for to-device messages. */
  readonly upTo: number
  /** Whether more waits in the range: the sync that carries this must not wait. */
  readonly more: boolean
}

/** Messages to single devices. SPEC: https://spec.matrix.org/v1.19/client-server-api/#send-to-device-messaging */
export interface ToDevice {
  /**
   * `PUT /sendToDevice`: on disk for local devices and in the outbox for others when it resolves; once for each
   * transaction id of a device. Throws M_BAD_JSON, M_INVALID_PARAM, M_TOO_LARGE.
   */
  send(
    requester: Requester,
    eventType: string,
    txnId: string,
    messages: Json | undefined,
  ): Promise<Record<string, never>>
  /** An `m.direct_to_device` of another server; true when the type was that. Never throws for bad content. */
  onEdu(origin: string, type: string, content: JsonObject): Promise<boolean>
  /** For `/sync`: the oldest messages after `fromPos`, up to and with `toPos`. */
  toDeviceFor(
    userId: string,
    deviceId: string,
    fromPos: number,
    toPos: number,
    limit?: number,
  ): Tx<ToDeviceBatch>
  /** Deletes what an earlier answer carried, once the client comes with that answer's position. Writes only if there is something. */
  acknowledge(userId: string, deviceId: string, upToPos: number): Promise<void>
  deleteToDevice(userId: string, deviceId: string, upToPos: number): Tx<void>
  /** For the transaction that deletes devices. */
  onDevicesDeleted(userId: string, deviceIds: readonly string[]): Tx<void>
  /** Job, every hour: forgets messages that nobody fetched for long, and ids of messages received long ago. */
  cleanUp(): Promise<void>
}

const RECEIVED_KEPT = 30 * 24 * 3_600_000
const CLEAN_BATCH = 1_000
const DEFAULT_LIMIT = 100

export function createToDevice(deps: ToDeviceDeps): ToDevice {
  const { store, clock, random, logger, notifier } = deps
  const options = { ...DEFAULTS, ...deps.options }

  /** Post: the messages wait for the devices that exist; `*` is every device. Gives the users to wake. */
  function* deliver(
    sender: string,
    type: string,
    messages: readonly DeviceMessage[],
    ts: number,
  ): Tx<{ readonly users: readonly string[]; readonly dropped: readonly DroppedMessages[] }> {
    if (messages.length === 0) return { users: [], dropped: [] }
    const users = [...new Set(messages.map((message) => message.userId))]
    const devices = new Map<string, Set<string>>()
    for (const row of yield* localDevicesOf(users)) {
      const known = devices.get(row.user_id)
      if (known === undefined) devices.set(row.user_id, new Set([row.device_id]))
      else known.add(row.device_id)
    }
    /** By user and device: a message to a device itself goes before one to all. */
    const addressed = new Map<string, { userId: string; deviceId: string; content: string }>()
    const sorted = [...messages].sort((a, b) => Number(b.deviceId === '*') - Number(a.deviceId === '*'))
    for (const { userId, deviceId, content } of sorted) {
      const known = devices.get(userId)
      const targets = deviceId === '*' ? [...(known ?? [])] : known?.has(deviceId) === true ? [deviceId] : []
      for (const target of targets)
        addressed.set(`${userId} ${target}`, { userId, deviceId: target, content })
    }
    if (addressed.size === 0) return { users: [], dropped: [] }
    if (addressed.size > options.messagesPerRequest)
      throw new MatrixError('M_TOO_LARGE', `More than ${options.messagesPerRequest} devices at once`)
    const woken = [...new Set([...addressed.values()].map((message) => message.userId))]
    const pos = yield* allocatePosition()
    yield* rows.insertToDevice(
      [...addressed.values()].map((message) => ({
        user_id: message.userId,
        device_id: message.deviceId,
        pos,
        ts,
        sender,
        type,
        content: message.content,
      })),
    )
    if (deps.stage !== undefined)
      yield* deps.stage(
        [...addressed.values()].map(({ userId, deviceId }) => ({
          user_id: userId,
          device_id: deviceId,
          pos,
        })),
      )
    return { users: woken, dropped: yield* boundQueues(woken, options) }
  }

  function report(dropped: readonly DroppedMessages[]): void {
    for (const queue of dropped)
      logger.warn({ ...queue }, 'a device does not fetch its messages: the oldest were dropped')
  }

  async function send(
    requester: Requester,
    eventType: string,
    txnId: string,
    value: Json | undefined,
  ): Promise<Record<string, never>> {
    const sender = requester.userId
    if (!fitsId(eventType) || !isLegalText(eventType) || !fitsId(txnId) || !isLegalText(txnId))
      throw new MatrixError('M_INVALID_PARAM', 'The event type or transaction id is too long')
    const messages = readMessages(value, options.messagesPerRequest)
    if (typeof messages === 'string') throw badJson(messages)
    const tooLarge = messages.find((message) => !fitsEdu(sender, eventType, message))
    if (tooLarge !== undefined)
      throw new MatrixError('M_TOO_LARGE', `The message for ${tooLarge.userId} is too large`)

    const local: DeviceMessage[] = []
    const remote = new Map<string, DeviceMessage[]>()
    for (const message of messages) {
      const server = parseUserId(message.userId)!.domain
      if (server === deps.serverName) local.push(message)
      else if (remote.has(server)) remote.get(server)!.push(message)
      else remote.set(server, [message])
    }
    const edus = [...remote].flatMap(([destination, list]): OutboxEdu[] =>
      splitIntoEdus(sender, eventType, list, () => random.string(24)).map((content) => ({
        destination,
        eduType: 'm.direct_to_device',
        content,
        coalesceKey: null,
      })),
    )
    const ts = clock.now()
    const transaction = {
      userId: sender,
      deviceId: requester.deviceId ?? requester.appserviceId ?? '',
      path: `sendToDevice/${eventType}`,
      txnId,
    }
    const { users, dropped } = await store.write('toDevice.send', function* () {
      const isNew = yield* recordTransaction(transaction, ts)
      if (!isNew) return { users: [], dropped: [] }
      yield* enqueueEdus(edus)
      return yield* deliver(sender, eventType, local, ts)
    })
    report(dropped)
    notifier.notify(users)
    deps.wakeSender([...remote.keys()])
    return {}
  }

  async function receive(origin: string, content: JsonObject): Promise<void> {
    const sender = ownValue(content, 'sender')
    const type = ownValue(content, 'type')
    const messageId = ownValue(content, 'message_id')
    if (typeof sender !== 'string' || parseUserId(sender)?.domain !== origin) return
    if (typeof type !== 'string' || !fitsId(type) || !isLegalText(type)) return
    if (typeof messageId !== 'string' || !fitsId(messageId) || !isLegalText(messageId)) return
    const messages = readMessages(ownValue(content, 'messages'), options.messagesPerRequest)
    if (typeof messages === 'string') {
      logger.debug({ origin, reason: messages }, 'a message to devices was malformed')
      return
    }
    const ours = messages.filter(
      (message) => parseUserId(message.userId)!.domain === deps.serverName && fitsEdu(sender, type, message),
    )
    const ts = clock.now()
    const written = store.write('toDevice.receive', function* () {
      const isNew = yield* rows.recordReceivedToDevice(origin, messageId, ts)
      return isNew ? yield* deliver(sender, type, ours, ts) : { users: [], dropped: [] }
    })
    try {
      const { users, dropped } = await written
      report(dropped)
      notifier.notify(users)
    } catch (error) {
      // Too much for one message; what the store refuses is to be tried again by the sender.
      if (!(error instanceof MatrixError)) throw error
      logger.info({ origin, err: error }, 'a message to devices was refused')
    }
  }

  function* deleteToDevice(userId: string, deviceId: string, upToPos: number): Tx<void> {
    yield* rows.deleteToDeviceUpTo(userId, deviceId, upToPos)
  }

  return {
    send,
    async onEdu(origin, type, content) {
      if (type !== 'm.direct_to_device') return false
      await receive(origin, content)
      return true
    },
    *toDeviceFor(userId, deviceId, fromPos, toPos, limit = DEFAULT_LIMIT) {
      const found = yield* rows.toDeviceBetween(userId, deviceId, fromPos, toPos, limit + 1)
      const page = found.slice(0, limit)
      const more = found.length > limit
      return {
        events: page.map((row) => ({
          sender: row.sender,
          type: row.type,
          content: JSON.parse(row.content) as JsonObject,
        })),
        upTo: more ? page.at(-1)!.pos : toPos,
        more,
      }
    },
    async acknowledge(userId, deviceId, upToPos) {
      const waits = await store.read('toDevice.pending', () =>
        rows.hasToDeviceUpTo(userId, deviceId, upToPos),
      )
      if (waits) await store.write('toDevice.acknowledge', () => deleteToDevice(userId, deviceId, upToPos))
    },
    deleteToDevice,
    *onDevicesDeleted(userId, deviceIds) {
      yield* rows.deleteToDeviceOfDevices(userId, deviceIds)
    },
    async cleanUp() {
      const now = clock.now()
      for (;;) {
        const old = await store.write('toDevice.forgetOld', function* () {
          const queues = yield* rows.queuesWithOldMessages(now - options.maxAge, CLEAN_BATCH)
          let gone = 0
          for (const queue of queues)
            gone += yield* rows.deleteToDeviceUpTo(queue.user_id, queue.device_id, queue.pos)
          return gone
        })
        if (old > 0)
          logger.warn({ messages: old }, 'messages that no device fetched were dropped for their age')
        else break
      }
      await deleteInBatches(store, 'toDevice.forgetReceived', CLEAN_BATCH, (size) =>
        rows.deleteReceivedToDevice(now - RECEIVED_KEPT, size),
      )
    },
  }
}
