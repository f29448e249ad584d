import { isDeviceId } from '../../core/ids/device-id.js'
import { parseUserId } from '../../core/ids/user-id.js'
import { isObject, type Json, type JsonObject, ownValue } from '../../core/json/value.js'
import { backoffDelay } from '../../platform/backoff.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { Random } from '../../platform/random.js'
import {
  crossSigningKeysOf,
  deleteCrossSigningKeys,
  upsertCrossSigningKeys,
} from '../../storage/tables/cross-signing.js'
import * as rows from '../../storage/tables/device-keys.js'
import { insertDeviceListChange } from '../../storage/tables/device-list-changes.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { KeyRequests } from './key-federation.js'
import { limits, times } from './limits.js'
import {
  displayNameOf,
  isStreamId,
  readUserDevices,
  remoteDeviceKeys,
  remoteSigningKey,
  type RemoteList,
} from './remote-answers.js'
import type { SharerWaker } from './sharer-waker.js'

export interface RemoteDevicesDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly waker: SharerWaker
  readonly requests: KeyRequests
}

/** `current`: the cache is up to date. `unshared`: we share no room, and do not follow them. */
export type ResyncResult = 'current' | 'failed' | 'unshared'

export interface RemoteDevices {
  /** Fetches a remote user's list and follows it from now on. One fetch for all who wait. Never rejects. */
  resync(userId: string, timeoutMs: number): Promise<ResyncResult>
  /** Fetches the lists that are behind and due. For a job, every few seconds; resolves when they are done. */
  resyncDue(): Promise<void>
  /** An `m.device_list_update` of this server. Ignores what does not concern its own users. */
  onDeviceListUpdate(origin: string, content: JsonObject): Promise<void>
  /** An `m.signing_key_update` of this server. */
  onSigningKeyUpdate(origin: string, content: JsonObject): Promise<void>
  /** Resolves when no fetch is on its way. */
  idle(): Promise<void>
}

const BACKOFF = { initialMs: 2_000, maxMs: 600_000, factor: 2, jitter: 0.2 }
const RECENT_IDS = 20
const DUE_AT_ONCE = 50

/** Post: /sync tells of the user to those here who share a room with them; gives whose sharers to wake. */
function* tellOfRemoteUser(userId: string): Tx<readonly string[]> {
  yield* insertDeviceListChange(userId, yield* allocatePosition())
  return [userId]
}

function parseIds(text: string): readonly number[] {
  return JSON.parse(text) as number[]
}

/** Never fetched yet: nobody was told anything that could be outdated. */
const isNew = (row: rows.RemoteDeviceListRow): boolean => row.recent_ids === '[]'

