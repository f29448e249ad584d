import { Type } from 'typebox'
import { ROOM_ORDERS, type RoomOrder } from '../../services/administration/rooms.js'
import { Short } from '../validate.js'
import { adminRoute } from './admin-route.js'
import { pageOf, PAGING } from './paging.js'

/** Names of before. */
const FORMER: Readonly<Record<string, RoomOrder>> = { alphabetical: 'name', size: 'joined_members' }

/** All rooms that this server knows the state of. */
export const adminListRooms = adminRoute({
  id: 'adminListRooms',
  method: 'GET',
  paths: ['/_synapse/admin/v1/rooms'],
  rateLimit: 'read',
  query: Type.Object({
    ...PAGING,
    order_by: Type.Optional(Type.Enum([...ROOM_ORDERS, ...Object.keys(FORMER)])),
    search_term: Type.Optional(Short),
    public_rooms: Type.Optional(Type.Boolean()),
    empty_rooms: Type.Optional(Type.Boolean()),
  }),
  handler: ({ query }, { administration }) => {
    const order = query.order_by ?? 'name'
    return administration.rooms.list({
      ...pageOf(query),
      order: FORMER[order] ?? (order as RoomOrder),
      term: query.search_term,
      public: query.public_rooms,
      empty: query.empty_rooms,
    })
  },
})
