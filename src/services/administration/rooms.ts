import { notFound } from '../../core/errors.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import { createPace } from '../../platform/pace.js'
import {
  countLocalDevices,
  isRemembered,
  joinedMembers,
  roomsAfter,
  type ListedRoom,
} from '../../storage/tables/room-list.js'
import { roomById } from '../../storage/tables/rooms.js'
import type { Aliases } from '../rooms/aliases.js'
import { readWholeState, type RoomsContext } from '../rooms/context.js'
import { roomBlockedBy, blockRoom, unblockRoom } from '../../storage/tables/blocked-rooms.js'
import { checkRoomId } from '../rooms/blocked-rooms.js'
import type { ClientViews } from '../timeline/client-view.js'
import { createRoomEntries } from './room-entries.js'
import { MAX_PAGE } from './users.js'

/** Ascending for texts, descending for numbers: `descending` turns either round. */
const TEXTS = [
  'name', 'canonical_alias', 'creator', 'encryption', 'federatable', 'public', 'join_rules', 'guest_access', 'history_visibility',
] as const // prettier-ignore
const NUMBERS = ['joined_members', 'joined_local_members', 'version', 'state_events'] as const
export const ROOM_ORDERS = [...TEXTS, ...NUMBERS] as const
export type RoomOrder = (typeof ROOM_ORDERS)[number]

export interface RoomQuery {
  readonly order: RoomOrder
  readonly descending: boolean
  readonly offset: number
  readonly limit: number
  /** Part of the name, of the alias's localpart, or of the room's id. */
  readonly term?: string | undefined
  readonly public?: boolean | undefined
  /** Rooms that nobody is in. */
  readonly empty?: boolean | undefined
}

/** Rooms that this server has the state of, for administrators, whether or not they are in them. Throws M_NOT_FOUND. */
export interface RoomAdministration {
  /** Looks at every room; what was read of a state is kept until it changes. */
  list(query: RoomQuery): Promise<JsonObject>
  details(roomId: string): Promise<JsonObject>
  /** What a room is called; nulls for a room that is not known. */
  title(roomId: string): Promise<{ readonly name: Json; readonly canonical_alias: Json }>
  members(roomId: string): Promise<readonly string[]>
  /** Of one type, or all. */
  state(roomId: string, type: string | undefined): Promise<readonly JsonObject[]>
  /** The events that the next one will follow. By id or alias of this server. */
  heads(room: string): Promise<readonly JsonObject[]>
  /** By whom the room is blocked: nobody of this server comes into it. Any room may be asked about, and blocked. Throws M_INVALID_PARAM. */
  blockedBy(roomId: string): Promise<string | undefined>
  block(adminId: string, roomId: string, block: boolean): Promise<void>
}

const BATCH = 200

