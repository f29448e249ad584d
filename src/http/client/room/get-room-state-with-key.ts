import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidstateeventtypestatekey */
export const getRoomStateWithKey = route({
  id: 'getRoomStateWithKey',
  method: 'GET',
  paths: [
    ...v3('/rooms/{roomId}/state/{eventType}/{stateKey}'),
    ...v3('/rooms/{roomId}/state/{eventType}/'),
    ...v3('/rooms/{roomId}/state/{eventType}'),
  ],
  auth: 'guest',
  rateLimit: 'read',
  query: Type.Object({
    format: Type.Optional(Type.Union([Type.Literal('content'), Type.Literal('event')])),
  }),
  handler: ({ requester, params, query }, { history }) =>
    history.stateEvent(
      requester,
      params['roomId']!,
      { type: params['eventType']!, stateKey: params['stateKey'] ?? '' },
      query.format ?? 'content',
    ),
})
