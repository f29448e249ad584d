import { notFound } from '../../core/errors.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import { serverMaySee } from './access.js'
import { localRoom, type FoundRoom, type LookupDeps } from './room-lookup.js'

export interface HierarchyServing {
  /**
   * A room and the rooms in it, for another server. Throws M_NOT_FOUND for a room that nobody there may see, be it here or not.
   * SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1hierarchyroomid
   */
  hierarchy(origin: string, roomId: string, suggestedOnly: boolean): Promise<JsonObject>
}

/** Rooms that are described along with their space; the other server asks for the rest one by one. */
const MAX_DESCRIBED = 100

export function createHierarchyServing(deps: Omit<LookupDeps, 'peers'>): HierarchyServing {
  const { context } = deps

  async function mayBeSeen(origin: string, found: FoundRoom): Promise<boolean> {
    const room = await context.loader.load(found.facts.roomId)
    return room !== undefined && (await serverMaySee(context, room, found.facts, origin))
  }

  return {
    async hierarchy(origin, roomId, suggestedOnly) {
      const found = await localRoom(deps, roomId)
      if (found === undefined || !(await mayBeSeen(origin, found))) throw notFound('The room was not found')
      const wanted = suggestedOnly ? found.children.filter((child) => child.suggested) : found.children
      const children: JsonObject[] = []
      const inaccessible: string[] = []
      for (const { roomId: id } of wanted.slice(0, MAX_DESCRIBED)) {
        const child = await localRoom(deps, id)
        // What is not known here others may know.
        if (child === undefined) continue
        if (await mayBeSeen(origin, child)) children.push(child.entry)
        else inaccessible.push(id)
      }
      return {
        room: { ...found.entry, children_state: wanted.map((child): Json => child.event) },
        children,
        inaccessible_children: inaccessible,
      }
    },
  }
}
