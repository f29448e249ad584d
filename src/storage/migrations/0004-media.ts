import type { Migration } from '../migrate.js'

/**
 * Media are rows that point at blobs: files named by the SHA-256 of their bytes. The bytes themselves are never in
 * the database. A row of `media` without `sha256` is an upload that was announced and has not arrived.
 */
const sql = `
CREATE TABLE media (
  origin TEXT NOT NULL,
  media_id TEXT NOT NULL,
  -- The uploader; NULL for media of other servers.
  user_id TEXT,
  -- 64 lower-case hexadecimal digits.
  sha256 TEXT,
  -- Bytes.
  size INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  file_name TEXT,
  created_ts INTEGER NOT NULL,
  -- Until when an announced upload may arrive; NULL once it has.
  expires_ts INTEGER,
  last_access_ts INTEGER NOT NULL,
  PRIMARY KEY (origin, media_id)
) STRICT, WITHOUT ROWID;

-- The orphan sweep asks which blobs of a batch are still pointed at.
CREATE INDEX media_by_blob ON media (sha256);
-- The quota of a user is summed from the index alone; lists of a user's media are read from it too.
CREATE INDEX media_by_user ON media (user_id, created_ts, size) WHERE user_id IS NOT NULL;
-- The job that forgets announced uploads.
CREATE INDEX media_announced ON media (expires_ts) WHERE expires_ts IS NOT NULL;
-- How many uploads a user has announced and not made.
CREATE INDEX media_announced_by_user ON media (user_id, expires_ts) WHERE expires_ts IS NOT NULL;
-- The job that evicts other servers' media, which goes through them in order of use, a page at a time.
CREATE INDEX media_remote_by_access ON media (last_access_ts, origin, media_id) WHERE user_id IS NULL;

CREATE TABLE media_thumbnails (
  source_sha256 TEXT NOT NULL,
  -- The box that was asked for after rounding, not the size of the picture.
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  method TEXT NOT NULL,
  animated INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  size INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  PRIMARY KEY (source_sha256, width, height, method, animated)
) STRICT, WITHOUT ROWID;

-- The orphan sweep, as above.
CREATE INDEX media_thumbnails_by_blob ON media_thumbnails (sha256);
`

export const media: Migration = { id: 4, name: 'media', sql }
