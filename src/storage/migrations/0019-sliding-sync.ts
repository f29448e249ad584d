import type { Migration } from '../migrate.js'

/**
 * What connections of simplified sliding sync were told. A connection's state as of `base` stands in `sliding_rooms`; the states that
 * answers made of it, which the client may have or not, stand beside it as changes.
 */
export const slidingSync: Migration = {
  id: 19,
  name: 'sliding-sync',
  sql: `
CREATE TABLE sliding_connections (
  nid INTEGER PRIMARY KEY,
  user_id TEXT NOT NULL,
  -- The empty string for requests without a device.
  device_id TEXT NOT NULL,
  conn_id TEXT NOT NULL,
  base INTEGER NOT NULL,
  -- The greatest number of a state that was ever given out.
  last_seq INTEGER NOT NULL,
  meta TEXT NOT NULL,
  used_ts INTEGER NOT NULL,
  UNIQUE (user_id, device_id, conn_id)
) STRICT;
-- forgetting those that nobody uses
CREATE INDEX sliding_connections_used ON sliding_connections (used_ts);

CREATE TABLE sliding_rooms (
  conn INTEGER NOT NULL,
  room_nid INTEGER NOT NULL,
  state TEXT NOT NULL,
  PRIMARY KEY (conn, room_nid)
) STRICT, WITHOUT ROWID;

CREATE TABLE sliding_changes (
  conn INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  change TEXT NOT NULL,
  PRIMARY KEY (conn, seq)
) STRICT, WITHOUT ROWID;

-- rooms with news after a position: what a client that polls all the time asks for
CREATE INDEX rooms_last_pos ON rooms (last_pos);
-- a user's changes of membership after a position
CREATE INDEX memberships_user_pos ON memberships (user_id, pos);
`,
}
