import { Type } from 'typebox'
import { slidingRequest, type SlidingBody } from '../../../services/sync/sliding/request.js'
import { MatrixError } from '../../../core/errors.js'
import { given, Short } from '../../validate.js'
import { route, unstable } from '../../route.js'

const Names = Type.Array(Short, { maxItems: 200 })
const Count = Type.Integer({ minimum: 0 })
const Range = Type.Tuple([Count, Count])
const Pattern = Type.Object({ type: given(Short), state_key: given(Short) })
const Patterns = Type.Array(Pattern, { maxItems: 100 })

const roomConfig = {
  timeline_limit: given(Count),
  required_state: given(
    Type.Union([
      Type.Array(Type.Tuple([Short, Short]), { maxItems: 100 }),
      Type.Object({
        include: given(Patterns),
        exclude: given(Patterns),
        lazy_members: given(Type.Boolean()),
      }),
    ]),
  ),
}

const RoomTypes = Type.Array(Type.Union([Short, Type.Null()]), { maxItems: 100 })

const Filters = Type.Object({
  is_dm: given(Type.Boolean()),
  spaces: given(Type.Array(Short, { maxItems: 100 })),
  is_encrypted: given(Type.Boolean()),
  is_invite: given(Type.Boolean()),
  is_invited: given(Type.Boolean()),
  room_types: given(RoomTypes),
  not_room_types: given(RoomTypes),
  room_name_like: given(Short),
  tags: given(Type.Array(Short, { maxItems: 100 })),
  not_tags: given(Type.Array(Short, { maxItems: 100 })),
})

const List = Type.Object({
  ...roomConfig,
  ranges: given(Type.Array(Range, { maxItems: 20 })),
  range: given(Range),
  slow_get_all_rooms: given(Type.Boolean()),
  filters: given(Filters),
})

const Enabled = { enabled: given(Type.Boolean()) }
const scope = { ...Enabled, lists: given(Names), rooms: given(Names) }
const Scope = Type.Object(scope)

const Extensions = Type.Object({
  to_device: given(Type.Object({ ...Enabled, limit: given(Count), since: given(Short) })),
  e2ee: given(Type.Object(Enabled)),
  account_data: given(Scope),
  receipts: given(Scope),
  typing: given(Scope),
  'io.element.msc4308.thread_subscriptions': given(Type.Object({ ...Enabled, limit: given(Count) })),
  'org.matrix.msc4354.sticky_events': given(
    Type.Object({ ...Enabled, limit: given(Count), since: given(Short) }),
  ),
  'org.matrix.msc4262.profiles': given(
    Type.Object({ ...scope, fields: given(Type.Array(Short, { maxItems: 100 })) }),
  ),
})

const Presence = Type.Union([Type.Literal('online'), Type.Literal('offline'), Type.Literal('unavailable')])

const Body = Type.Object({
  conn_id: given(Type.String({ maxLength: 64 })),
  pos: given(Short),
  timeout: given(Count),
  set_presence: given(Presence),
  lists: given(Type.Record(Type.String(), List)),
  room_subscriptions: given(Type.Record(Type.String(), Type.Object(roomConfig))),
  extensions: given(Extensions),
})

/** SPEC: MSC4186: more of either are refused. */
const MAX_LISTS = 100
const MAX_SUBSCRIPTIONS = 100

/** `maxProperties` would say M_BAD_JSON; the proposal wants M_INVALID_PARAM. */
function checkCounts(body: SlidingBody): void {
  const names = Object.keys(body.lists ?? {})
  const rooms = Object.keys(body.room_subscriptions ?? {})
  if (names.length > MAX_LISTS) throw new MatrixError('M_INVALID_PARAM', `More than ${MAX_LISTS} lists`)
  if (names.some((name) => name.length > 255))
    throw new MatrixError('M_INVALID_PARAM', 'The name of a list is too long')
  if (rooms.length > MAX_SUBSCRIPTIONS)
    throw new MatrixError('M_INVALID_PARAM', `More than ${MAX_SUBSCRIPTIONS} subscriptions`)
}

/**
 * Simplified sliding sync, in both forms of its proposal: as matrix-rust-sdk writes it, with `pos` and `timeout` in the query, and as its
 * text has it now.
 *
 * SPEC: https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4186-simplified-sliding-sync.md
 */
export const slidingSync = route({
  id: 'slidingSync',
  method: 'POST',
  paths: unstable('/org.matrix.simplified_msc3575/sync'),
  auth: 'guest',
  rateLimit: 'sync',
  query: Type.Object({
    pos: Type.Optional(Short),
    timeout: Type.Optional(Type.Integer({ minimum: 0 })),
    set_presence: Type.Optional(Presence),
  }),
  body: Body,
  async handler({ requester, query, body, request }, services) {
    checkCounts(body)
    const asked = slidingRequest(body, query, requester.userId)
    const presence = query.set_presence ?? body.set_presence ?? 'online'
    const endPoll = services.presence.beginSync(requester, presence)
    try {
      return await services.slidingSync.sync(requester, asked, {
        signal: request.signal,
        giveWay: request.giveWay,
        stillAllowed: request.stillAllowed,
      })
    } finally {
      endPoll()
    }
  },
})
