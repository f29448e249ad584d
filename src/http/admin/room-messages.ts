import { Type } from 'typebox'
import type { Requester } from '../../services/requester.js'
import type { Viewer } from '../../services/timeline/client-view.js'
import { MessagesQuery } from '../messages-query.js'
import { adminRoute } from './admin-route.js'

/** An administrator looks into a room as somebody to whom nothing in it is hidden. Other servers are not asked for what is missing. */
const everything = ({ userId, deviceId }: Requester): Viewer => ({ userId, deviceId, seesAll: true })

/** What was said in a room. */
export const adminRoomMessages = adminRoute({
  id: 'adminRoomMessages',
  method: 'GET',
  paths: ['/_synapse/admin/v1/rooms/{roomId}/messages'],
  rateLimit: 'read',
  query: MessagesQuery,
  handler: ({ requester, params, query }, { history, filters }) =>
    history.messages(everything(requester), {
      roomId: params['roomId']!,
      dir: query.dir ?? 'f',
      from: query.from,
      to: query.to,
      limit: query.limit,
      filter: query.filter === undefined ? {} : filters.inline(query.filter),
      localOnly: true,
    }),
})

/** What was said around an event, as one that was reported. */
export const adminEventContext = adminRoute({
  id: 'adminEventContext',
  method: 'GET',
  paths: ['/_synapse/admin/v1/rooms/{roomId}/context/{eventId}'],
  rateLimit: 'read',
  query: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    filter: Type.Optional(Type.String()),
  }),
  handler: ({ requester, params, query }, { history, filters }) =>
    history.context(everything(requester), {
      roomId: params['roomId']!,
      eventId: params['eventId']!,
      limit: query.limit ?? 10,
      filter: query.filter === undefined ? {} : filters.inline(query.filter),
    }),
})

/** The event next to a moment. */
export const adminEventByTimestamp = adminRoute({
  id: 'adminEventByTimestamp',
  method: 'GET',
  paths: ['/_synapse/admin/v1/rooms/{roomId}/timestamp_to_event'],
  rateLimit: 'read',
  query: Type.Object({
    ts: Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
    dir: Type.Optional(Type.Union([Type.Literal('f'), Type.Literal('b')])),
  }),
  handler: ({ requester, params, query }, { eventByTime }) =>
    eventByTime.find(everything(requester), {
      roomId: params['roomId']!,
      ts: query.ts,
      dir: query.dir ?? 'f',
    }),
})
