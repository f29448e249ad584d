import type { Migration } from '../migrate.js'

/**
 * Rooms, events and their state. A `nid` is a small integer that stands for an id in all references.
 * State is a persistent trie: see docs/adr/0003-state-as-a-persistent-trie.md.
 */
export const rooms: Migration = {
  id: 2,
  name: 'rooms',
  sql: `
CREATE TABLE rooms (
  nid INTEGER PRIMARY KEY,
  room_id TEXT NOT NULL UNIQUE,
  version TEXT NOT NULL,
  rev INTEGER NOT NULL,
  state_root TEXT,
  heads TEXT NOT NULL,
  last_pos INTEGER NOT NULL,
  published INTEGER NOT NULL
) STRICT;

-- The next free nid of each kind; taken in blocks, so that nids are known before the transaction that uses them.
CREATE TABLE nid_allocators (
  kind TEXT PRIMARY KEY,
  next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE state_keys (
  nid INTEGER PRIMARY KEY,
  type TEXT NOT NULL,
  state_key TEXT NOT NULL,
  UNIQUE (type, state_key)
) STRICT;

CREATE TABLE state_nodes (
  room_nid INTEGER NOT NULL,
  hash TEXT NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (room_nid, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  nid INTEGER PRIMARY KEY,
  event_id TEXT NOT NULL UNIQUE,
  room_nid INTEGER NOT NULL,
  type TEXT NOT NULL,
  state_key TEXT,
  sender TEXT NOT NULL,
  depth INTEGER NOT NULL,
  ts INTEGER NOT NULL,
  pos INTEGER,
  ord INTEGER,
  outlier INTEGER NOT NULL,
  rejected TEXT,
  soft_failed INTEGER NOT NULL,
  state_before TEXT,
  state_after TEXT,
  auth TEXT NOT NULL,
  replaces INTEGER,
  redacted_by INTEGER,
  txn TEXT,
  json TEXT NOT NULL
) STRICT;
-- /messages and /context: a room in topological order, newest first
CREATE INDEX events_topological ON events (room_nid, depth, ord);
-- /sync: what came into a room after a position
CREATE INDEX events_live ON events (room_nid, pos);

-- Events that a known event names as predecessor and that we do not have.
CREATE TABLE missing_events (
  room_nid INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  referrer INTEGER NOT NULL,
  depth INTEGER NOT NULL,
  PRIMARY KEY (room_nid, event_id, referrer)
) STRICT, WITHOUT ROWID;

-- Redactions whose target has not arrived, or that were applied.
CREATE TABLE redactions (
  target TEXT NOT NULL,
  redaction INTEGER NOT NULL,
  PRIMARY KEY (target, redaction)
) STRICT, WITHOUT ROWID;

-- Current membership, one row for each user that the room's state has ever named.
CREATE TABLE memberships (
  room_nid INTEGER NOT NULL,
  user_id TEXT NOT NULL,
  membership TEXT NOT NULL,
  event_nid INTEGER,
  sender TEXT NOT NULL,
  pos INTEGER NOT NULL,
  server TEXT NOT NULL,
  local INTEGER NOT NULL,
  forgotten INTEGER NOT NULL,
  stripped_state TEXT,
  PRIMARY KEY (room_nid, user_id)
) STRICT, WITHOUT ROWID;
-- the rooms of a user
CREATE INDEX memberships_user ON memberships (user_id, membership);
-- local members to notify, servers to send to
CREATE INDEX memberships_local ON memberships (room_nid, local, membership);

-- Every change of a room's current state, whatever caused it; what \`state_after\` is read from.
CREATE TABLE state_deltas (
  pos INTEGER NOT NULL,
  room_nid INTEGER NOT NULL,
  type TEXT NOT NULL,
  state_key TEXT NOT NULL,
  event_nid INTEGER,
  prev_nid INTEGER,
  PRIMARY KEY (room_nid, pos, type, state_key)
) STRICT, WITHOUT ROWID;
-- all rooms after a position: membership changes that device lists and sync follow
CREATE INDEX state_deltas_pos ON state_deltas (pos);

CREATE TABLE aliases (
  alias TEXT PRIMARY KEY,
  room_id TEXT NOT NULL,
  creator TEXT NOT NULL,
  ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_room ON aliases (room_id);

-- What a user has not read: one row for a room's main timeline (thread '') and one for each thread with news.
CREATE TABLE unread (
  room_nid INTEGER NOT NULL,
  thread TEXT NOT NULL,
  user_id TEXT NOT NULL,
  notify INTEGER NOT NULL,
  highlight INTEGER NOT NULL,
  PRIMARY KEY (room_nid, thread, user_id)
) STRICT, WITHOUT ROWID;
-- the counts of one user, for /sync
CREATE INDEX unread_user ON unread (user_id, room_nid);

-- A client's transaction ids: the answer to a repeated PUT.
CREATE TABLE client_transactions (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  path TEXT NOT NULL,
  txn_id TEXT NOT NULL,
  ts INTEGER NOT NULL,
  response TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id, path, txn_id)
) STRICT, WITHOUT ROWID;
-- forgetting old ones
CREATE INDEX client_transactions_ts ON client_transactions (ts);
`,
}
