import { isObject, type Json } from '../../../core/json/value.js'
import { createLru } from '../../../platform/lru.js'
import { accountDataOfType } from '../../../storage/tables/account-data.js'
import { readState, type RoomsContext } from '../../rooms/context.js'
import { lastDeparture } from '../../rooms/member-history.js'
import { CREATE } from '../../rooms/room-power.js'
import { mapKey } from '../../rooms/state-store.js'
import type { RoomFilters } from './request.js'
import { stateAt } from './state-at.js'
import type { ListedRoom, RoomFacts, RoomList } from './user-rooms.js'

const ENCRYPTION = { type: 'm.room.encryption', stateKey: '' }
const NAME = { type: 'm.room.name', stateKey: '' }

export interface RoomFilter {
  /** The rooms of a list that the user may be shown and the filters let through, in the list's order. */
  apply(
    userId: string,
    list: RoomList,
    rooms: readonly ListedRoom[],
    filters: RoomFilters,
  ): Promise<readonly ListedRoom[]>
  /** Whether somebody who was put out of a room had been in it. */
  wasIn(userId: string, room: ListedRoom): Promise<boolean>
}

export function createRoomFilter(deps: { readonly context: RoomsContext }): RoomFilter {
  const { context } = deps
  /** Children of spaces, by the root of the space's state. */
  const children = createLru<string, ReadonlySet<string>>({ max: 500 })

  async function wasIn(userId: string, room: ListedRoom): Promise<boolean> {
    room.wasIn ??= (await lastDeparture(context, room.nid, userId)) !== undefined
    return room.wasIn
  }

  async function factsOf(userId: string, room: ListedRoom): Promise<RoomFacts> {
    room.facts ??= await readFacts(userId, room)
    return room.facts
  }

  async function readFacts(userId: string, room: ListedRoom): Promise<RoomFacts> {
    const isOutside = room.membership === 'invite' || room.membership === 'knock'
    if (isOutside && room.strippedState !== null) {
      const events = (JSON.parse(room.strippedState) as readonly Json[]).filter(isObject)
      const contentOf = (type: string): Json | undefined =>
        events.find((event) => event['type'] === type && event['state_key'] === '')?.['content']
      return facts(contentOf('m.room.create'), contentOf('m.room.encryption'), contentOf('m.room.name'))
    }
    // Of a room that they have left the user knows what it was when they left.
    const root =
      room.membership === 'join' || isOutside
        ? room.root
        : (await lastDeparture(context, room.nid, userId))?.event?.stateAfter
    const snapshot = await context.loader.load(room.roomId)
    if (snapshot === undefined || root === undefined || root === null)
      return facts(undefined, undefined, undefined)
    const state = await readState(context, snapshot, [CREATE, ENCRYPTION, NAME], root)
    const contentOf = (key: typeof CREATE): Json | undefined => state.get(mapKey(key))?.event.content
    return facts(contentOf(CREATE), contentOf(ENCRYPTION), contentOf(NAME))
  }

  async function childrenOf(list: RoomList, spaces: readonly string[]): Promise<ReadonlySet<string>> {
    const all = new Set<string>()
    for (const spaceId of new Set(spaces)) {
      const space = list.byId.get(spaceId)
      if (space?.membership !== 'join' || space.root === null) continue
      const key = `${space.nid} ${space.root}`
      let found = children.get(key)
      if (found === undefined) {
        const events = await stateAt(context, space.nid, space.root, {
          keys: [],
          types: ['m.space.child'],
          everything: false,
        })
        found = new Set(
          events.flatMap(({ event }) => (Array.isArray(event.content['via']) ? (event.stateKey ?? []) : [])),
        )
        children.set(key, found)
      }
      for (const child of found) all.add(child)
    }
    return all
  }

  async function tagsOf(userId: string): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    const rows = await context.store.read('sliding.tags', () => accountDataOfType(userId, 'm.tag'))
    return new Map(
      rows.map((row) => {
        const content = JSON.parse(row.content) as Json
        const tags = isObject(content) ? content['tags'] : undefined
        return [row.room_id, new Set(isObject(tags) ? Object.keys(tags) : [])]
      }),
    )
  }

  return {
    wasIn,
    async apply(userId, list, rooms, filters) {
      const { isDm, isInvite, isEncrypted, roomTypes, notRoomTypes, nameLike } = filters
      let left = rooms
      if (isInvite !== undefined) left = left.filter((room) => (room.membership === 'invite') === isInvite)
      if (isDm !== undefined) left = left.filter((room) => list.direct.has(room.roomId) === isDm)
      if (filters.spaces !== undefined) {
        const inside = await childrenOf(list, filters.spaces)
        left = left.filter((room) => inside.has(room.roomId))
      }
      if (filters.tags !== undefined || filters.notTags !== undefined) {
        const tags = await tagsOf(userId)
        const has = (room: ListedRoom, wanted: ReadonlySet<string>): boolean =>
          [...(tags.get(room.roomId) ?? [])].some((tag) => wanted.has(tag))
        const { tags: some, notTags: none } = filters
        if (some !== undefined) left = left.filter((room) => has(room, some))
        if (none !== undefined) left = left.filter((room) => !has(room, none))
      }
      const needsFacts = [isEncrypted, roomTypes, notRoomTypes, nameLike].some((part) => part !== undefined)
      if (!needsFacts) return left
      const admitted: ListedRoom[] = []
      for (const room of left) {
        const known = room.facts ?? (await factsOf(userId, room))
        if (isEncrypted !== undefined && known.isEncrypted !== isEncrypted) continue
        if (roomTypes !== undefined && !roomTypes.has(known.type)) continue
        if (notRoomTypes?.has(known.type) === true) continue
        if (nameLike !== undefined && !known.name.includes(nameLike)) continue
        admitted.push(room)
      }
      return admitted
    },
  }
}

function facts(create: Json | undefined, encryption: Json | undefined, name: Json | undefined): RoomFacts {
  const type = isObject(create) ? create['type'] : undefined
  const text = isObject(name) ? name['name'] : undefined
  return {
    isEncrypted: encryption !== undefined,
    type: typeof type === 'string' ? type : null,
    name: typeof text === 'string' ? text.toLowerCase() : '',
  }
}
