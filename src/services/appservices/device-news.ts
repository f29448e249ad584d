import { isObject, type Json, type JsonObject } from '../../core/json/value.js'
import {
  deviceListChangesAfter,
  joinedRoomsOf,
  keyCountChangesBetween,
  memberDeltasAfter,
  oneTimeKeyCountsOf,
  unusedFallbackKeysOf,
} from '../../storage/tables/appservices.js'
import { joinedUsersOf } from '../../storage/tables/device-list-changes.js'
import type { RoomsContext } from '../rooms/context.js'
import { isInterested, type Interest } from './interest.js'
import type { Appservice } from './registry.js'

/**
 * What an application service that encrypts must know of devices: whose keys changed, who has left its sight, and how many one-time
 * keys its own devices have left.
 * NOTSPEC: MSC3202; no version of the specification has it yet, and encrypting bridges need it.
 */
export interface DeviceNews {
  /** Everything up to here was looked at. */
  readonly upTo: number
  readonly lists: { readonly changed: readonly string[]; readonly left: readonly string[] }
  readonly devices: readonly DeviceRef[]
}

export interface DeviceRef {
  readonly user_id: string
  readonly device_id: string
}

const MAX_ROWS = 500
/** Users named because a user of the application service came into their room. */
const MAX_MET = 5_000

const isJoin = (json: string | null): boolean => {
  const event = json === null ? null : (JSON.parse(json) as Json)
  const content = isObject(event) ? event['content'] : undefined
  return isObject(content) && content['membership'] === 'join'
}

/** What happened in (from, to]; less where that is much. */
export async function deviceNewsFor(
  context: Pick<RoomsContext, 'store' | 'rosters' | 'events'>,
  interest: Interest,
  appservice: Appservice,
  from: number,
  to: number,
): Promise<DeviceNews> {
  const { store } = context
  const found = await store.read('appservices.devices', function* () {
    const lists = yield* deviceListChangesAfter(from, to, MAX_ROWS)
    const members = yield* memberDeltasAfter(from, to, MAX_ROWS)
    const counts = yield* keyCountChangesBetween(from, to, MAX_ROWS)
    return { lists, members, counts }
  })
  // A page that is full may end in the middle of a position: that position belongs to the next look, unless it is all there is.
  const pages = [found.lists, found.members, found.counts].filter((page) => page.length === MAX_ROWS)
  const upTo = Math.max(from + 1, Math.min(to, ...pages.map((page) => page.at(-1)!.pos - 1)))
  const isWithin = (row: { readonly pos: number }): boolean => row.pos <= upTo

  const rooms = new Map<number, Promise<boolean>>()
  const concerns = (nid: number): Promise<boolean> => {
    const known = rooms.get(nid) ?? isInterested(context, interest, appservice, nid)
    rooms.set(nid, known)
    return known
  }
  const changed = new Set<string>()
  const goers = new Set<string>()
  const news = new Set(found.lists.filter(isWithin).map((row) => row.user_id))
  const entered = new Set<number>()
  for (const delta of found.members.filter(isWithin)) {
    const [before, after] = [isJoin(delta.before), isJoin(delta.after)]
    if (before === after) continue
    if (appservice.ownsUser(delta.user_id)) {
      if (after) entered.add(delta.room_nid)
    } else if (await concerns(delta.room_nid)) {
      if (after) changed.add(delta.user_id)
      else goers.add(delta.user_id)
    }
  }
  const met = await store.read('appservices.met', () => joinedUsersOf([...entered]))
  for (const userId of met.slice(0, MAX_MET)) changed.add(userId)

  const candidates = [...new Set([...news, ...goers])]
  const sharing = new Set(candidates.filter((userId) => appservice.ownsUser(userId)))
  for (const row of await store.read('appservices.sharing', () => joinedRoomsOf(candidates))) {
    if (!sharing.has(row.user_id) && (await concerns(row.room_nid))) sharing.add(row.user_id)
  }
  for (const userId of news) if (sharing.has(userId)) changed.add(userId)
  return {
    upTo,
    lists: { changed: [...changed], left: [...goers].filter((userId) => !sharing.has(userId)) },
    devices: found.counts.filter(isWithin).filter((row) => appservice.ownsUser(row.user_id)),
  }
}

export interface KeyCounts {
  /** By user, device and algorithm. */
  readonly counts: JsonObject
  /** Algorithms of unused fallback keys, by user and device. */
  readonly fallback: JsonObject
}

/** Pre: at most a few hundred devices. */
export async function keyCountsOf(
  context: Pick<RoomsContext, 'store'>,
  devices: readonly DeviceRef[],
): Promise<KeyCounts> {
  const users = [...new Set(devices.map((device) => device.user_id))]
  const { counts, fallback } = await context.store.read('appservices.keyCounts', function* () {
    return { counts: yield* oneTimeKeyCountsOf(users), fallback: yield* unusedFallbackKeysOf(users) }
  })
  const byUser = new Map<string, Map<string, Map<string, number>>>()
  const unused = new Map<string, Map<string, string[]>>()
  for (const { user_id: userId, device_id: deviceId } of devices) {
    const own = byUser.get(userId) ?? new Map<string, Map<string, number>>()
    byUser.set(userId, own.set(deviceId, new Map([['signed_curve25519', 0]])))
    const ownUnused = unused.get(userId) ?? new Map<string, string[]>()
    unused.set(userId, ownUnused.set(deviceId, []))
  }
  for (const row of counts) byUser.get(row.user_id)?.get(row.device_id)?.set(row.algorithm, row.n)
  for (const row of fallback) unused.get(row.user_id)?.get(row.device_id)?.push(row.algorithm)
  return {
    counts: Object.fromEntries(
      [...byUser].map(([userId, own]) => [
        userId,
        Object.fromEntries([...own].map(([deviceId, numbers]) => [deviceId, Object.fromEntries(numbers)])),
      ]),
    ),
    fallback: Object.fromEntries([...unused].map(([userId, own]) => [userId, Object.fromEntries(own)])),
  }
}
