import { Type } from 'typebox'
import type { JsonObject } from '../../core/json/value.js'
import { adminRoute } from './admin-route.js'

const path = '/_synapse/admin/v1/users/{userId}/override_ratelimit'
const Count = Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 }))

const shown = (row: { readonly per_second: number; readonly burst: number } | undefined): JsonObject =>
  row === undefined ? {} : { messages_per_second: row.per_second, burst_count: row.burst }

/** How many messages a user may send; empty where what is configured holds. */
export const adminGetRateLimit = adminRoute({
  id: 'adminGetRateLimit',
  method: 'GET',
  paths: [path],
  rateLimit: 'read',
  handler: async ({ params }, { administration }) =>
    shown(await administration.rateLimits.get(params['userId']!)),
})

/** 0 a second: any number. */
export const adminSetRateLimit = adminRoute({
  id: 'adminSetRateLimit',
  method: 'POST',
  paths: [path],
  rateLimit: 'write',
  body: Type.Object({ messages_per_second: Count, burst_count: Count }),
  async handler({ params, body }, { administration }) {
    const row = { per_second: body.messages_per_second ?? 0, burst: body.burst_count ?? 0 }
    await administration.rateLimits.set(params['userId']!, row)
    return shown(row)
  },
})

export const adminDeleteRateLimit = adminRoute({
  id: 'adminDeleteRateLimit',
  method: 'DELETE',
  paths: [path],
  rateLimit: 'write',
  async handler({ params }, { administration }) {
    await administration.rateLimits.set(params['userId']!, undefined)
    return {}
  },
})