export function createRemoteDevices(deps: RemoteDevicesDeps): RemoteDevices {
  const { store, clock, random, logger, waker, requests } = deps
  const fetching = new Map<string, Promise<ResyncResult>>()

  async function begin(userId: string, server: string): Promise<rows.RemoteDeviceListRow | undefined> {
    const now = clock.now()
    return await store.write('e2ee.beginResync', function* () {
      if (!(yield* rows.sharingWithAnyLocal([userId])).has(userId)) {
        yield* rows.forgetRemoteUsers([userId])
        return undefined
      }
      const known = (yield* rows.remoteDeviceLists([userId]))[0]
      if (known !== undefined) return known
      yield* rows.markRemoteListStale(userId, server, now)
      return (yield* rows.remoteDeviceLists([userId]))[0]
    })
  }

  async function save(userId: string, list: RemoteList, before: rows.RemoteDeviceListRow): Promise<void> {
    const retryAt = clock.now() + times.resyncInterval
    const users = await store.write('e2ee.saveRemoteDevices', function* () {
      const saved = yield* rows.saveRemoteList(userId, JSON.stringify([list.streamId]), before.stale, retryAt)
      // Meanwhile the last shared room was left.
      if (!saved) return []
      const old = yield* rows.remoteDevicesOf([userId])
      const gone = old.filter((row) => !list.devices.some((device) => device.device_id === row.device_id))
      const changed = list.devices.filter((device) => {
        const known = old.find((row) => row.device_id === device.device_id)
        return known?.json !== device.json || known.display_name !== device.display_name
      })
      const goneIds = gone.map((row) => row.device_id)
      if (goneIds.length > 0) yield* rows.deleteRemoteDevices(userId, goneIds)
      yield* rows.upsertRemoteDevices(changed)
      const usages = new Set(list.keys.map((key) => key.usage))
      const lost = (['master', 'self_signing'] as const).filter((usage) => !usages.has(usage))
      const keys =
        (yield* upsertCrossSigningKeys(list.keys)) +
        (lost.length === 0 ? 0 : yield* deleteCrossSigningKeys(userId, lost))
      if (isNew(before) || goneIds.length + changed.length + keys === 0) return []
      return yield* tellOfRemoteUser(userId)
    })
    waker.wake(users)
  }

  async function fail(userId: string, before: rows.RemoteDeviceListRow, error: unknown): Promise<void> {
    const failures = before.failures + 1
    const retryAt = clock.now() + backoffDelay(BACKOFF, failures, random)
    logger.info({ err: error, userId, failures }, 'the devices of a remote user could not be fetched')
    const users = await store.write('e2ee.resyncFailed', function* () {
      if (isNew(before)) {
        // Nobody relies on the list; the next query tries again.
        yield* rows.forgetRemoteUsers([userId])
        return []
      }
      yield* rows.saveRemoteListFailure(userId, failures, retryAt)
      // Clients learn at once that what they know is outdated, and again when it is mended.
      return failures === 1 ? yield* tellOfRemoteUser(userId) : []
    })
    waker.wake(users)
  }

  async function fetchList(userId: string, timeoutMs: number): Promise<ResyncResult> {
    const server = parseUserId(userId)!.domain
    const before = await begin(userId, server)
    if (before === undefined) return 'unshared'
    try {
      const path = `/_matrix/federation/v1/user/devices/${encodeURIComponent(userId)}`
      const answer = await requests.request(server, { method: 'GET', path }, timeoutMs)
      const list = readUserDevices(answer, userId)
      if (list === undefined) throw new Error('the answer is not a list of devices')
      await save(userId, list, before)
      return 'current'
    } catch (error) {
      await fail(userId, before, error)
      return 'failed'
    }
  }

  function resync(userId: string, timeoutMs: number): Promise<ResyncResult> {
    const running = fetching.get(userId)
    if (running !== undefined) return running
    const started = fetchList(userId, timeoutMs)
      .catch((error: unknown): ResyncResult => {
        logger.error({ err: error, userId }, 'a list of devices could not be stored')
        return 'failed'
      })
      .finally(() => fetching.delete(userId))
    fetching.set(userId, started)
    return started
  }

  /** Fetches in the background, unless it was tried a moment ago: then the job does it. */
  function kick(userId: string, retryAt: number): void {
    if (retryAt <= clock.now()) void resync(userId, times.defaultTimeout)
  }

  return {
    resync,
    async resyncDue() {
      const now = clock.now()
      const due = await store.read('e2ee.dueResyncs', () => rows.dueRemoteLists(now, DUE_AT_ONCE))
      await Promise.all(due.map((row) => resync(row.user_id, times.defaultTimeout)))
    },
    async onDeviceListUpdate(origin, content) {
      const update = readUpdate(origin, content)
      if (update === undefined) return
      const now = clock.now()
      const { users, retryAt } = await store.write('e2ee.deviceListUpdate', () =>
        applyUpdate(update, origin, now),
      )
      waker.wake(users)
      if (retryAt !== undefined) kick(update.userId, retryAt)
    },
    async onSigningKeyUpdate(origin, content) {
      const userId = ownValue(content, 'user_id')
      if (typeof userId !== 'string' || parseUserId(userId)?.domain !== origin) return
      const users = await store.write('e2ee.signingKeyUpdate', () => applySigningKeys(userId, content))
      waker.wake(users)
    },
    async idle() {
      while (fetching.size > 0) await Promise.all(fetching.values())
    },
  }
}

interface Update {
  readonly userId: string
  readonly deviceId: string
  readonly streamId: number
  readonly prevIds: readonly number[]
  readonly deleted: boolean
  readonly displayName: string | null
  readonly keys: string | null
}

