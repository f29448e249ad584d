import type { Json, JsonObject } from '../../core/json/value.js'
import { createLru } from '../../platform/lru.js'
import { joinedCounts, type ListedRoom } from '../../storage/tables/room-list.js'
import type { RoomsContext } from '../rooms/context.js'
import { mapKey } from '../rooms/state-store.js'

/** What a room's state says of it, without its members. */
export interface RoomEntries {
  /** One for each of the rooms, in their order. */
  of(rooms: readonly ListedRoom[]): Promise<readonly JsonObject[]>
}

const STATE = [
  'm.room.create', 'm.room.name', 'm.room.topic', 'm.room.avatar', 'm.room.canonical_alias', 'm.room.join_rules',
  'm.room.history_visibility', 'm.room.guest_access', 'm.room.encryption', 'm.room.tombstone',
].map((type) => ({ type, stateKey: '' })) // prettier-ignore
/** Rooms whose entry is kept until their state changes. */
const MAX_CACHED = 20_000

const textOf = (content: JsonObject | undefined, key: string): string | null => {
  const value = content?.[key]
  return typeof value === 'string' && value !== '' ? value : null
}

export function createRoomEntries(context: Pick<RoomsContext, 'store' | 'states' | 'events'>): RoomEntries {
  const known = createLru<number, { readonly root: string; readonly entry: JsonObject }>({ max: MAX_CACHED })

  async function fromState({ nid, state_root: root, ...row }: ListedRoom): Promise<JsonObject> {
    const nids = await context.states.read(nid, root, STATE)
    const events = await context.events.byNids([...nids.values()])
    const eventOf = (type: string) => events.get(nids.get(mapKey({ type, stateKey: '' })) ?? -1)?.event
    const content = (type: string): JsonObject | undefined => eventOf(type)?.content
    return {
      room_id: row.room_id,
      name: textOf(content('m.room.name'), 'name'),
      topic: textOf(content('m.room.topic'), 'topic'),
      avatar: textOf(content('m.room.avatar'), 'url'),
      canonical_alias: textOf(content('m.room.canonical_alias'), 'alias'),
      version: row.version,
      creator: eventOf('m.room.create')?.sender ?? null,
      encryption: textOf(content('m.room.encryption'), 'algorithm'),
      federatable: content('m.room.create')?.['m.federate'] !== false,
      join_rules: textOf(content('m.room.join_rules'), 'join_rule'),
      guest_access: textOf(content('m.room.guest_access'), 'guest_access'),
      history_visibility: textOf(content('m.room.history_visibility'), 'history_visibility'),
      state_events: await context.states.size(nid, root),
      room_type: textOf(content('m.room.create'), 'type'),
      tombstoned: content('m.room.tombstone') !== undefined,
      replacement_room: textOf(content('m.room.tombstone'), 'replacement_room'),
    }
  }

  async function entryOf(row: ListedRoom): Promise<JsonObject> {
    const cached = known.get(row.nid)
    if (cached?.root === row.state_root) return cached.entry
    const entry = await fromState(row)
    known.set(row.nid, { root: row.state_root, entry })
    return entry
  }

  return {
    async of(rooms) {
      const counts = await context.store.read('administration.members', () =>
        joinedCounts(rooms.map(({ nid }) => nid)),
      )
      const joined = new Map<number, { all: number; local: number }>()
      for (const { room_nid: nid, local, n } of counts) {
        const sum = joined.get(nid) ?? { all: 0, local: 0 }
        joined.set(nid, { all: sum.all + n, local: local === 1 ? n : sum.local })
      }
      const entries: JsonObject[] = []
      for (const row of rooms) {
        const members: Record<string, Json> = {
          joined_members: joined.get(row.nid)?.all ?? 0,
          joined_local_members: joined.get(row.nid)?.local ?? 0,
          public: row.published === 1,
        }
        entries.push({ ...(await entryOf(row)), ...members })
      }
      return entries
    },
  }
}
