import { badJson, invalidParam } from '../../core/errors.js'
import { isDeviceId } from '../../core/ids/device-id.js'
import { isUserId, parseUserId } from '../../core/ids/user-id.js'
import { isObject, type JsonObject, ownValue } from '../../core/json/value.js'
import { signaturesFor } from '../../storage/tables/cross-signing.js'
import { remoteDeviceLists, sharingWithAnyLocal } from '../../storage/tables/device-keys.js'
import { lastDeviceListChange } from '../../storage/tables/device-list-changes.js'
import type { Store } from '../../storage/tx.js'
import { clampTimeout, describeFailure, type KeyRequests } from './key-federation.js'
import type { KeyOwners } from './key-owners.js'
import { limits } from './limits.js'
import { readQueriedKeys } from './remote-answers.js'
import type { RemoteDevices } from './remote-devices.js'
import { chunks, record } from './results.js'
import { ANOTHER_SERVER, cachedUserKeys, localUserKeys, withSignature, type UserKeys } from './user-keys.js'

export interface QueryKeysDeps {
  readonly store: Store
  readonly serverName: string
  readonly requests: KeyRequests
  readonly remote: RemoteDevices
  readonly owners: KeyOwners
  readonly displayNamesOverFederation: boolean
}

export interface KeysAnswer {
  readonly device_keys: Record<string, Record<string, JsonObject>>
  readonly master_keys: Record<string, JsonObject>
  readonly self_signing_keys: Record<string, JsonObject>
}

export interface ClientKeysAnswer extends KeysAnswer {
  readonly user_signing_keys: Record<string, JsonObject>
  readonly failures: Record<string, JsonObject>
}

/** User → the devices asked for; none for all. */
type Wishes = ReadonlyMap<string, readonly string[]>

/** Users in one transaction. */
const BATCH = 200
/** Users of one server whose lists are fetched one by one, to be followed; more are asked for together, and not followed yet. */
const FOLLOWED_AT_ONCE = 20

function readWishes(body: JsonObject): Wishes {
  const value = ownValue(body, 'device_keys')
  if (!isObject(value)) throw badJson('device_keys is not an object')
  const users = Object.keys(value)
  if (users.length > limits.usersPerQuery)
    throw invalidParam(`At most ${limits.usersPerQuery} users can be queried at once`)
  const wishes = new Map<string, readonly string[]>()
  for (const userId of users) {
    const devices = value[userId]
    if (!isUserId(userId)) throw badJson('device_keys: a member is not named by a user id')
    if (!Array.isArray(devices) || !devices.every((id) => typeof id === 'string' && isDeviceId(id)))
      throw badJson(`device_keys: ${userId} is not a list of device ids`)
    wishes.set(userId, devices as string[])
  }
  return wishes
}

const emptyAnswer = (): ClientKeysAnswer => ({
  device_keys: record(),
  master_keys: record(),
  self_signing_keys: record(),
  user_signing_keys: record(),
  failures: record(),
})

function add(answer: ClientKeysAnswer, wishes: Wishes, userId: string, keys: UserKeys): void {
  const wanted = wishes.get(userId) ?? []
  const devices = record<JsonObject>()
  for (const [deviceId, device] of keys.devices) {
    if (wanted.length === 0 || wanted.includes(deviceId)) devices[deviceId] = device
  }
  answer.device_keys[userId] = devices
  if (keys.master !== undefined) answer.master_keys[userId] = keys.master
  if (keys.selfSigning !== undefined) answer.self_signing_keys[userId] = keys.selfSigning
  if (keys.userSigning !== undefined) answer.user_signing_keys[userId] = keys.userSigning
}

/** `POST /keys/query` of a client. SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysquery */
export async function queryKeys(
  deps: QueryKeysDeps,
  viewer: string,
  body: JsonObject,
): Promise<ClientKeysAnswer> {
  const wishes = readWishes(body)
  const timeoutMs = clampTimeout(ownValue(body, 'timeout'))
  const answer = emptyAnswer()
  const local: string[] = []
  const byServer = new Map<string, string[]>()
  for (const userId of wishes.keys()) {
    const server = parseUserId(userId)!.domain
    if (server === deps.serverName) local.push(userId)
    else if (byServer.has(server)) byServer.get(server)!.push(userId)
    else byServer.set(server, [userId])
  }
  for (const part of chunks(local, BATCH)) {
    const keys = await deps.store.read('e2ee.queryKeys', () => localUserKeys(part, viewer, true))
    await mergeOwned(deps, keys, wishes)
    for (const [userId, found] of keys) add(answer, wishes, userId, found)
  }
  await Promise.all(
    [...byServer].map(([server, users]) =>
      queryServer(deps, viewer, server, users, wishes, timeoutMs, answer),
    ),
  )
  return answer
}

