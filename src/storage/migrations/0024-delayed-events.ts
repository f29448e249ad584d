import type { Migration } from '../migrate.js'

export const delayedEvents: Migration = {
  id: 24,
  name: 'delayed-events',
  sql: `
-- Events that users want to be sent later, and for some days what became of them.
CREATE TABLE delayed_events (
  nid INTEGER PRIMARY KEY,
  delay_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  device_id TEXT,
  appservice_id TEXT,
  -- the client's transaction; see client-transactions.ts
  txn_key TEXT,
  room_id TEXT NOT NULL,
  type TEXT NOT NULL,
  state_key TEXT,
  -- JSON
  content TEXT NOT NULL,
  -- the date that an application service wants for it
  ts INTEGER,
  delay_ms INTEGER NOT NULL,
  -- when the delay began
  scheduled_ts INTEGER NOT NULL,
  -- when it is sent; null once that is over
  due_ts INTEGER,
  attempts INTEGER NOT NULL,
  -- when it was sent or cancelled
  finalised_ts INTEGER,
  event_id TEXT,
  -- JSON: why it could not be sent
  error TEXT
) STRICT;
-- the one that somebody names
CREATE UNIQUE INDEX delayed_events_id ON delayed_events (delay_id);
-- a repeated request
CREATE UNIQUE INDEX delayed_events_txn ON delayed_events (txn_key);
-- what is due
CREATE INDEX delayed_events_due ON delayed_events (due_ts, nid);
-- what a user waits for
CREATE INDEX delayed_events_user ON delayed_events (user_id, due_ts);
-- forgetting old ones
CREATE INDEX delayed_events_finalised ON delayed_events (finalised_ts);
`,
}
