import { appendTo } from '../../core/append-to.js'
import { badJson, invalidParam } from '../../core/errors.js'
import { parseUserId } from '../../core/ids/user-id.js'
import { parseKeyId } from '../../core/ids/key-id.js'
import { isObject, type Json, type JsonObject, ownValue } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Notifier } from '../../platform/notifier.js'
import {
  claimOneTimeKeys,
  deviceRef,
  fallbackKeysOfDevices,
  markFallbackKeysUsed,
  oldestOneTimeKeys,
  recordKeyCountChange,
  type FallbackKeyRow,
  type OneTimeKeyRow,
} from '../../storage/tables/one-time-keys.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import type { Store, Tx } from '../../storage/tx.js'
import { oneTimeKeyJson, readUserMap } from './key-formats.js'
import { clampTimeout, describeFailure, type KeyRequests } from './key-federation.js'
import type { KeyOwners } from './key-owners.js'
import { limits } from './limits.js'
import { chunks, record } from './results.js'

export interface ClaimKeysDeps {
  readonly store: Store
  readonly clock: Clock
  readonly notifier: Notifier
  readonly serverName: string
  readonly requests: KeyRequests
  readonly owners: KeyOwners
}

interface Wish {
  readonly userId: string
  readonly deviceId: string
  readonly algorithm: string
}

type Claimed = Pick<OneTimeKeyRow, 'user_id' | 'device_id' | 'algorithm' | 'key_id' | 'json'>

/** User → device → `algorithm:id` → key. */
export type KeyMap = Record<string, Record<string, Record<string, Json>>>

/** Devices in one transaction. */
const BATCH = 200
/** How often to try again for keys that another process took at the same moment. */
const ROUNDS = 20

/** Reads `one_time_keys` of a request: user → device → algorithm. */
function readWishes(body: JsonObject): Wish[] {
  const users = readUserMap(ownValue(body, 'one_time_keys'))
  if (!users.ok) throw badJson(`one_time_keys: ${users.reason}`)
  const wishes: Wish[] = []
  for (const [userId, devices] of users.value) {
    for (const deviceId of Object.keys(devices)) {
      const algorithm = devices[deviceId]
      if (typeof algorithm !== 'string' || algorithm.length > 255)
        throw badJson(`one_time_keys: the algorithm for a device of ${userId} is not a string`)
      wishes.push({ userId, deviceId, algorithm })
    }
  }
  if (wishes.length > limits.devicesPerClaim)
    throw invalidParam(`At most ${limits.devicesPerClaim} keys can be claimed at once`)
  return wishes
}

/**
 * Takes one key of an algorithm for each device. A key leaves by the UPDATE that only one transaction can win, and what it
 * won is on disk before the caller sees it: so no key is given twice, neither to two requests nor across a crash.
 */
function* claimForAlgorithm(
  wishes: readonly Wish[],
  algorithm: string,
  now: number,
  withFallback = true,
): Tx<Claimed[]> {
  const claimed: Claimed[] = []
  const usedFallback: FallbackKeyRow[] = []
  let open = new Map(wishes.map((wish) => [deviceRef(wish.userId, wish.deviceId), wish]))
  for (let round = 0; round < ROUNDS && open.size > 0; round++) {
    const users = [...new Set([...open.values()].map((wish) => wish.userId))]
    const candidates = yield* oldestOneTimeKeys(users, [...open.keys()], algorithm)
    if (candidates.length === 0) break
    const won = yield* claimOneTimeKeys(
      candidates.map((row) => row.nid),
      now,
    )
    for (const row of candidates) {
      if (!won.has(row.nid)) continue
      claimed.push(row)
      open.delete(deviceRef(row.user_id, row.device_id))
    }
    // Devices without a candidate have no keys left; the others lost a race.
    const lost = new Set(
      candidates.filter((row) => !won.has(row.nid)).map((row) => deviceRef(row.user_id, row.device_id)),
    )
    if (lost.size === 0) break
    open = new Map([...open].filter(([ref]) => lost.has(ref)))
  }
  const taken = new Set(claimed.map((row) => deviceRef(row.user_id, row.device_id)))
  const without = withFallback
    ? wishes.filter((wish) => !taken.has(deviceRef(wish.userId, wish.deviceId)))
    : []
  if (without.length > 0) {
    const rows = yield* fallbackKeysOfDevices(
      [...new Set(without.map((wish) => wish.userId))],
      without.map((wish) => deviceRef(wish.userId, wish.deviceId)),
      algorithm,
    )
    for (const row of rows) {
      claimed.push(row)
      if (row.used === 0) usedFallback.push(row)
    }
    yield* markFallbackKeysUsed(usedFallback)
  }
  // A fallback key that was used already changes nothing for its device.
  const changed = [...claimed.filter((row) => 'nid' in row), ...usedFallback].map((row) => ({
    userId: row.user_id,
    deviceId: row.device_id,
  }))
  if (changed.length > 0) yield* recordKeyCountChange(changed, yield* allocatePosition())
  return claimed
}

