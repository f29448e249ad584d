import { invalidParam } from '../../core/errors.js'
import { isMxcUri } from '../../core/ids/mxc-uri.js'
import { isRoomAlias } from '../../core/ids/room-alias.js'
import { isRoomId } from '../../core/ids/room-id.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { CircleNodes } from './circle-nodes.js'

/** What is looked for in a list of rooms. */
export interface RoomsQuery {
  readonly limit?: number | undefined
  readonly since?: string | undefined
  readonly term?: string | undefined
  /** Types of rooms; null for ordinary ones. */
  readonly roomTypes?: readonly (string | null)[] | undefined
}

/** The lists of public rooms of all nodes of a circle, as one. */
export interface CircleRooms {
  /**
   * A page of the rooms that are meant, those with the most people first. Its tokens hold their place themselves: they are good at any time, at any
   * process. `own`: those of this node that are meant. Throws M_INVALID_PARAM for a token that is none.
   */
  list(query: RoomsQuery & { readonly limit: number }, own: readonly JsonObject[]): Promise<JsonObject>
  /** Nodes whose list has the room, as far as their lists are known. */
  serversOf(roomId: string): readonly string[]
}

/** Rooms of one node, in pages of its list, and the characters of all of them. */
const MAX_ROOMS = 1_000
const PAGE = 100
const MAX_TEXT = 1_000_000
/** A list is fetched anew after `FRESH`, and shown for so long as `KEPT` while its node does not answer. */
const FRESH = 30_000
const KEPT = 600_000
const MAX_NAME = 255
const MAX_TOPIC = 1_000

interface NodeRooms {
  rooms: readonly JsonObject[]
  readonly at: number
}

const textOf = (entry: JsonObject, key: string): string => {
  const value = ownValue(entry, key)
  return typeof value === 'string' ? value : ''
}

/** Whether a room of a list is meant. */
export function matchesRoom(entry: JsonObject, { term = '', roomTypes }: RoomsQuery): boolean {
  const type = ownValue(entry, 'room_type') ?? null
  if (roomTypes !== undefined && !roomTypes.includes(type as string | null)) return false
  const needle = term.toLowerCase()
  return (
    needle === '' ||
    ['name', 'topic', 'canonical_alias'].some((key) => textOf(entry, key).toLowerCase().includes(needle))
  )
}

export function createCircleRooms(deps: {
  readonly clock: Clock
  readonly logger: Logger
  readonly nodes: CircleNodes
  /** A page of another server's list, well-formed. */
  fetchRemote(server: string, query: RoomsQuery): Promise<JsonObject>
}): CircleRooms {
  const { clock, logger, nodes, fetchRemote } = deps
  const lists = new Map<string, NodeRooms>()
  const fetching = new Map<string, Promise<void>>()
  let merged:
    { readonly rooms: readonly JsonObject[]; readonly servers: ReadonlyMap<string, string[]> } | undefined

  /** Resolves with the first page; the others follow. */
  async function fetchList(server: string): Promise<void> {
    const list: NodeRooms = { rooms: [], at: clock.monotonic() }
    let left = MAX_TEXT
    async function next(since: string | undefined): Promise<string | undefined> {
      const answer = await fetchRemote(server, { limit: PAGE, since })
      const rooms: JsonObject[] = []
      for (const entry of answer['chunk'] as readonly JsonObject[]) {
        const room = presentable(entry, server)
        left -= JSON.stringify(room).length
        if (left > 0) rooms.push(room)
      }
      list.rooms = [...list.rooms, ...rooms].slice(0, MAX_ROOMS)
      lists.set(server, list)
      merged = undefined
      const token = answer['next_batch']
      return left > 0 && rooms.length > 0 && list.rooms.length < MAX_ROOMS ? (token as string) : undefined
    }
    async function rest(since: string | undefined): Promise<void> {
      for (let token = since, page = 1; token !== undefined && page * PAGE < MAX_ROOMS; page++)
        token = await next(token)
    }
    rest(await next(undefined)).catch((error: unknown) => {
      logger.debug({ err: error, server }, 'the list of rooms of a node broke off')
    })
  }

  function refreshed(server: string): Promise<void> {
    let running = fetching.get(server)
    if (running === undefined) {
      running = fetchList(server).finally(() => fetching.delete(server))
      fetching.set(server, running)
    }
    return running
  }

  /** Waits for those alone of which nothing is known. */
  async function refresh(): Promise<void> {
    const servers = nodes.servers()
    const now = clock.monotonic()
    for (const [server, list] of lists) {
      if (servers.includes(server) && list.at + KEPT > now) continue
      lists.delete(server)
      merged = undefined
    }
    const old = servers.filter((server) => (lists.get(server)?.at ?? Infinity) + FRESH <= now)
    if (old.length > 0) void nodes.ask(refreshed, old)
    const unknown = servers.filter((server) => !lists.has(server))
    if (unknown.length > 0) await nodes.ask(refreshed, unknown)
  }

  /** A room that several nodes list is shown once, as the node has it that made it, else as the first one. */
  function others(): NonNullable<typeof merged> {
    if (merged !== undefined) return merged
    const rooms = new Map<string, JsonObject>()
    const servers = new Map<string, string[]>()
    for (const [server, list] of lists) {
      for (const room of list.rooms) {
        const id = textOf(room, 'room_id')
        const known = servers.get(id)
        if (known === undefined) servers.set(id, [server])
        else if (!known.includes(server)) known.push(server)
        if (known === undefined || serverNameOf(id) === server) rooms.set(id, room)
      }
    }
    merged = { rooms: [...rooms.values()].toSorted(byPeople), servers }
    return merged
  }

  /** As of others, but for the texts that clients could stumble over, and names that are not the node's to give. */
  function presentable(entry: JsonObject, server: string): JsonObject {
    const { name, topic, avatar_url: avatar, canonical_alias: alias, room_type: type, ...rest } = entry
    const room: Record<string, Json> = { ...rest }
    if (typeof name === 'string' && name !== '') room['name'] = name.slice(0, MAX_NAME)
    if (typeof topic === 'string' && topic !== '') room['topic'] = topic.slice(0, MAX_TOPIC)
    if (typeof avatar === 'string' && avatar.length <= MAX_TOPIC && isMxcUri(avatar))
      room['avatar_url'] = avatar
    if (typeof alias === 'string' && isRoomAlias(alias) && serverNameOf(alias) === server)
      room['canonical_alias'] = alias
    if (typeof type === 'string' && type.length <= MAX_NAME) room['room_type'] = type
    if (textOf(room, 'join_rule').length > MAX_NAME) delete room['join_rule']
    const label = nodes.labelOf(server)
    return {
      ...room,
      'org.chancery.server': server,
      ...(label === undefined ? {} : { 'org.chancery.label': label }),
    }
  }

  return {
    async list(query, own) {
      const place = query.since === undefined || query.since === '' ? undefined : readToken(query.since)
      await refresh()
      const ours = new Set(own.map((room) => textOf(room, 'room_id')))
      const theirs = others().rooms.filter(
        (room) => !ours.has(textOf(room, 'room_id')) && matchesRoom(room, query),
      )
      return pageOf([...own, ...theirs].toSorted(byPeople), place, query.limit)
    },
    serversOf: (roomId) => others().servers.get(roomId) ?? [],
  }
}

