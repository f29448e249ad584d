import { setImmediate } from 'node:timers/promises'
import { ACCESS_RULES, roomAccess } from '../../core/access-rules/room-access.js'
import { refuse } from '../../core/event/types.js'
import { MatrixError, forbidden, invalidParam, notFound } from '../../core/errors.js'
import { fitsId, isLegalText } from '../../core/ids/common.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import { createLru } from '../../platform/lru.js'
import {
  countAppserviceRooms,
  roomsOfAllNetworks,
  roomsOfNetwork,
  setAppserviceRoom,
} from '../../storage/tables/appservices.js'
import { membershipOf } from '../../storage/tables/memberships.js'
import { publishedRooms, roomById, setPublished } from '../../storage/tables/rooms.js'
import type { Tx } from '../../storage/tx.js'
import type { Requester } from '../requester.js'
import { accessRefused } from '../rooms/access.js'
import { isOpenToAll } from '../rooms/alike-for-strangers.js'
import { readPowerLevels, readState, readStateEvent, type RoomsContext } from '../rooms/context.js'
import { notInRoom } from '../rooms/not-in-room.js'
import { mapKey } from '../rooms/state-store.js'
import { matchesRoom, type CircleRooms } from './circle-rooms.js'
import type { RoomSnapshot } from '../rooms/working-room.js'

export interface PublicRoomsQuery {
  /** The server that asks, where it is one. */
  readonly origin?: string | undefined
  /** Another server's list. */
  readonly server?: string | undefined
  /** Somebody without a log-in has no other server asked. */
  readonly isAnonymous?: boolean | undefined
  readonly limit?: number | undefined
  readonly since?: string | undefined
  readonly term?: string | undefined
  /** Types of rooms; null for ordinary ones. */
  readonly roomTypes?: readonly (string | null)[] | undefined
  /** Rooms of one bridged network alone; only without `allNetworks`. */
  readonly network?: string | undefined
  readonly allNetworks?: boolean | undefined
}

/** The list of rooms that anybody may find. SPEC: https://spec.matrix.org/v1.19/client-server-api/#published-room-directory */
export interface PublicRooms {
  /**
   * A page of this server's list, of another server's, or of all servers of the circle. Throws M_INVALID_PARAM, M_MISSING_TOKEN; M_FORBIDDEN
   * for external servers where there are access rules.
   */
  list(query: PublicRoomsQuery): Promise<JsonObject>
  /** Servers of the circle whose list has the room. */
  serversOf(roomId: string): readonly string[]
  /** M_NOT_FOUND for a room that is not there, and for one that is not listed where the requester, if any, has no part in it. */
  visibility(requester: Requester | undefined, roomId: string): Promise<{ visibility: 'public' | 'private' }>
  /** For those who may change the room's canonical alias. Throws M_FORBIDDEN; M_NOT_FOUND as `visibility`. */
  setVisibility(requester: Requester, roomId: string, visibility: 'public' | 'private'): Promise<void>
  /**
   * For application services: the list of a network that it bridges. One of its users must be in a room that it adds. Throws M_FORBIDDEN,
   * M_INVALID_PARAM, M_LIMIT_EXCEEDED.
   */
  setNetworkVisibility(
    requester: Requester,
    networkId: string,
    roomId: string,
    visibility: 'public' | 'private',
  ): Promise<void>
}

const MAX_PAGE = 100
/** Rooms whose entry is kept until their state or the number of their members changes. */
const MAX_CACHED = 5_000
const ROOMS_AT_ONCE = 50
/** Rooms in all lists of one application service. */
const MAX_NETWORK_ROOMS = 50_000
const STATE = [
  'm.room.create',
  'm.room.name',
  'm.room.topic',
  'm.room.avatar',
  'm.room.canonical_alias',
  'm.room.join_rules',
  'm.room.history_visibility',
  'm.room.guest_access',
  'm.room.encryption',
].map((type) => ({ type, stateKey: '' }))

