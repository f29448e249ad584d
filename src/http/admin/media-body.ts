import type { JsonObject } from '../../core/json/value.js'
import type { MediaModeration } from '../../services/media/media-moderation.js'

type Medium = Awaited<ReturnType<MediaModeration['info']>>

/** A medium as lists of a user show it. */
export const mediumBody = (row: Medium): JsonObject => ({
  media_id: row.media_id,
  media_type: row.content_type,
  media_length: row.size,
  upload_name: row.file_name,
  created_ts: row.created_ts,
  last_access_ts: row.last_access_ts,
  quarantined_by: row.quarantined_by,
  safe_from_quarantine: row.protected === 1,
  user_id: row.user_id,
})
