import { Type } from 'typebox'
import type { CreateRoomInput } from '../../../services/rooms/create-room-input.js'
import { AddressInviteBody } from './address-invite-body.js'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3createroom */
export const createRoom = route({
  id: 'createRoom',
  method: 'POST',
  paths: v3('/createRoom'),
  auth: 'user',
  rateLimit: 'create_room',
  body: Type.Object({
    visibility: Type.Optional(Type.Union([Type.Literal('public'), Type.Literal('private')])),
    room_alias_name: Type.Optional(Type.String({ maxLength: 255 })),
    name: Type.Optional(Type.String()),
    topic: Type.Optional(Type.String()),
    invite: Type.Optional(Type.Array(Type.String())),
    invite_3pid: Type.Optional(Type.Array(AddressInviteBody, { maxItems: 100 })),
    room_version: Type.Optional(Type.String()),
    creation_content: Type.Optional(Type.Object({})),
    initial_state: Type.Optional(
      Type.Array(
        Type.Object({
          type: Type.String({ minLength: 1, maxLength: 255 }),
          state_key: Type.Optional(Type.String({ maxLength: 255 })),
          content: Type.Object({}),
        }),
      ),
    ),
    preset: Type.Optional(
      Type.Union([
        Type.Literal('private_chat'),
        Type.Literal('trusted_private_chat'),
        Type.Literal('public_chat'),
      ]),
    ),
    is_direct: Type.Optional(Type.Boolean()),
    power_level_content_override: Type.Optional(Type.Object({})),
  }),
  numbers: 'exact',
  handler: ({ requester, body }, { roomCreation }) =>
    roomCreation.create(requester, body as unknown as CreateRoomInput),
})
