import { Type } from 'typebox'
import type { UserOrder } from '../../services/administration/users.js'
import { Short } from '../validate.js'
import { adminRoute } from './admin-route.js'
import { pageOf, PAGING } from './paging.js'

/** Synapse's names for orders; of those that this server has nothing for, the order is that of names. */
const ORDERS: Readonly<Record<string, UserOrder>> = {
  name: 'name',
  is_guest: 'is_guest',
  admin: 'admin',
  user_type: 'name',
  deactivated: 'deactivated',
  shadow_banned: 'name',
  displayname: 'displayname',
  avatar_url: 'avatar_url',
  creation_ts: 'creation_ts',
  last_seen_ts: 'last_seen_ts',
}

const query = Type.Object({
  ...PAGING,
  order_by: Type.Optional(Type.Enum(Object.keys(ORDERS))),
  user_id: Type.Optional(Short),
  name: Type.Optional(Short),
  guests: Type.Optional(Type.Boolean()),
  admins: Type.Optional(Type.Boolean()),
  deactivated: Type.Optional(Type.Boolean()),
  locked: Type.Optional(Type.Boolean()),
  suspended: Type.Optional(Type.Boolean()),
})

/** `false` leaves them out, anything else does not. */
const unlessFalse = (include: boolean | undefined): false | undefined =>
  include === false ? false : undefined
/** `true` lets them in, anything else does not. */
const onlyIfTrue = (include: boolean | undefined): false | undefined => (include === true ? undefined : false)

const listUsers = (version: 'v2' | 'v3') =>
  adminRoute({
    id: version === 'v2' ? 'adminListUsers' : 'adminListUsersV3',
    method: 'GET',
    paths: [`/_synapse/admin/${version}/users`],
    rateLimit: 'read',
    query,
    handler: ({ query: asked }, { administration }) =>
      administration.users.list({
        ...pageOf(asked),
        order: ORDERS[asked.order_by ?? 'name'] ?? 'name',
        userId: asked.user_id,
        name: asked.name,
        admins: asked.admins,
        guests: unlessFalse(asked.guests),
        locked: onlyIfTrue(asked.locked),
        suspended: unlessFalse(asked.suspended),
        // The one difference: in the later version the flag says which of the two are wanted.
        deactivated: version === 'v3' ? asked.deactivated : onlyIfTrue(asked.deactivated),
      }),
  })

export const adminListUsers = listUsers('v2')
export const adminListUsersV3 = listUsers('v3')
