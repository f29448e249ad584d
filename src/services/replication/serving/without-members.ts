import { heroesOf } from '../../../storage/tables/own-rooms.js'
import type { RoomsContext } from '../../rooms/context.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'

/** Keys looked up in one query. */
const BATCH = 1_000
const NAMES: ReadonlySet<string> = new Set(['m.room.name', 'm.room.canonical_alias'])

/**
 * A state (key nid → event nid) without its members, but for those of whom a room without a name gets one.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_joinroomideventid
 */
export async function withoutMembers(
  context: Pick<RoomsContext, 'states' | 'store'>,
  room: RoomSnapshot,
  state: ReadonlyMap<number, number>,
  joining: string,
): Promise<Map<number, number>> {
  const kept = new Map<number, number>()
  const members = new Map<string, number>()
  const keys = [...state.keys()]
  let isNamed = false
  for (let i = 0; i < keys.length; i += BATCH) {
    for (const [key, { type, stateKey }] of await context.states.keysOf(keys.slice(i, i + BATCH))) {
      if (type === 'm.room.member') members.set(stateKey, key)
      else kept.set(key, state.get(key)!)
      if (NAMES.has(type) && stateKey === '') isNamed = true
    }
  }
  if (isNamed) return kept
  for (const userId of await context.store.read('rooms.heroes', () => heroesOf(room.nid, joining))) {
    const key = members.get(userId)
    if (key !== undefined) kept.set(key, state.get(key)!)
  }
  return kept
}
