import { notFound, MatrixError } from '../../../core/errors.js'
import { isRoomId } from '../../../core/ids/room-id.js'
import { isServerName } from '../../../core/ids/server-name.js'
import { serverNameOf } from '../../../core/ids/server-name-of.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../../core/json/value.js'
import type { PublicRoomsQuery } from '../../directory/public-rooms.js'
import { FederationError, type FederationClient } from '../../federation/client.js'
import { matrixErrorOf } from './peer-failure.js'

/** Small questions to other servers. */

type Client = Pick<FederationClient, 'request'>

const MAX_SERVERS = 50
const MAX_ROOMS = 100
const TIMEOUT = 15_000

/** What another server says, or a MatrixError that fits a client: most often that there is no such thing. */
async function ask(
  client: Client,
  request: Parameters<Client['request']>[0],
  what: string,
): Promise<JsonObject> {
  try {
    return await client.request({ timeoutMs: TIMEOUT, ...request })
  } catch (error) {
    if (!(error instanceof FederationError)) throw error
    if (error.status === 404) throw notFound(`${what} was not found`)
    if (error.kind === 'status') throw matrixErrorOf([error])
    throw notFound(`${what} was not found: its server could not be asked`)
  }
}

/**
 * What an alias of another server stands for. Errors: M_NOT_FOUND, also where the server is not to be had.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1querydirectory
 */
export async function resolveRemoteAlias(
  client: Client,
  alias: string,
): Promise<{ readonly room_id: string; readonly servers: readonly string[] }> {
  const destination = serverNameOf(alias)
  if (destination === undefined) throw notFound('The alias was not found')
  const answer = await ask(
    client,
    {
      destination,
      method: 'GET',
      path: '/_matrix/federation/v1/query/directory',
      query: { room_alias: alias },
      maxBytes: 256 * 1024,
    },
    'The alias',
  )
  const roomId = ownValue(answer, 'room_id')
  if (typeof roomId !== 'string' || !isRoomId(roomId)) throw notFound('The alias was not found')
  const list = ownValue(answer, 'servers')
  const named = (Array.isArray(list) ? (list as readonly Json[]) : [])
    .filter((server): server is string => typeof server === 'string' && isServerName(server))
    .slice(0, MAX_SERVERS)
  // Whoever knows the alias most likely knows the room.
  return { room_id: roomId, servers: [...new Set([...named, destination])] }
}

/**
 * The profile of another server's user, or one field of it. `asker`: for whom, where the server is to know. The caller bounds and filters it. Errors: M_NOT_FOUND, M_FORBIDDEN.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1queryprofile
 */
export function fetchRemoteProfile(
  client: Client,
  userId: string,
  field: string | undefined,
  asker?: string,
): Promise<JsonObject> {
  const destination = serverNameOf(userId)
  if (destination === undefined) throw notFound('The profile was not found')
  return ask(
    client,
    {
      destination,
      method: 'GET',
      path: '/_matrix/federation/v1/query/profile',
      query: { user_id: userId, field, 'org.chancery.asker': asker },
      maxBytes: 128 * 1024,
    },
    'The profile',
  )
}

/**
 * The published rooms of another server; entries that clients could stumble over are left out. Errors: M_NOT_FOUND,
 * M_FORBIDDEN. SPEC: https://spec.matrix.org/v1.19/server-server-api/#public-room-directory
 */
export async function fetchRemotePublicRooms(
  client: Client,
  server: string,
  query: PublicRoomsQuery,
): Promise<JsonObject> {
  if (!isServerName(server)) throw new MatrixError('M_INVALID_PARAM', 'server is not a server name')
  const filter = {
    ...(query.term === undefined || query.term === '' ? {} : { generic_search_term: query.term }),
    ...(query.roomTypes === undefined ? {} : { room_types: query.roomTypes }),
  }
  const paging = {
    limit: Math.min(query.limit ?? MAX_ROOMS, MAX_ROOMS),
    ...(query.since === undefined ? {} : { since: query.since }),
  }
  const networks = {
    ...(query.network === undefined || query.network === ''
      ? {}
      : { third_party_instance_id: query.network }),
    ...(query.allNetworks === true ? { include_all_networks: true } : {}),
  }
  const plain = Object.keys(filter).length + Object.keys(networks).length === 0
  const answer = await ask(
    client,
    {
      destination: server,
      method: plain ? 'GET' : 'POST',
      path: '/_matrix/federation/v1/publicRooms',
      ...(plain ? { query: paging } : { body: { ...paging, ...networks, filter } }),
      maxBytes: 2 * 1024 * 1024,
    },
    'The list of rooms',
  )
  const list = ownValue(answer, 'chunk')
  const chunk = (Array.isArray(list) ? (list as readonly Json[]) : []).flatMap(readEntry).slice(0, MAX_ROOMS)
  const token = (name: string): JsonObject => {
    const value = ownValue(answer, name)
    return typeof value === 'string' && value.length <= 1_024 ? { [name]: value } : {}
  }
  const total = ownValue(answer, 'total_room_count_estimate')
  return {
    chunk,
    ...token('next_batch'),
    ...token('prev_batch'),
    ...(typeof total === 'number' ? { total_room_count_estimate: total } : {}),
  }
}

const TEXTS = ['name', 'topic', 'avatar_url', 'canonical_alias', 'room_type', 'join_rule']
const FLAGS = ['world_readable', 'guest_can_join']

function readEntry(entry: Json): JsonObject[] {
  if (!isObject(entry)) return []
  const roomId = ownValue(entry, 'room_id')
  if (typeof roomId !== 'string' || !isRoomId(roomId)) return []
  const members = ownValue(entry, 'num_joined_members')
  const out: Record<string, Json> = {
    room_id: roomId,
    num_joined_members: typeof members === 'number' && members >= 0 ? members : 0,
  }
  for (const name of TEXTS) {
    const value = ownValue(entry, name)
    if (typeof value === 'string') out[name] = value
  }
  for (const name of FLAGS) out[name] = ownValue(entry, name) === true
  return [out]
}
