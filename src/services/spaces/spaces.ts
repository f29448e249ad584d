import type { FederationClient } from '../federation/client.js'
import type { Aliases } from '../rooms/aliases.js'
import type { RoomsContext } from '../rooms/context.js'
import { createSpaceHierarchy, type SpaceHierarchy } from './hierarchy.js'
import { createPeerSummaries } from './peer-summaries.js'
import { createHierarchyServing, type HierarchyServing } from './serve-hierarchy.js'
import { createSpaceChildren } from './space-children.js'
import { createRoomSummaries, type RoomSummaries } from './summary.js'

/** Rooms as those see them who are not in them, one by one and as the trees of spaces. */
export interface Spaces {
  readonly hierarchy: SpaceHierarchy
  readonly summaries: RoomSummaries
  readonly serving: HierarchyServing
}

export function createSpaces(deps: {
  readonly context: RoomsContext
  readonly client: Pick<FederationClient, 'request'>
  readonly aliases: Pick<Aliases, 'resolve' | 'resolveLocal'>
}): Spaces {
  const { context } = deps
  const children = createSpaceChildren(context)
  const peers = createPeerSummaries({ ...context, client: deps.client })
  const lookup = { context, children, peers }
  return {
    hierarchy: createSpaceHierarchy(lookup),
    summaries: createRoomSummaries({ ...lookup, aliases: deps.aliases }),
    serving: createHierarchyServing(lookup),
  }
}
