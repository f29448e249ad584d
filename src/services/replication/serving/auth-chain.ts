import { createEventIdOf } from '../../../core/ids/room-id.js'
import { authEdgesOf } from '../../../storage/tables/event-graph.js'
import type { RoomsContext } from '../../rooms/context.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'

/** Events read at once. */
const BATCH = 1_000

/**
 * Nids of all that some events refer to by `auth_events`, directly or through others; the events themselves only where
 * another of them refers to them. In rooms of version 12 with the create event, to which all refer by the room id.
 */
export async function authChainOf(
  context: Pick<RoomsContext, 'store' | 'events'>,
  room: Pick<RoomSnapshot, 'roomId' | 'rules'>,
  nids: Iterable<number>,
): Promise<number[]> {
  const chain = new Set<number>()
  const seen = new Set<number>(nids)
  let level = [...seen]
  if (room.rules.roomIds === 'create-hash' && level.length > 0) {
    const create = await context.events.byId(createEventIdOf(room.roomId))
    if (create !== undefined) chain.add(create.nid)
  }
  while (level.length > 0) {
    const next: number[] = []
    for (let i = 0; i < level.length; i += BATCH) {
      const batch = level.slice(i, i + BATCH)
      for (const row of await context.store.read('federation.authChain', () => authEdgesOf(batch))) {
        for (const nid of JSON.parse(row.auth) as number[]) {
          chain.add(nid)
          if (seen.has(nid)) continue
          seen.add(nid)
          next.push(nid)
        }
      }
    }
    level = next
  }
  return [...chain]
}