/**
 * Puts what application services say of keys of their own users over what is known here. Gives the devices of those users.
 * NOTSPEC: MSC3984.
 */
async function mergeOwned(
  { owners }: Pick<QueryKeysDeps, 'owners'>,
  keys: ReadonlyMap<string, UserKeys>,
  wishes: Wishes,
): Promise<Map<string, JsonObject>[]> {
  const asked = record<readonly string[]>()
  for (const userId of keys.keys()) if (owners.owns(userId)) asked[userId] = wishes.get(userId) ?? []
  if (Object.keys(asked).length === 0) return []
  const merged: Map<string, JsonObject>[] = []
  for (const { userIds, json } of await owners.query(asked)) {
    for (const userId of userIds) {
      const given = readQueriedKeys(json, userId)
      const known = keys.get(userId)
      if (given === undefined || known === undefined) continue
      for (const [id, device] of given.devices) known.devices.set(id, device)
      if (given.master !== undefined) known.master = given.master
      if (given.selfSigning !== undefined) known.selfSigning = given.selfSigning
      merged.push(known.devices)
    }
  }
  return merged
}

const nameless = ({ unsigned: _unsigned, ...device }: JsonObject): JsonObject => device

/** Answers for the users of one other server: from the cache, and as far as that is not current, from the server. */
async function queryServer(
  deps: QueryKeysDeps,
  viewer: string,
  server: string,
  users: readonly string[],
  wishes: Wishes,
  timeoutMs: number,
  answer: ClientKeysAnswer,
): Promise<void> {
  const behind: string[] = []
  const stale = new Set<string>()
  for (const part of chunks(users, BATCH)) {
    const read = await deps.store.read('e2ee.queryCachedKeys', function* () {
      const lists = yield* remoteDeviceLists(part)
      const current = lists.filter((row) => row.stale === 0).map((row) => row.user_id)
      const known = new Set(lists.filter((row) => row.recent_ids !== '[]').map((row) => row.user_id))
      const sharing = yield* sharingWithAnyLocal(part)
      return { keys: yield* cachedUserKeys(current, viewer), known, sharing }
    })
    for (const userId of part) {
      const keys = read.keys.get(userId)
      // The second condition holds whenever the first does; a cache that nobody updates any more would be worse than none.
      if (keys !== undefined && read.sharing.has(userId)) add(answer, wishes, userId, keys)
      else {
        behind.push(userId)
        if (read.known.has(userId)) stale.add(userId)
      }
    }
  }
  if (behind.length === 0) return
  const followed = await Promise.all(
    behind.slice(0, FOLLOWED_AT_ONCE).map(async (userId) => ({
      userId,
      result: await within(deps.remote.resync(userId, timeoutMs), timeoutMs),
    })),
  )
  const current = followed.filter((one) => one.result === 'current').map((one) => one.userId)
  await addCached(deps, viewer, current, wishes, answer)
  const rest = behind.filter((userId) => !current.includes(userId))
  if (rest.length === 0) return
  try {
    await queryLive(deps, viewer, server, rest, wishes, timeoutMs, answer)
  } catch (error) {
    answer.failures[server] = describeFailure(error)
    // Better keys of before than none: the client sees the failure, and asks again.
    await addCached(deps, viewer, rest.filter((userId) => stale.has(userId)), wishes, answer) // prettier-ignore
  }
}

/** A fetch that others wait for too may take longer than this caller does. */
async function within<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

async function addCached(
  deps: QueryKeysDeps,
  viewer: string,
  users: readonly string[],
  wishes: Wishes,
  answer: ClientKeysAnswer,
): Promise<void> {
  for (const part of chunks(users, BATCH)) {
    const keys = await deps.store.read('e2ee.queryCachedKeys', () => cachedUserKeys(part, viewer))
    for (const [userId, found] of keys) add(answer, wishes, userId, found)
  }
}

