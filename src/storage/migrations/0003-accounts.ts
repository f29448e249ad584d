import type { Migration } from '../migrate.js'

/**
 * Accounts, their devices and credentials, and what users keep on the server. No token is stored, only the SHA-256 of
 * each (43 characters of URL-safe base64), so that a copy of the database opens no session.
 */
export const accounts: Migration = {
  id: 3,
  name: 'accounts',
  sql: `
CREATE TABLE users (
  user_id TEXT PRIMARY KEY,
  -- An argon2id hash in PHC form; NULL: no password (guests, application services, deactivated accounts).
  password_hash TEXT,
  created_ts INTEGER NOT NULL,
  is_guest INTEGER NOT NULL,
  is_admin INTEGER NOT NULL,
  locked INTEGER NOT NULL,
  suspended INTEGER NOT NULL,
  deactivated INTEGER NOT NULL,
  -- Deactivated with the wish that content be erased.
  erased INTEGER NOT NULL,
  -- Deactivated, but the rooms are not all left yet.
  cleanup_pending INTEGER NOT NULL,
  appservice_id TEXT
) STRICT, WITHOUT ROWID;
-- at start: deactivations to finish
CREATE INDEX users_cleanup ON users (user_id) WHERE cleanup_pending = 1;

CREATE TABLE devices (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  display_name TEXT,
  created_ts INTEGER NOT NULL,
  last_seen_ts INTEGER,
  last_seen_ip TEXT,
  last_seen_user_agent TEXT,
  PRIMARY KEY (user_id, device_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE access_tokens (
  token_hash TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  created_ts INTEGER NOT NULL,
  -- NULL: never.
  expires_ts INTEGER,
  -- The refresh token issued together with it.
  refresh_hash TEXT,
  -- Refreshes since login; 0 for the token of the login itself.
  generation INTEGER NOT NULL,
  -- Whether the first use, which ends the life of older generations, has been noted.
  used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- log-out and deletion of devices; replacing the tokens of a device
CREATE INDEX access_tokens_device ON access_tokens (user_id, device_id);
-- the job that forgets tokens long expired
CREATE INDEX access_tokens_expiry ON access_tokens (expires_ts) WHERE expires_ts IS NOT NULL;

-- A chain for each device: a token that was used names its successor, and is kept a while so that its reuse is noticed.
CREATE TABLE refresh_tokens (
  token_hash TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  created_ts INTEGER NOT NULL,
  expires_ts INTEGER,
  generation INTEGER NOT NULL,
  next_hash TEXT,
  superseded_ts INTEGER,
  revoked INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- log-out, deletion of devices, revocation of a chain
CREATE INDEX refresh_tokens_device ON refresh_tokens (user_id, device_id, generation);
-- the job that forgets
CREATE INDEX refresh_tokens_superseded ON refresh_tokens (superseded_ts) WHERE superseded_ts IS NOT NULL;

CREATE TABLE login_tokens (
  token_hash TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  expires_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- the bound on each user's live tokens
CREATE INDEX login_tokens_user ON login_tokens (user_id, expires_ts);
-- forgetting expired ones
CREATE INDEX login_tokens_expiry ON login_tokens (expires_ts);

CREATE TABLE registration_tokens (
  token TEXT PRIMARY KEY,
  -- NULL: any number.
  uses_allowed INTEGER,
  completed INTEGER NOT NULL,
  expires_ts INTEGER,
  created_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE uia_sessions (
  session_id TEXT PRIMARY KEY,
  -- NULL for requests without an account (registration).
  user_id TEXT,
  operation TEXT NOT NULL,
  -- SHA-256 of what the request must not change between its stages.
  bound_hash TEXT NOT NULL,
  -- JSON: lists of stages.
  flows TEXT NOT NULL,
  -- JSON: stages completed, in order.
  completed TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  -- The registration token whose use is reserved until the session ends.
  registration_token TEXT,
  created_ts INTEGER NOT NULL,
  expires_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- forgetting expired ones; the oldest go first when there are too many
CREATE INDEX uia_sessions_expiry ON uia_sessions (expires_ts);
-- the bound on each user's sessions
CREATE INDEX uia_sessions_user ON uia_sessions (user_id, created_ts) WHERE user_id IS NOT NULL;
-- how many uses of a registration token are reserved
CREATE INDEX uia_sessions_token ON uia_sessions (registration_token) WHERE registration_token IS NOT NULL;

-- One row for each profile field; the value is JSON.
CREATE TABLE profiles (
  user_id TEXT NOT NULL,
  field TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (user_id, field)
) STRICT, WITHOUT ROWID;

CREATE TABLE account_data (
  user_id TEXT NOT NULL,
  -- The empty string for data that belongs to no room.
  room_id TEXT NOT NULL,
  type TEXT NOT NULL,
  content TEXT NOT NULL,
  pos INTEGER NOT NULL,
  PRIMARY KEY (user_id, room_id, type)
) STRICT, WITHOUT ROWID;
-- /sync: what changed after a position
CREATE INDEX account_data_pos ON account_data (user_id, pos);

CREATE TABLE filters (
  user_id TEXT NOT NULL,
  filter_id INTEGER NOT NULL,
  -- SHA-256 of the canonical JSON: the same filter is stored once.
  hash TEXT NOT NULL,
  json TEXT NOT NULL,
  PRIMARY KEY (user_id, filter_id),
  UNIQUE (user_id, hash)
) STRICT, WITHOUT ROWID;
`,
}
