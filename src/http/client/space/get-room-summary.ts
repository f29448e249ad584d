import { Type } from 'typebox'
import { route, unstable, v1 } from '../../route.js'

const query = Type.Object({
  via: Type.Optional(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 50 })),
})

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1room_summaryroomidoralias */
export const getRoomSummary = route({
  id: 'getRoomSummary',
  method: 'GET',
  paths: v1('/room_summary/{roomIdOrAlias}'),
  auth: 'optional-user',
  rateLimit: 'read',
  query,
  handler: ({ requester, params, query: { via = [] }, request }, { spaces }) =>
    spaces.summaries.of(requester, { room: params['roomIdOrAlias']!, via, signal: request.signal }),
})

/** What clients still call: the paths and the names of MSC3266, beside the names of the specification. */
export const getRoomSummaryUnstable = route({
  id: 'getRoomSummaryUnstable',
  method: 'GET',
  paths: [
    ...unstable('/im.nheko.summary/summary/{roomIdOrAlias}'),
    ...unstable('/im.nheko.summary/rooms/{roomIdOrAlias}/summary'),
  ],
  auth: 'optional-user',
  rateLimit: 'read',
  query,
  async handler({ requester, params, query: { via = [] }, request }, { spaces }) {
    const room = params['roomIdOrAlias']!
    const summary = await spaces.summaries.of(requester, { room, via, signal: request.signal })
    const { room_version: version, encryption } = summary
    return {
      ...summary,
      ...(version === undefined
        ? {}
        : { 'im.nheko.summary.room_version': version, 'im.nheko.summary.version': version }),
      ...(encryption === undefined ? {} : { 'im.nheko.summary.encryption': encryption }),
    }
  },
})