async function claimLocal(deps: ClaimKeysDeps, wishes: readonly Wish[], out: KeyMap): Promise<void> {
  const byAlgorithm = new Map<string, Wish[]>()
  for (const wish of wishes) {
    appendTo(byAlgorithm, wish.algorithm, wish)
  }
  for (const [algorithm, list] of byAlgorithm) {
    const claim = async (part: readonly Wish[], withFallback: boolean): Promise<void> => {
      const now = deps.clock.now()
      const rows = await deps.store.write('e2ee.claimKeys', () =>
        claimForAlgorithm(part, algorithm, now, withFallback),
      )
      for (const row of rows) put(out, row.user_id, row.device_id, `${algorithm}:${row.key_id}`, JSON.parse(row.json) as Json) // prettier-ignore
      deps.notifier.notify(rows.map((row) => row.user_id))
    }
    const owned = list.filter((wish) => deps.owners.owns(wish.userId))
    for (const part of chunks(
      list.filter((wish) => !deps.owners.owns(wish.userId)),
      BATCH,
    ))
      await claim(part, true)
    // What was uploaded comes first, then what the owner gives, and the fallback key last.
    for (const part of chunks(owned, BATCH)) {
      await claim(part, false)
      await claimOwned(deps, part.filter(isOpen(out)), out)
      const left = part.filter(isOpen(out))
      if (left.length > 0) await claim(left, true)
    }
  }
}

/** Whether no key of the wish's algorithm was found. */
const isOpen =
  (out: KeyMap) =>
  ({ userId, deviceId, algorithm }: Wish): boolean =>
    !Object.keys(out[userId]?.[deviceId] ?? {}).some((id) => parseKeyId(id)?.algorithm === algorithm)

/** Asks application services for keys of their own users, and takes from their answers what was asked for. */
async function claimOwned(deps: ClaimKeysDeps, wishes: readonly Wish[], out: KeyMap): Promise<void> {
  if (wishes.length === 0) return
  const asked = record<Record<string, string[]>>()
  for (const { userId, deviceId, algorithm } of wishes) {
    const devices = (asked[userId] ??= record())
    ;(devices[deviceId] ??= []).push(algorithm)
  }
  for (const { userIds, json } of await deps.owners.claim(asked)) {
    takeGiven(
      json,
      wishes.filter(({ userId }) => userIds.has(userId)),
      out,
    )
  }
}

function put(out: KeyMap, userId: string, deviceId: string, keyId: string, key: Json): void {
  const devices = (out[userId] ??= record())
  const keys = (devices[deviceId] ??= record())
  keys[keyId] = key
}

/** Asks another server, and takes from its answer what was asked for. */
async function claimRemote(
  deps: ClaimKeysDeps,
  destination: string,
  wishes: readonly Wish[],
  timeoutMs: number,
  out: KeyMap,
): Promise<void> {
  const asked = record<Record<string, string>>()
  for (const wish of wishes) (asked[wish.userId] ??= record())[wish.deviceId] = wish.algorithm
  const answer = await deps.requests.request(
    destination,
    { method: 'POST', path: '/_matrix/federation/v1/user/keys/claim', body: { one_time_keys: asked } },
    timeoutMs,
  )
  takeGiven(isObject(answer) ? ownValue(answer, 'one_time_keys') : undefined, wishes, out)
}

/** Of what somebody else gives, one key for each wish. */
function takeGiven(given: Json | undefined, wishes: readonly Wish[], out: KeyMap): void {
  if (!isObject(given)) return
  for (const wish of wishes) {
    const devices = ownValue(given, wish.userId)
    const keys = isObject(devices) ? ownValue(devices, wish.deviceId) : undefined
    if (!isObject(keys)) continue
    const name = Object.keys(keys).find((id) => parseKeyId(id)?.algorithm === wish.algorithm)
    if (name === undefined) continue
    const json = oneTimeKeyJson(keys[name])
    if (json !== undefined) put(out, wish.userId, wish.deviceId, name, JSON.parse(json) as Json)
  }
}

/**
 * `POST /keys/claim` of a client: one key for each device, of local users from the store, of others from their servers.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysclaim
 */
export async function claimKeys(
  deps: ClaimKeysDeps,
  body: JsonObject,
): Promise<{ one_time_keys: KeyMap; failures: Record<string, JsonObject> }> {
  const wishes = readWishes(body)
  const timeoutMs = clampTimeout(ownValue(body, 'timeout'))
  const byServer = new Map<string, Wish[]>()
  for (const wish of wishes) {
    const server = parseUserId(wish.userId)!.domain
    appendTo(byServer, server, wish)
  }
  const out: KeyMap = record()
  const failures = record<JsonObject>()
  const local = byServer.get(deps.serverName)
  byServer.delete(deps.serverName)
  await Promise.all([
    local === undefined ? undefined : claimLocal(deps, local, out),
    ...[...byServer].map(async ([server, list]) => {
      try {
        await claimRemote(deps, server, list, timeoutMs, out)
      } catch (error) {
        failures[server] = describeFailure(error)
      }
    }),
  ])
  return { one_time_keys: out, failures }
}

/**
 * The claim of another server, for our users alone.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1userkeysclaim
 */
export async function claimKeysForServer(
  deps: ClaimKeysDeps,
  body: JsonObject,
): Promise<{ one_time_keys: KeyMap }> {
  const wishes = readWishes(body).filter((wish) => parseUserId(wish.userId)!.domain === deps.serverName)
  const out: KeyMap = record()
  await claimLocal(deps, wishes, out)
  return { one_time_keys: out }
}
