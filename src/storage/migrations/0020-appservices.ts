import type { Migration } from '../migrate.js'

/** What application services are still to be told, and the rooms that they publish. */
export const appservices: Migration = {
  id: 20,
  name: 'appservices',
  sql: `
-- How far each has been told, and the transaction under way: it is sent with this body until it is taken.
CREATE TABLE appservice_progress (
  appservice_id TEXT PRIMARY KEY,
  -- Receipts, device lists and counts of keys up to this position are told.
  pos INTEGER NOT NULL,
  txn_id TEXT,
  body TEXT,
  -- When the oldest thing in the transaction happened.
  txn_ts INTEGER
) STRICT, WITHOUT ROWID;

-- Events that concern it, in order. Without an event_nid it is a membership in a room that this server is not in, as clients see it.
CREATE TABLE appservice_events (
  appservice_id TEXT NOT NULL,
  pos INTEGER NOT NULL,
  -- Whose membership; else the empty string.
  user_id TEXT NOT NULL,
  event_nid INTEGER,
  json TEXT,
  ts INTEGER NOT NULL,
  PRIMARY KEY (appservice_id, pos, user_id)
) STRICT, WITHOUT ROWID;

-- Messages to devices of its users; what they say stands in to_device_messages.
CREATE TABLE appservice_to_device (
  appservice_id TEXT NOT NULL,
  pos INTEGER NOT NULL,
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  PRIMARY KEY (appservice_id, pos, user_id, device_id)
) STRICT, WITHOUT ROWID;

-- The lists of rooms that it keeps, one for each network behind it.
CREATE TABLE appservice_rooms (
  appservice_id TEXT NOT NULL,
  network_id TEXT NOT NULL,
  room_nid INTEGER NOT NULL,
  PRIMARY KEY (appservice_id, network_id, room_nid)
) STRICT, WITHOUT ROWID;
-- the public list of all networks
CREATE INDEX appservice_rooms_room ON appservice_rooms (room_nid);

-- which devices' counts changed, for application services
CREATE INDEX key_count_changes_pos ON key_count_changes (pos);
`,
}
