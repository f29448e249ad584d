import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidupgrade */
export const upgradeRoom = route({
  id: 'upgradeRoom',
  method: 'POST',
  paths: v3('/rooms/{roomId}/upgrade'),
  auth: 'user',
  rateLimit: 'create_room',
  body: Type.Object({
    new_version: Type.String({ maxLength: 255 }),
    additional_creators: Type.Optional(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 100 })),
  }),
  handler: ({ requester, params, body }, { roomUpgrades }) =>
    roomUpgrades.upgrade(requester, {
      roomId: params['roomId']!,
      newVersion: body.new_version,
      additionalCreators: body.additional_creators,
    }),
})