/** Asks the server itself, without storing the answer. */
async function queryLive(
  deps: QueryKeysDeps,
  viewer: string,
  server: string,
  users: readonly string[],
  wishes: Wishes,
  timeoutMs: number,
  answer: ClientKeysAnswer,
): Promise<void> {
  const asked = record<readonly string[]>()
  for (const userId of users) asked[userId] = wishes.get(userId) ?? []
  const given = await deps.requests.request(
    server,
    { method: 'POST', path: '/_matrix/federation/v1/user/keys/query', body: { device_keys: asked } },
    timeoutMs,
  )
  const found = new Map<string, UserKeys>()
  for (const userId of users) {
    const keys = readQueriedKeys(given, userId)
    if (keys !== undefined) found.set(userId, keys)
  }
  for (const part of chunks([...found.keys()], BATCH)) {
    const signatures = await deps.store.read('e2ee.ownSignatures', () => signaturesFor(part, viewer))
    for (const row of signatures) {
      const keys = found.get(row.target_user)
      const isMaster = keys?.master !== undefined && row.target_key === masterKeyOf(keys.master)
      if (isMaster) keys.master = withSignature(keys.master!, row)
    }
  }
  for (const [userId, keys] of found) add(answer, wishes, userId, keys)
}

const masterKeyOf = (key: JsonObject): unknown =>
  isObject(key['keys']) ? Object.values(key['keys'])[0] : undefined

/**
 * The query of another server, for our users alone.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1userkeysquery
 */
export async function queryKeysForServer(deps: QueryKeysDeps, body: JsonObject): Promise<KeysAnswer> {
  const wishes = readWishes(body)
  const answer = emptyAnswer()
  const local = [...wishes.keys()].filter((userId) => parseUserId(userId)!.domain === deps.serverName)
  for (const part of chunks(local, BATCH)) {
    const keys = await deps.store.read('e2ee.queryKeysForServer', () =>
      localUserKeys(part, ANOTHER_SERVER, deps.displayNamesOverFederation),
    )
    for (const devices of await mergeOwned(deps, keys, wishes))
      if (!deps.displayNamesOverFederation)
        for (const [id, device] of devices) devices.set(id, nameless(device))
    for (const [userId, found] of keys) add(answer, wishes, userId, found)
  }
  const { device_keys, master_keys, self_signing_keys } = answer
  return { device_keys, master_keys, self_signing_keys }
}

export interface UserDevicesAnswer {
  readonly user_id: string
  readonly stream_id: number
  readonly devices: readonly {
    readonly device_id: string
    readonly keys: JsonObject
    readonly device_display_name?: string
  }[]
  readonly master_key?: JsonObject
  readonly self_signing_key?: JsonObject
}

/**
 * `GET /user/devices/{userId}` of another server: the devices with keys, as of the last update that was sent, and what an application service
 * says of its own user. What that one changes later is told to nobody before the user's list changes here: MSC3984 has no such news.
 * Throws M_INVALID_PARAM for users of other servers.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1userdevicesuserid
 */
export async function userDevices(deps: QueryKeysDeps, userId: string): Promise<UserDevicesAnswer> {
  if (parseUserId(userId)?.domain !== deps.serverName) throw invalidParam('The user is not of this server')
  const { keys, streamId } = await deps.store.read('e2ee.userDevices', function* () {
    const found = yield* localUserKeys([userId], ANOTHER_SERVER, deps.displayNamesOverFederation)
    return { keys: found.get(userId)!, streamId: yield* lastDeviceListChange(userId) }
  })
  // The answer is kept by who asks: without these keys nobody there could write to such a user.
  await mergeOwned(deps, new Map([[userId, keys]]), new Map([[userId, []]]))
  return {
    user_id: userId,
    stream_id: streamId ?? 0,
    devices: [...keys.devices].map(([deviceId, device]) => {
      const { unsigned, ...rest } = device
      const named = deps.displayNamesOverFederation && isObject(unsigned)
      const name = named ? unsigned['device_display_name'] : undefined
      return {
        device_id: deviceId,
        keys: rest,
        ...(typeof name === 'string' ? { device_display_name: name } : {}),
      }
    }),
    ...(keys.master === undefined ? {} : { master_key: keys.master }),
    ...(keys.selfSigning === undefined ? {} : { self_signing_key: keys.selfSigning }),
  }
}
