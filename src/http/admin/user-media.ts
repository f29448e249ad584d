import { Type } from 'typebox'
import type { MediaOrder } from '../../services/media/media-moderation.js'
import { adminRoute } from './admin-route.js'
import { mediumBody } from './media-body.js'
import { pageOf, PAGING } from './paging.js'

const path = '/_synapse/admin/v1/users/{userId}/media'
const MAX_PAGE = 1_000
const ORDERS: readonly MediaOrder[] = [
  'created_ts', 'last_access_ts', 'media_id', 'media_length', 'media_type', 'quarantined_by', 'safe_from_quarantine', 'upload_name',
] // prettier-ignore
const query = Type.Object({ ...PAGING, order_by: Type.Optional(Type.Enum([...ORDERS])) })

interface Asked {
  readonly from?: number
  readonly limit?: number
  readonly dir?: 'f' | 'b'
  readonly order_by?: string
}

/** The newest first, unless somebody asks for an order. */
function mediaPage(asked: Asked) {
  const { offset, limit, descending } = pageOf(asked)
  return {
    offset,
    limit: Math.min(limit, MAX_PAGE),
    order: (asked.order_by ?? 'created_ts') as MediaOrder,
    descending: asked.order_by === undefined && asked.dir === undefined ? true : descending,
  }
}

/** What a user has uploaded. */
export const adminUserMedia = adminRoute({
  id: 'adminUserMedia',
  method: 'GET',
  paths: [path],
  rateLimit: 'read',
  query,
  async handler({ params, query: asked }, { administration, media }) {
    const userId = params['userId']!
    await administration.users.checkExists(userId)
    const page = mediaPage(asked)
    const found = await media.moderation.ofUser(userId, page)
    const next = page.offset + found.media.length
    return {
      media: found.media.map(mediumBody),
      total: found.total,
      ...(found.media.length > 0 && next < found.total ? { next_token: next } : {}),
    }
  },
})

/** Deletes a page of them. */
export const adminDeleteUserMedia = adminRoute({
  id: 'adminDeleteUserMedia',
  method: 'DELETE',
  paths: [path],
  rateLimit: 'write',
  query,
  async handler({ params, query: asked }, { administration, media }) {
    const userId = params['userId']!
    await administration.users.checkExists(userId)
    const found = await media.moderation.ofUser(userId, mediaPage(asked))
    const gone = await media.moderation.removeAll(found.media.map((row) => [row.origin, row.media_id]))
    return { deleted_media: gone, total: gone.length }
  },
})
