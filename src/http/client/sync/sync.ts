import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3sync */
export const sync = route({
  id: 'sync',
  method: 'GET',
  paths: v3('/sync'),
  auth: 'guest',
  rateLimit: 'sync',
  query: Type.Object({
    since: Type.Optional(Type.String({ maxLength: 255 })),
    // An id, or a filter as JSON.
    filter: Type.Optional(Type.String()),
    full_state: Type.Optional(Type.Boolean()),
    timeout: Type.Optional(Type.Integer({ minimum: 0 })),
    use_state_after: Type.Optional(Type.Boolean()),
    set_presence: Type.Optional(
      Type.Union([Type.Literal('online'), Type.Literal('offline'), Type.Literal('unavailable')]),
    ),
    'org.matrix.msc4222.use_state_after': Type.Optional(Type.Boolean()),
  }),
  async handler({ requester, query, request }, services) {
    const unstable = query['org.matrix.msc4222.use_state_after'] === true
    const filter =
      query.filter === undefined ? {} : await services.filters.resolve(requester.userId, query.filter)
    const endPoll = services.presence.beginSync(requester, query.set_presence ?? 'online')
    try {
      return await services.sync.sync(requester, {
        since: query.since,
        filter,
        fullState: query.full_state ?? false,
        timeoutMs: query.timeout ?? 0,
        stateAfter: unstable
          ? 'org.matrix.msc4222.state_after'
          : query.use_state_after === true
            ? 'state_after'
            : 'no',
        signal: request.signal,
        giveWay: request.giveWay,
        stillAllowed: request.stillAllowed,
      })
    } finally {
      endPoll()
    }
  },
})
