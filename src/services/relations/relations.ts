import type { RoomsContext } from '../rooms/context.js'
import type { Aggregations } from '../timeline/aggregations.js'
import type { ClientViews } from '../timeline/client-view.js'
import { createAggregations } from './aggregations.js'
import { createRelationsFill, type RelationsFill } from './fill.js'
import { createRelatingEvents, type RelatingEvents } from './relating-events.js'
import { createThreadList, type ThreadList } from './thread-list.js'

/** What relates to what. */
export interface Relations {
  readonly aggregations: Aggregations
  readonly relating: RelatingEvents
  readonly threads: ThreadList
  readonly fill: RelationsFill
}

export function createRelations(deps: {
  readonly context: RoomsContext
  readonly views: ClientViews
}): Relations {
  const aggregations = createAggregations(deps)
  return {
    aggregations,
    relating: createRelatingEvents({ ...deps, aggregations }),
    threads: createThreadList({ ...deps, aggregations }),
    fill: createRelationsFill(deps.context.store),
  }
}
