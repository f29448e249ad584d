import { Type } from 'typebox'
import { invalidParam, MatrixError } from '../../core/errors.js'
import { reply } from '../route.js'
import { Short } from '../validate.js'
import { adminRoute } from './admin-route.js'
import { ShortOrNull } from './paging.js'

const path = '/_synapse/admin/v2/users/{userId}'
const OptionalBoolean = Type.Optional(Type.Union([Type.Boolean(), Type.Null()]))

/** One account. */
export const adminGetUser = adminRoute({
  id: 'adminGetUser',
  method: 'GET',
  paths: [path],
  rateLimit: 'read',
  handler: ({ params }, { administration }) => administration.users.details(params['userId']!),
})

const body = Type.Object({
  password: Type.Optional(Type.Union([Type.String({ maxLength: 1_024 }), Type.Null()])),
  logout_devices: OptionalBoolean,
  displayname: Type.Optional(Type.Union([Type.String({ maxLength: 256 }), Type.Null()])),
  avatar_url: Type.Optional(Type.Union([Type.String({ maxLength: 1_000 }), Type.Null()])),
  threepids: Type.Optional(Type.Array(Type.Object({ medium: Short, address: Short }), { maxItems: 100 })),
  external_ids: Type.Optional(
    Type.Array(Type.Object({ auth_provider: Short, external_id: Short }), { maxItems: 100 }),
  ),
  admin: OptionalBoolean,
  deactivated: OptionalBoolean,
  locked: OptionalBoolean,
  suspended: OptionalBoolean,
  user_type: Type.Optional(ShortOrNull),
})

/** Makes the account (201), or changes it. What this server has nothing for is refused, and not silently lost. */
export const adminPutUser = adminRoute({
  id: 'adminPutUser',
  method: 'PUT',
  paths: [path],
  rateLimit: 'write',
  body,
  async handler({ requester, params, body: asked }, { administration }) {
    if (asked.external_ids !== undefined && asked.external_ids.length > 0)
      throw invalidParam('This server has no identity providers')
    if (asked.user_type !== undefined && asked.user_type !== null && asked.user_type !== '')
      throw invalidParam('This server has no types of users')
    if (asked.threepids?.some(({ medium }) => medium !== 'email') === true)
      throw new MatrixError('M_THREEPID_MEDIUM_NOT_SUPPORTED', 'Accounts have e-mail addresses only')
    const { created, user } = await administration.users.put(requester.userId, params['userId']!, {
      password: asked.password ?? undefined,
      logoutDevices: asked.logout_devices ?? true,
      displayName: asked.displayname ?? undefined,
      avatarUrl: asked.avatar_url ?? undefined,
      emails: asked.threepids?.map(({ address }) => address),
      admin: asked.admin ?? undefined,
      locked: asked.locked ?? undefined,
      suspended: asked.suspended ?? undefined,
      deactivated: asked.deactivated ?? undefined,
    })
    return reply({ status: created ? 201 : 200, body: user })
  },
})
