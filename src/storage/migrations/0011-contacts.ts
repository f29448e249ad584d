import type { Migration } from '../migrate.js'

/** Addresses of accounts and how they are proved, outgoing mail, OpenID tokens, and what users report. */
export const contacts: Migration = {
  id: 11,
  name: 'contacts',
  sql: `
CREATE TABLE threepids (
  medium TEXT NOT NULL,
  -- canonical
  address TEXT NOT NULL,
  user_id TEXT NOT NULL,
  validated_ts INTEGER NOT NULL,
  added_ts INTEGER NOT NULL,
  PRIMARY KEY (medium, address)
) STRICT, WITHOUT ROWID;
-- the addresses of an account
CREATE INDEX threepids_user ON threepids (user_id);

CREATE TABLE threepid_sessions (
  session_id TEXT PRIMARY KEY,
  purpose TEXT NOT NULL,
  address TEXT NOT NULL,
  secret_hash TEXT NOT NULL,
  -- NULL: nothing was sent that could prove the address.
  token_hash TEXT,
  send_attempt INTEGER NOT NULL,
  sends INTEGER NOT NULL,
  next_link TEXT,
  validated_ts INTEGER,
  created_ts INTEGER NOT NULL,
  expires_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- a client that asks again goes on with its session
CREATE INDEX threepid_sessions_client ON threepid_sessions (address, secret_hash);
-- forgetting those that are over; the oldest go first when there are too many
CREATE INDEX threepid_sessions_expiry ON threepid_sessions (expires_ts);

CREATE TABLE mail_queue (
  mail_id INTEGER PRIMARY KEY,
  message_id TEXT NOT NULL,
  address TEXT NOT NULL,
  subject TEXT NOT NULL,
  body TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  due_ts INTEGER NOT NULL,
  expires_ts INTEGER NOT NULL
) STRICT;
-- what is to be sent next
CREATE INDEX mail_queue_due ON mail_queue (due_ts, mail_id);

CREATE TABLE openid_tokens (
  token_hash TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  expires_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- the bound on each user's tokens
CREATE INDEX openid_tokens_user ON openid_tokens (user_id, expires_ts);
-- forgetting expired ones
CREATE INDEX openid_tokens_expiry ON openid_tokens (expires_ts);

CREATE TABLE reports (
  report_id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  reporter TEXT NOT NULL,
  room_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  event_json TEXT,
  created_ts INTEGER NOT NULL,
  UNIQUE (reporter, kind, room_id, event_id, user_id)
) STRICT;
-- the bound on each reporter's reports
CREATE INDEX reports_reporter ON reports (reporter, created_ts);

-- The proof of an address that a stage has accepted, to be used when all stages are passed.
ALTER TABLE uia_sessions ADD COLUMN threepid_session TEXT;
`,
}
