import { Type } from 'typebox'
import type { UserMediaOrder } from '../../services/media/media-moderation.js'
import { Short } from '../validate.js'
import { adminRoute } from './admin-route.js'
import { pageOf, PAGING } from './paging.js'

const MAX_PAGE = 1_000
/** Names are not sorted by here: ids are. */
const ORDERS: Readonly<Record<string, UserMediaOrder>> = {
  user_id: 'user_id',
  displayname: 'user_id',
  media_count: 'media_count',
  media_length: 'media_length',
}
const Time = Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))

/** How much users have uploaded. */
export const adminMediaStatistics = adminRoute({
  id: 'adminMediaStatistics',
  method: 'GET',
  paths: ['/_synapse/admin/v1/statistics/users/media'],
  rateLimit: 'read',
  query: Type.Object({
    ...PAGING,
    order_by: Type.Optional(Type.Enum(Object.keys(ORDERS))),
    search_term: Type.Optional(Short),
    from_ts: Time,
    until_ts: Time,
  }),
  async handler({ query }, { media, administration }) {
    const page = pageOf(query)
    const limit = Math.min(page.limit, MAX_PAGE)
    const { users, total } = await media.moderation.byUser(
      { term: query.search_term?.toLowerCase(), from: query.from_ts, until: query.until_ts },
      { ...page, limit, order: ORDERS[query.order_by ?? 'user_id'] ?? 'user_id' },
    )
    const names = await administration.userData.displayNames(users.map((row) => row.user_id))
    const next = page.offset + users.length
    return {
      users: users.map((row) => ({ ...row, displayname: names.get(row.user_id) ?? null })),
      total,
      ...(users.length > 0 && next < total ? { next_token: next } : {}),
    }
  },
})
