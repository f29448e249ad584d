import type { Migration } from '../migrate.js'

/** What administrators decide about rooms, media and users. */
export const administration: Migration = {
  id: 27,
  name: 'administration',
  sql: `
-- Rooms that nobody of this server comes into.
CREATE TABLE blocked_rooms (
  room_id TEXT PRIMARY KEY,
  -- The administrator.
  user_id TEXT NOT NULL,
  ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Media that are given to nobody, and those that a quarantine of many passes over. Also of media that are not here (any more).
CREATE TABLE media_moderation (
  origin TEXT NOT NULL,
  media_id TEXT NOT NULL,
  -- The administrator; NULL: not in quarantine.
  quarantined_by TEXT,
  protected INTEGER NOT NULL,
  PRIMARY KEY (origin, media_id)
) STRICT, WITHOUT ROWID;

-- How much a user may send in place of what is configured; 0 and 0: without limit.
CREATE TABLE rate_limit_overrides (
  user_id TEXT PRIMARY KEY,
  per_second INTEGER NOT NULL,
  burst INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`,
}
