import type { Migration } from '../migrate.js'

/** Who is told of events outside of /sync, and what they are still to be told; notices of the server to its users. */
export const pushers: Migration = {
  id: 14,
  name: 'pushers',
  sql: `
CREATE TABLE pushers (
  pusher_id INTEGER PRIMARY KEY,
  user_id TEXT NOT NULL,
  app_id TEXT NOT NULL,
  pushkey TEXT NOT NULL,
  kind TEXT NOT NULL,
  app_display_name TEXT NOT NULL,
  device_display_name TEXT NOT NULL,
  profile_tag TEXT,
  lang TEXT NOT NULL,
  -- JSON
  data TEXT NOT NULL,
  -- The session that set it, with which it goes; NULL: it is the account's own.
  device_id TEXT,
  pushkey_ts INTEGER NOT NULL,
  -- What happened up to this position it is not told.
  since_pos INTEGER NOT NULL,
  failing_since INTEGER,
  failures INTEGER NOT NULL,
  retry_at INTEGER NOT NULL,
  -- The number of unread messages that was told last; badge_due: it may be another now.
  badge INTEGER NOT NULL,
  badge_due INTEGER NOT NULL,
  -- kind email: when the last mail went out, how long the next must wait after it, and what the link to end it names
  mailed_ts INTEGER NOT NULL,
  pause_ms INTEGER NOT NULL,
  unsubscribe TEXT,
  UNIQUE (app_id, pushkey, user_id)
) STRICT;
-- the pushers of a user, of a device
CREATE INDEX pushers_user ON pushers (user_id, device_id);
-- the link in a mail
CREATE INDEX pushers_unsubscribe ON pushers (unsubscribe) WHERE unsubscribe IS NOT NULL;

-- Events of rooms with somebody in them who has a pusher, and invites from outside, until they are judged.
CREATE TABLE push_staging (
  pos INTEGER NOT NULL,
  room_nid INTEGER NOT NULL,
  -- NULL: an invite to a room that this server is not in, of user_id.
  event_nid INTEGER,
  user_id TEXT NOT NULL,
  PRIMARY KEY (pos, user_id)
) STRICT, WITHOUT ROWID;

-- What a pusher is to tell, in order.
CREATE TABLE push_queue (
  pusher_id INTEGER NOT NULL,
  pos INTEGER NOT NULL,
  room_nid INTEGER NOT NULL,
  event_nid INTEGER,
  -- JSON
  actions TEXT NOT NULL,
  ts INTEGER NOT NULL,
  PRIMARY KEY (pusher_id, pos)
) STRICT, WITHOUT ROWID;

-- The one room in which the server tells a user what it has to tell.
CREATE TABLE notice_rooms (
  user_id TEXT PRIMARY KEY,
  room_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`,
}
