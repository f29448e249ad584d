import { createRelations } from '../services/relations/relations.js'
import type { RoomsContext } from '../services/rooms/context.js'
import { createSearch } from '../services/search/search.js'
import type { Services } from '../services/services.js'
import type { ClientViews } from '../services/timeline/client-view.js'
import { createEventByTime } from '../services/timeline/event-by-time.js'
import { createHistory } from '../services/timeline/history.js'
import type { Replication } from './replication.js'

/** What was said in rooms. */
export function buildReading(deps: {
  readonly context: RoomsContext
  readonly views: ClientViews
  readonly replication: Pick<Replication, 'backfill' | 'fetchByTime'>
}): Pick<Services, 'history' | 'relations' | 'search' | 'eventByTime'> {
  const { context, views, replication } = deps
  const relations = createRelations({ context, views })
  const reading = { context, views, aggregations: relations.aggregations }
  const history = createHistory({ ...reading, backfill: replication.backfill.backfill })
  return {
    history,
    relations,
    search: createSearch({ ...reading, history }),
    eventByTime: createEventByTime({ context, fetch: replication.fetchByTime.fetch }),
  }
}
