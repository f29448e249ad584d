import { Type } from 'typebox'
import { Short } from '../validate.js'
import { adminRoute } from './admin-route.js'

const path = '/_synapse/admin/v1/rooms/{roomId}'

/** What a room's state says of it, and who is there, in numbers. */
export const adminGetRoom = adminRoute({
  id: 'adminGetRoom',
  method: 'GET',
  paths: [path],
  rateLimit: 'read',
  handler: ({ params }, { administration }) => administration.rooms.details(params['roomId']!),
})

const body = Type.Object({
  new_room_user_id: Type.Optional(Type.Union([Short, Type.Null()])),
  room_name: Type.Optional(Type.Union([Short, Type.Null()])),
  message: Type.Optional(Type.Union([Type.String({ maxLength: 32_000 }), Type.Null()])),
  block: Type.Optional(Type.Boolean()),
  // NOTSPEC: the content of what was said goes; of each event its place in the room stays (docs/adr/0011).
  purge: Type.Optional(Type.Boolean()),
  force_purge: Type.Optional(Type.Boolean()),
})

interface Asked {
  readonly new_room_user_id?: string | null
  readonly room_name?: string | null
  readonly message?: string | null
  readonly block?: boolean
  readonly purge?: boolean
  readonly force_purge?: boolean
}

const wishOf = (asked: Asked) => ({
  block: asked.block ?? false,
  newRoomUserId: asked.new_room_user_id ?? undefined,
  roomName: asked.room_name ?? undefined,
  message: asked.message ?? undefined,
  purge: asked.purge ?? true,
  forcePurge: asked.force_purge ?? false,
})

/** Ends a room for this server; answers when it is done. */
export const adminDeleteRoom = adminRoute({
  id: 'adminDeleteRoom',
  method: 'DELETE',
  paths: [path],
  rateLimit: 'write',
  body,
  handler: ({ requester, params, body: asked }, { administration }) =>
    administration.roomRemoval.remove(requester.userId, params['roomId']!, wishOf(asked)),
})

/** The same in the background. */
export const adminDeleteRoomV2 = adminRoute({
  id: 'adminDeleteRoomV2',
  method: 'DELETE',
  paths: ['/_synapse/admin/v2/rooms/{roomId}'],
  rateLimit: 'write',
  body,
  handler: async ({ requester, params, body: asked }, { administration }) => ({
    delete_id: await administration.roomRemoval.start(requester.userId, params['roomId']!, wishOf(asked)),
  }),
})
