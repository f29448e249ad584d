import { Type } from 'typebox'
import { MatrixError } from '../../../core/errors.js'
import type { Json } from '../../../core/json/value.js'
import { SEARCH_KEYS } from '../../../core/search/search-text.js'
import { roomEventFilterFault } from '../../../services/filters/filter-format.js'
import { optional } from '../../validate.js'
import { route, v3 } from '../../route.js'
import { isObject } from '../../../core/json/value.js'

const Key = Type.Union(SEARCH_KEYS.map((key) => Type.Literal(key)))
const Count = Type.Integer({ minimum: 0 })

const RoomEvents = Type.Object({
  search_term: Type.String({ maxLength: 1_000 }),
  keys: optional(Type.Array(Key, { minItems: 1, maxItems: 10 })),
  filter: optional(Type.Object({})),
  order_by: optional(Type.Union([Type.Literal('rank'), Type.Literal('recent')])),
  event_context: optional(
    Type.Object({
      before_limit: optional(Count),
      after_limit: optional(Count),
      include_profile: optional(Type.Boolean()),
    }),
  ),
  include_state: optional(Type.Boolean()),
  groupings: optional(
    Type.Object({
      group_by: optional(
        Type.Array(Type.Object({ key: Type.Union([Type.Literal('room_id'), Type.Literal('sender')]) }), {
          maxItems: 10,
        }),
      ),
    }),
  ),
})

/** Events before and after a result, where the client asks for its context without saying how many. */
const DEFAULT_CONTEXT = 5

function checkedFilter(filter: unknown): Json | undefined {
  if (filter === undefined || !isObject(filter as Json)) return undefined
  const fault = roomEventFilterFault(filter as Record<string, Json>)
  if (fault !== undefined) throw new MatrixError('M_BAD_JSON', fault)
  return filter as Json
}

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3search */
export const search = route({
  id: 'search',
  method: 'POST',
  paths: v3('/search'),
  auth: 'user',
  rateLimit: 'read',
  maxBody: 128 * 1024,
  query: Type.Object({ next_batch: optional(Type.String({ maxLength: 1_000 })) }),
  body: Type.Object({ search_categories: Type.Object({ room_events: optional(RoomEvents) }) }),
  handler: async ({ requester, query, body }, services) => {
    const asked = body.search_categories.room_events
    // Categories that nobody here knows have no results.
    if (asked === undefined) return { search_categories: {} }
    const around = asked.event_context
    const found = await services.search.search(requester, {
      term: asked.search_term,
      keys: asked.keys,
      filter: checkedFilter(asked.filter) ?? {},
      orderBy: asked.order_by ?? 'rank',
      context:
        around === undefined
          ? undefined
          : {
              before: around.before_limit ?? DEFAULT_CONTEXT,
              after: around.after_limit ?? DEFAULT_CONTEXT,
              includeProfile: around.include_profile ?? false,
            },
      includeState: asked.include_state ?? false,
      groupBy: (asked.groupings?.group_by ?? []).map((group) => group.key),
      nextBatch: query.next_batch,
    })
    return { search_categories: { room_events: found } }
  },
})