/** Undefined for what is malformed or not about a user of the server that sent it. */
function readUpdate(origin: string, content: JsonObject): Update | undefined {
  const userId = ownValue(content, 'user_id')
  const deviceId = ownValue(content, 'device_id')
  const streamId = ownValue(content, 'stream_id')
  const prev: Json = ownValue(content, 'prev_id') ?? []
  if (typeof userId !== 'string' || parseUserId(userId)?.domain !== origin) return undefined
  if (typeof deviceId !== 'string' || !isDeviceId(deviceId) || !isStreamId(streamId)) return undefined
  if (!Array.isArray(prev) || prev.length > 1_000 || !prev.every(isStreamId)) return undefined
  const deleted = ownValue(content, 'deleted') === true
  return {
    userId,
    deviceId,
    streamId,
    prevIds: prev as number[],
    deleted,
    displayName: displayNameOf(ownValue(content, 'device_display_name')),
    keys: deleted || !isObject(content['keys']) ? null : remoteDeviceKeys(content['keys'], userId, deviceId),
  }
}

/**
 * Post: the update is in the cache, or the list is marked to be fetched; `retryAt` then says since when that may be done.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#device-management
 */
function* applyUpdate(
  update: Update,
  server: string,
  now: number,
): Tx<{ readonly users: readonly string[]; readonly retryAt?: number }> {
  const { userId, deviceId, streamId } = update
  if (!(yield* rows.sharingWithAnyLocal([userId])).has(userId)) return { users: [] }
  const list = (yield* rows.remoteDeviceLists([userId]))[0]
  // Nobody asked for the list since we share a room; whoever knows it from before has to ask again.
  // A list that is at its beginning cannot have changed: that its user is new here was told with their joining.
  const isFirst = streamId === 0 && update.prevIds.length === 0
  if (list === undefined) return { users: isFirst ? [] : yield* tellOfRemoteUser(userId) }
  const recent = parseIds(list.recent_ids)
  if (list.stale === 0 && recent.includes(streamId)) return { users: [] }
  const follows = update.prevIds.length > 0 && update.prevIds.every((id) => recent.includes(id))
  const full = !update.deleted && follows && (yield* rows.countRemoteDevices(userId)) >= limits.remoteDevices
  if (list.stale > 0 || !follows || full) {
    yield* rows.markRemoteListStale(userId, server, now)
    return { users: [], retryAt: list.retry_at }
  }
  if (update.deleted) yield* rows.deleteRemoteDevices(userId, [deviceId])
  else {
    const device = {
      user_id: userId,
      device_id: deviceId,
      display_name: update.displayName,
      json: update.keys,
    }
    yield* rows.upsertRemoteDevices([device])
  }
  const ids = JSON.stringify([...recent, streamId].slice(-RECENT_IDS))
  yield* rows.saveRemoteList(userId, ids, 0, list.retry_at)
  return { users: yield* tellOfRemoteUser(userId) }
}

/** Post: the cached cross-signing keys are those of the update. Gives whom to wake. */
function* applySigningKeys(userId: string, content: JsonObject): Tx<readonly string[]> {
  if (!(yield* rows.sharingWithAnyLocal([userId])).has(userId)) return []
  const master = remoteSigningKey(ownValue(content, 'master_key'), userId, 'master')
  const selfSigning = remoteSigningKey(ownValue(content, 'self_signing_key'), userId, 'self_signing')
  if (master === undefined && selfSigning === undefined) return []
  const list = (yield* rows.remoteDeviceLists([userId]))[0]
  if (list === undefined || isNew(list)) return yield* tellOfRemoteUser(userId)
  const known = yield* crossSigningKeysOf([userId])
  const oldMaster = known.find((row) => row.usage === 'master')
  let changes = yield* upsertCrossSigningKeys([master, selfSigning].filter((key) => key !== undefined))
  // The old self-signing key hangs on the old master key.
  if (master !== undefined && selfSigning === undefined && oldMaster?.public_key !== master.public_key)
    changes += yield* deleteCrossSigningKeys(userId, ['self_signing'])
  return changes === 0 ? [] : yield* tellOfRemoteUser(userId)
}