const textOf = (content: JsonObject | undefined, key: string): string | undefined => {
  const value = content?.[key]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** One room as the list shows it. SPEC: client-server-api/#get_matrixclientv3publicrooms (PublicRoomsChunk) */
export async function publicRoomEntry(context: RoomsContext, room: RoomSnapshot): Promise<JsonObject> {
  const state = await readState(context, room, STATE)
  const content = (type: string): JsonObject | undefined =>
    state.get(mapKey({ type, stateKey: '' }))?.event.content
  const { local, servers } = await context.rosters.of(room.nid)
  let joined = local.size
  for (const users of servers.values()) joined += users
  const optional: Record<string, Json | undefined> = {
    name: textOf(content('m.room.name'), 'name'),
    topic: textOf(content('m.room.topic'), 'topic'),
    avatar_url: textOf(content('m.room.avatar'), 'url'),
    canonical_alias: textOf(content('m.room.canonical_alias'), 'alias'),
    room_type: textOf(content('m.room.create'), 'type'),
  }
  const entry: Record<string, Json> = {
    room_id: room.roomId,
    num_joined_members: joined,
    join_rule: textOf(content('m.room.join_rules'), 'join_rule') ?? 'invite',
    world_readable: textOf(content('m.room.history_visibility'), 'history_visibility') === 'world_readable',
    guest_can_join: textOf(content('m.room.guest_access'), 'guest_access') === 'can_join',
  }
  for (const [key, value] of Object.entries(optional)) if (value !== undefined) entry[key] = value
  return entry
}

/** Whoever names no server and no network means all; somebody without a log-in, and another server, this one alone. */
const isOfCircle = ({
  server = '',
  isAnonymous,
  origin,
  network = '',
  allNetworks,
}: PublicRoomsQuery): boolean =>
  server === '' && isAnonymous !== true && origin === undefined && network === '' && allNetworks !== true

/** The rooms of the list that is asked for: this server's own, that of one network, or all. */
function listed({ network, allNetworks }: PublicRoomsQuery): Tx<readonly { readonly room_id: string }[]> {
  if (network !== undefined && network !== '') {
    const bar = network.indexOf('|')
    return roomsOfNetwork(network.slice(0, Math.max(bar, 0)), network.slice(bar + 1))
  }
  return allNetworks === true ? roomsOfAllNetworks() : publishedRooms()
}

export function createPublicRooms(deps: {
  readonly context: RoomsContext
  fetchRemote(server: string, query: PublicRoomsQuery): Promise<JsonObject>
  /** The lists of the other servers of a circle, where a client that names no server is shown them too. */
  readonly circle?: CircleRooms | undefined
  /** Whether the application service acts for the user. */
  acts(appserviceId: string, userId: string): boolean
}): PublicRooms {
  const { context } = deps
  const entries = createLru<
    number,
    { readonly root: string; readonly joined: number; readonly entry: JsonObject }
  >({
    max: MAX_CACHED,
  })

  /** Undefined for a room that nobody here is in: what is known of it is old. */
  async function entryOf(room: RoomSnapshot): Promise<JsonObject | undefined> {
    const { local, servers } = await context.rosters.of(room.nid)
    if (room.root === undefined || local.size === 0) return undefined
    const joined = [...servers.values()].reduce((sum, users) => sum + users, local.size)
    const known = entries.get(room.nid)
    if (known?.root === room.root && known.joined === joined) return known.entry
    const entry = await publicRoomEntry(context, room)
    entries.set(room.nid, { root: room.root, joined, entry })
    return entry
  }

  /** The rooms of a list of this server that are meant. */
  async function ownEntries(query: PublicRoomsQuery): Promise<JsonObject[]> {
    const rows = await context.store.read('directory.published', () => listed(query))
    const found: JsonObject[] = []
    for (const [i, row] of rows.entries()) {
      // Anybody may ask for a list of thousands: others get their turn between them.
      if (i % ROOMS_AT_ONCE === ROOMS_AT_ONCE - 1) await setImmediate()
      const room = await context.loader.load(row.room_id)
      const entry = room === undefined ? undefined : await entryOf(room)
      if (entry !== undefined && matchesRoom(entry, query)) found.push(entry)
    }
    return found
  }

  function refuseExternal(origin: string | undefined): void {
    if (origin !== undefined && context.local.access?.isExternalServer(origin) === true)
      throw forbidden('External servers are shown no list of rooms')
  }

  /** Whether a room is listed, and what the requester is in it. Throws M_NOT_FOUND for strangers to a room that is neither listed nor open. */
  async function standing(
    requester: Requester | undefined,
    roomId: string,
  ): Promise<{ readonly isListed: boolean; readonly membership: string | undefined }> {
    const found = await context.store.read('directory.standing', function* () {
      const room = yield* roomById(roomId)
      const isListed = room?.published === 1
      const member =
        room === undefined || requester === undefined
          ? undefined
          : yield* membershipOf(room.nid, requester.userId)
      const isKnown = room !== undefined && (isListed || member !== undefined || requester?.isAdmin === true)
      return { isListed, membership: member?.membership, isKnown }
    })
    if (!found.isKnown) {
      const room = await context.loader.load(roomId)
      if (room === undefined || !(await isOpenToAll(context, room))) throw notFound('Unknown room')
    }
    return found
  }

  /** The list of rooms is for everybody of the circle: who is not in it has no part in the rooms that are on it. */
  async function refuseListing(room: RoomSnapshot): Promise<void> {
    const rules = await readStateEvent(context, room, ACCESS_RULES.type, ACCESS_RULES.stateKey)
    if (roomAccess(rules?.event.content).rule !== 'restricted')
      throw accessRefused(refuse('access.listing', 'Only a room without external accounts can be listed'))
  }

  return {
    serversOf: (roomId) => deps.circle?.serversOf(roomId) ?? [],

    async list(query) {
      refuseExternal(query.origin)
      if (query.allNetworks === true && query.network !== undefined && query.network !== '')
        throw invalidParam('third_party_instance_id and include_all_networks exclude each other')
      if (query.server !== undefined && query.server !== '' && query.server !== context.serverName) {
        if (query.isAnonymous === true)
          throw new MatrixError('M_MISSING_TOKEN', 'Log in to see the list of another server')
        return deps.fetchRemote(query.server, query)
      }
      const limit = Math.min(query.limit ?? MAX_PAGE, MAX_PAGE)
      if (deps.circle !== undefined && isOfCircle(query))
        return deps.circle.list({ ...query, limit }, await ownEntries(query))
      const offset =
        query.since === undefined || query.since === ''
          ? 0
          : Number(/^p(\d{1,9})$/.exec(query.since)?.[1] ?? NaN)
      if (Number.isNaN(offset)) throw invalidParam('since is not a token of this list')
      const found = await ownEntries(query)
      found.sort((a, b) => Number(b['num_joined_members']) - Number(a['num_joined_members']))
      const chunk = found.slice(offset, offset + limit)
      return {
        chunk,
        total_room_count_estimate: found.length,
        ...(offset + limit < found.length ? { next_batch: `p${offset + limit}` } : {}),
        ...(offset > 0 ? { prev_batch: `p${Math.max(0, offset - limit)}` } : {}),
      }
    },

    async visibility(requester, roomId) {
      const found = await standing(requester, roomId)
      return { visibility: found.isListed ? 'public' : 'private' }
    },

    async setVisibility(requester, roomId, visibility) {
      const { membership } = await standing(requester, roomId)
      const room = await context.loader.load(roomId)
      if (room === undefined) throw notFound('Unknown room')
      if (!requester.isAdmin) {
        if (membership !== 'join') throw notInRoom()
        const levels = await readPowerLevels(context, room)
        if (levels.user(requester.userId) < levels.event('m.room.canonical_alias', true)) {
          throw forbidden('Your power level does not suffice to publish this room')
        }
      }
      if (visibility === 'public' && context.local.access !== undefined) await refuseListing(room)
      await context.store.write('directory.publish', () => setPublished(room.nid, visibility === 'public'))
    },

    async setNetworkVisibility({ appserviceId }, networkId, roomId, visibility) {
      if (appserviceId === undefined) throw forbidden('Only an application service may do this')
      if (networkId === '' || !fitsId(networkId) || !isLegalText(networkId))
        throw invalidParam('The network id is empty or too long')
      const room = await context.loader.load(roomId)
      const { local } = room === undefined ? { local: new Set<string>() } : await context.rosters.of(room.nid)
      if (room === undefined || ![...local].some((userId) => deps.acts(appserviceId, userId)))
        throw notInRoom()
      const row = { appserviceId, networkId, roomNid: room.nid }
      await context.store.write('directory.network', function* () {
        const isListed = visibility === 'public'
        if (isListed && (yield* countAppserviceRooms(appserviceId)) >= MAX_NETWORK_ROOMS)
          throw new MatrixError('M_LIMIT_EXCEEDED', 'The application service publishes too many rooms')
        yield* setAppserviceRoom(row, isListed)
      })
    },
  }
}
