import { Type } from 'typebox'
import { adminRoute } from './admin-route.js'

const query = Type.Object({ from_ts: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }) })

/** Invites that a user has sent since a moment. */
export const adminSentInvites = adminRoute({
  id: 'adminSentInvites',
  method: 'GET',
  paths: ['/_synapse/admin/v1/users/{userId}/sent_invite_count'],
  rateLimit: 'read',
  query,
  handler: async ({ params, query: asked }, { administration }) => ({
    invite_count: await administration.userCounts.invites(params['userId']!, asked.from_ts),
  }),
})

/** Rooms that a user has joined since a moment. */
export const adminJoinedRoomCount = adminRoute({
  id: 'adminJoinedRoomCount',
  method: 'GET',
  paths: ['/_synapse/admin/v1/users/{userId}/cumulative_joined_room_count'],
  rateLimit: 'read',
  query,
  handler: async ({ params, query: asked }, { administration }) => ({
    cumulative_joined_room_count: await administration.userCounts.joinedRooms(
      params['userId']!,
      asked.from_ts,
    ),
  }),
})