/** A place in the list: beside a room with so many people, which itself is on the page before (`after`) or behind it (`before`). */
interface Place {
  readonly side: 'after' | 'before'
  readonly people: number
  readonly roomId: string
}

const peopleIn = (room: JsonObject): number => {
  const people = ownValue(room, 'num_joined_members')
  return typeof people === 'number' && Number.isSafeInteger(people) ? people : 0
}
const compare = (a: Omit<Place, 'side'>, b: Omit<Place, 'side'>): number =>
  b.people - a.people || (a.roomId < b.roomId ? -1 : a.roomId > b.roomId ? 1 : 0)
const keyOf = (room: JsonObject): Omit<Place, 'side'> => ({
  people: peopleIn(room),
  roomId: textOf(room, 'room_id'),
})
const byPeople = (a: JsonObject, b: JsonObject): number => compare(keyOf(a), keyOf(b))

const TOKEN = /^c1([ab])(\d{1,16})_([A-Za-z0-9_-]{1,400})$/

const tokenOf = (side: 'a' | 'b', room: JsonObject): string => {
  const { people, roomId } = keyOf(room)
  return `c1${side}${people}_${Buffer.from(roomId).toString('base64url')}`
}

function readToken(since: string): Place {
  const [, side, people, id] = TOKEN.exec(since) ?? []
  const roomId = Buffer.from(id ?? '', 'base64url').toString('utf8')
  if (side === undefined || !isRoomId(roomId)) throw invalidParam('since is not a token of this list')
  return { side: side === 'a' ? 'after' : 'before', people: Number(people), roomId }
}

/** Pre: `rooms` in order. */
function pageOf(rooms: readonly JsonObject[], place: Place | undefined, limit: number): JsonObject {
  let start = 0
  let end = Math.min(limit, rooms.length)
  if (place !== undefined) {
    const found = rooms.findIndex((room) => compare(keyOf(room), place) >= (place.side === 'after' ? 1 : 0))
    const at = found === -1 ? rooms.length : found
    start = place.side === 'after' ? at : Math.max(0, at - limit)
    end = place.side === 'after' ? Math.min(rooms.length, at + limit) : at
  }
  const chunk = rooms.slice(start, end)
  const [first, last] = [chunk[0], chunk.at(-1)]
  return {
    chunk,
    total_room_count_estimate: rooms.length,
    ...(last !== undefined && end < rooms.length ? { next_batch: tokenOf('a', last) } : {}),
    ...(first !== undefined && start > 0 ? { prev_batch: tokenOf('b', first) } : {}),
  }
}
