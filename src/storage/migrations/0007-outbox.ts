import type { Migration } from '../migrate.js'

/** What waits to go to other servers, and what came from them and waits to be applied. */
export const outbox: Migration = {
  id: 7,
  name: 'outbox',
  sql: `
CREATE TABLE outbox_pdus (
  destination TEXT NOT NULL,
  event_nid INTEGER NOT NULL,
  PRIMARY KEY (destination, event_nid)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox_edus (
  nid INTEGER PRIMARY KEY,
  destination TEXT NOT NULL,
  edu_type TEXT NOT NULL,
  coalesce_key TEXT,
  content TEXT NOT NULL,
  UNIQUE (destination, coalesce_key)
) STRICT;
-- the next batch for one destination, oldest first
CREATE INDEX outbox_edus_destination ON outbox_edus (destination, nid);

CREATE TABLE destinations (
  server_name TEXT PRIMARY KEY,
  failing_since INTEGER,
  retry_at INTEGER,
  retry_interval INTEGER
) STRICT, WITHOUT ROWID;

-- PDUs accepted by /send, answered with 200, not yet applied.
CREATE TABLE staged_pdus (
  nid INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  room_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  received INTEGER NOT NULL,
  json TEXT NOT NULL,
  UNIQUE (room_id, event_id)
) STRICT;

-- Transactions already taken, by the server that sent them.
CREATE TABLE received_transactions (
  origin TEXT NOT NULL,
  txn_id TEXT NOT NULL,
  ts INTEGER NOT NULL,
  response TEXT NOT NULL,
  PRIMARY KEY (origin, txn_id)
) STRICT, WITHOUT ROWID;
-- forgetting old ones
CREATE INDEX received_transactions_ts ON received_transactions (ts);
`,
}
