import type { Migration } from '../migrate.js'

export const retention: Migration = {
  id: 38,
  name: 'retention',
  sql: `
-- How far the purge of a room has come. done_ts: nothing that is to go is left from before this moment, but what came later with an older time; whole_ts: when it was last
-- gone through from its beginning. purged: events since the last record.
CREATE TABLE retention_rooms (
  room_nid INTEGER NOT NULL,
  done_ts INTEGER NOT NULL,
  whole_ts INTEGER NOT NULL,
  purged INTEGER NOT NULL,
  PRIMARY KEY (room_nid)
) STRICT, WITHOUT ROWID;

-- What is kept though its time is over. kind: room or user.
CREATE TABLE legal_holds (
  kind TEXT NOT NULL,
  target TEXT NOT NULL,
  reason TEXT NOT NULL,
  set_by TEXT NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (kind, target)
) STRICT, WITHOUT ROWID;

-- What was purged: canonical JSON, signed by this server.
CREATE TABLE purge_records (
  id INTEGER PRIMARY KEY,
  room_id TEXT NOT NULL,
  made_ts INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT;
-- the records of a room, the latest first
CREATE INDEX purge_records_room ON purge_records (room_id, id);

-- Member servers that are told of a purge, and what they said: receipt is NULL until they have.
CREATE TABLE purge_receipts (
  record INTEGER NOT NULL,
  server TEXT NOT NULL,
  receipt TEXT,
  attempts INTEGER NOT NULL,
  due INTEGER NOT NULL,
  PRIMARY KEY (record, server)
) STRICT, WITHOUT ROWID;
-- whom to tell next
CREATE INDEX purge_receipts_due ON purge_receipts (due) WHERE receipt IS NULL;
`,
}
