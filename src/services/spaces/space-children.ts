import { compareSpaceChildren, readSpaceChild, type SpaceChild } from '../../core/space-child.js'
import { createLru } from '../../platform/lru.js'
import type { RoomsContext } from '../rooms/context.js'
import type { RoomSnapshot } from '../rooms/working-room.js'

/** The rooms in our own spaces. */
export interface SpaceChildren {
  /** The valid children, in the order of the specification; at most 1,000. Pre: this server is in the room. */
  of(room: RoomSnapshot): Promise<readonly SpaceChild[]>
}

export const MAX_CHILDREN = 1_000
const CACHED_SPACES = 500
const BATCH = 1_000

export function createSpaceChildren(context: Pick<RoomsContext, 'states' | 'events'>): SpaceChildren {
  // A root stands for one state for ever, so nothing here goes stale.
  const known = createLru<string, readonly SpaceChild[]>({ max: CACHED_SPACES })

  async function read(room: RoomSnapshot, root: string): Promise<readonly SpaceChild[]> {
    const state = [...(await context.states.all(room.nid, root))]
    const nids: number[] = []
    for (let i = 0; i < state.length; i += BATCH) {
      const part = state.slice(i, i + BATCH)
      const keys = await context.states.keysOf(part.map(([key]) => key))
      for (const [key, event] of part) if (keys.get(key)?.type === 'm.space.child') nids.push(event)
    }
    const children: SpaceChild[] = []
    for (let i = 0; i < nids.length && i < 10 * MAX_CHILDREN; i += BATCH) {
      for (const { event } of (await context.events.byNids(nids.slice(i, i + BATCH))).values()) {
        const child = readSpaceChild({ ...event, ts: event.originServerTs })
        if (child !== undefined) children.push(child)
      }
    }
    return children.toSorted(compareSpaceChildren).slice(0, MAX_CHILDREN)
  }

  return {
    async of(room) {
      if (room.root === undefined) return []
      const key = `${room.nid} ${room.root}`
      const found = known.get(key) ?? (await read(room, room.root))
      known.set(key, found)
      return found
    },
  }
}