const matches = (entry: JsonObject, term: string): boolean => {
  const lower = term.toLowerCase()
  const alias = entry['canonical_alias']
  const name = entry['name']
  const id = entry['room_id']
  return (
    (typeof name === 'string' && name.toLowerCase().includes(lower)) ||
    (typeof alias === 'string' && alias.slice(1).split(':', 1)[0]!.toLowerCase().includes(lower)) ||
    (typeof id === 'string' && id.includes(term))
  )
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
const textFor = (value: Json | undefined): string =>
  typeof value === 'string' ? value.toLowerCase() : value === true ? '1' : ''

function compare(order: RoomOrder, a: JsonObject, b: JsonObject): number {
  if ((NUMBERS as readonly string[]).includes(order)) {
    // Experimental versions have no number.
    const [left, right] = [Number(a[order]), Number(b[order])]
    return (Number.isNaN(right) ? 0 : right) - (Number.isNaN(left) ? 0 : left)
  }
  return compareText(textFor(a[order]), textFor(b[order]))
}

export function createRoomAdministration(deps: {
  readonly context: RoomsContext
  readonly views: ClientViews
  readonly aliases: Pick<Aliases, 'resolveLocal'>
}): RoomAdministration {
  const { context, views } = deps
  const { store } = context
  const entries = createRoomEntries(context)

  async function rowOf(roomId: string): Promise<ListedRoom> {
    const row = await store.read('administration.room', () => roomById(roomId))
    if (row === undefined || row.state_root === null) throw notFound('This server knows no such room')
    return { ...row, state_root: row.state_root }
  }

  return {
    async list({ order, descending, offset, limit, term, public: isPublic, empty }) {
      const found: JsonObject[] = []
      const pace = createPace()
      for (let after = -1; ;) {
        const from = after
        const rows = await store.read('administration.rooms', () => roomsAfter(from, BATCH))
        for (const entry of await entries.of(rows)) {
          await pace()
          if (isPublic !== undefined && entry['public'] !== isPublic) continue
          if (empty !== undefined && (entry['joined_members'] === 0) !== empty) continue
          if (term !== undefined && !matches(entry, term)) continue
          found.push(entry)
        }
        if (rows.length < BATCH) break
        after = rows.at(-1)!.nid
      }
      const turn = descending ? -1 : 1
      found.sort(
        (a, b) => turn * compare(order, a, b) || compareText(textFor(a['room_id']), textFor(b['room_id'])),
      )
      const size = Math.min(limit, MAX_PAGE)
      const end = offset + size
      return {
        rooms: found.slice(offset, end).map(({ topic: _topic, avatar: _avatar, ...entry }) => entry),
        offset,
        total_rooms: found.length,
        ...(end < found.length && size > 0 ? { next_batch: end } : {}),
        ...(offset > 0 ? { prev_batch: Math.max(0, offset - size) } : {}),
      }
    },

    async details(roomId) {
      const row = await rowOf(roomId)
      const [entry] = await entries.of([row])
      const { devices, remembered } = await store.read('administration.roomDetails', function* () {
        return {
          devices: yield* countLocalDevices(row.nid),
          remembered: yield* isRemembered(row.nid),
        }
      })
      return { ...entry, joined_local_devices: devices, forgotten: !remembered }
    },

    async title(roomId) {
      const row = await store.read('administration.room', () => roomById(roomId))
      const root = row?.state_root ?? undefined
      const [entry] =
        row === undefined || root === undefined ? [] : await entries.of([{ ...row, state_root: root }])
      return { name: entry?.['name'] ?? null, canonical_alias: entry?.['canonical_alias'] ?? null }
    },

    async members(roomId) {
      const { nid } = await rowOf(roomId)
      return store.read('administration.roomMembers', () => joinedMembers(nid))
    },

    async state(roomId, type) {
      const row = await rowOf(roomId)
      const events = await readWholeState(context, row, row.state_root)
      const wanted = type === undefined ? events : events.filter(({ event }) => event.type === type)
      return views.view(wanted, { userId: '', deviceId: undefined })
    },

    async heads(room) {
      const roomId = room.startsWith('#') ? (await deps.aliases.resolveLocal(room)).room_id : room
      await rowOf(roomId)
      const snapshot = await context.loader.load(roomId)
      const heads = snapshot?.heads ?? []
      const events = await context.events.byNids(heads.map(({ nid }) => nid))
      return heads.map(({ nid, id, depth }) => ({
        event_id: id,
        depth,
        state_group: nid,
        // NOTSPEC: when it was sent; when it came here is kept of no event.
        received_ts: events.get(nid)?.event.originServerTs ?? null,
      }))
    },

    async blockedBy(roomId) {
      checkRoomId(roomId)
      return store.read('administration.blockedBy', () => roomBlockedBy(roomId))
    },

    async block(adminId, roomId, block) {
      checkRoomId(roomId)
      await store.write('administration.block', () =>
        block ? blockRoom(roomId, adminId, context.clock.now()) : unblockRoom(roomId),
      )
    },
  }
}
