import type { Migration } from '../migrate.js'

/**
 * End-to-end encryption: public keys of our users' devices, what we know of other servers' devices, messages to
 * devices, and backups of room keys. The server holds no secret of any of these.
 */
export const e2ee: Migration = {
  id: 6,
  name: 'e2ee',
  sql: `
-- Identity keys of local devices, as canonical JSON with the owner's signatures alone.
CREATE TABLE device_keys (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  json TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id)
) STRICT, WITHOUT ROWID;

-- A claimed key stays for a while, so that an upload repeated after a lost answer does not bring it back.
CREATE TABLE one_time_keys (
  nid INTEGER PRIMARY KEY,
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  key_id TEXT NOT NULL,
  json TEXT NOT NULL,
  claimed_ts INTEGER,
  UNIQUE (user_id, device_id, algorithm, key_id)
) STRICT;
-- the next key to hand out, and how many are left
CREATE INDEX one_time_keys_unclaimed ON one_time_keys (user_id, device_id, algorithm, nid) WHERE claimed_ts IS NULL;
-- forgetting claimed ones
CREATE INDEX one_time_keys_claimed ON one_time_keys (claimed_ts) WHERE claimed_ts IS NOT NULL;

CREATE TABLE fallback_keys (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  key_id TEXT NOT NULL,
  json TEXT NOT NULL,
  used INTEGER NOT NULL,
  PRIMARY KEY (user_id, device_id, algorithm)
) STRICT, WITHOUT ROWID;

-- When the number of a device's one-time keys, or the use of its fallback keys, last changed. One row for each device that has such keys.
CREATE TABLE key_count_changes (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  pos INTEGER NOT NULL,
  PRIMARY KEY (user_id, device_id)
) STRICT, WITHOUT ROWID;

-- Of local users, and of remote users whose device list is cached.
CREATE TABLE cross_signing_keys (
  user_id TEXT NOT NULL,
  usage TEXT NOT NULL,
  public_key TEXT NOT NULL,
  json TEXT NOT NULL,
  PRIMARY KEY (user_id, usage)
) STRICT, WITHOUT ROWID;

-- Signatures that local users uploaded for keys, their own or others'. target_key is a device id or a public key.
CREATE TABLE key_signatures (
  target_user TEXT NOT NULL,
  target_key TEXT NOT NULL,
  signer_user TEXT NOT NULL,
  signer_key TEXT NOT NULL,
  signature TEXT NOT NULL,
  PRIMARY KEY (target_user, target_key, signer_user, signer_key)
) STRICT, WITHOUT ROWID;
-- what a replaced user-signing key has signed
CREATE INDEX key_signatures_signer ON key_signatures (signer_user, signer_key);

-- The stream of device lists; a few latest rows for each user.
CREATE TABLE device_list_changes (
  user_id TEXT NOT NULL,
  pos INTEGER NOT NULL,
  PRIMARY KEY (user_id, pos)
) STRICT, WITHOUT ROWID;
-- /sync: whose list changed after a position
CREATE INDEX device_list_changes_pos ON device_list_changes (pos);

-- The latest change of what user_id alone sees of target's keys: signatures by their user-signing key.
CREATE TABLE user_signature_changes (
  user_id TEXT NOT NULL,
  target TEXT NOT NULL,
  pos INTEGER NOT NULL,
  PRIMARY KEY (user_id, target)
) STRICT, WITHOUT ROWID;

-- Remote users whose devices we follow. stale is 0, or counts the reasons to fetch the list again.
CREATE TABLE remote_device_lists (
  user_id TEXT PRIMARY KEY,
  server TEXT NOT NULL,
  recent_ids TEXT NOT NULL,
  stale INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  retry_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- the lists that are due to be fetched
CREATE INDEX remote_device_lists_stale ON remote_device_lists (retry_at) WHERE stale > 0;

CREATE TABLE remote_devices (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  display_name TEXT,
  json TEXT,
  PRIMARY KEY (user_id, device_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE to_device_messages (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  pos INTEGER NOT NULL,
  ts INTEGER NOT NULL,
  sender TEXT NOT NULL,
  type TEXT NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id, pos)
) STRICT, WITHOUT ROWID;
-- forgetting what nobody fetched
CREATE INDEX to_device_messages_ts ON to_device_messages (ts);

-- How much waits for each device: what bounds the queue without counting it.
CREATE TABLE to_device_queues (
  user_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  messages INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (user_id, device_id)
) STRICT, WITHOUT ROWID;

-- Messages to devices already taken from other servers.
CREATE TABLE received_to_device (
  origin TEXT NOT NULL,
  message_id TEXT NOT NULL,
  ts INTEGER NOT NULL,
  PRIMARY KEY (origin, message_id)
) STRICT, WITHOUT ROWID;
-- forgetting old ones
CREATE INDEX received_to_device_ts ON received_to_device (ts);

-- A deleted version stays until its sessions are gone.
CREATE TABLE key_backup_versions (
  user_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  algorithm TEXT NOT NULL,
  auth_data TEXT NOT NULL,
  etag INTEGER NOT NULL,
  sessions INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  PRIMARY KEY (user_id, version)
) STRICT, WITHOUT ROWID;
-- deleted versions that still have sessions
CREATE INDEX key_backup_versions_deleted ON key_backup_versions (user_id, version) WHERE deleted = 1;

CREATE TABLE key_backup_sessions (
  user_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  room_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  first_message_index INTEGER NOT NULL,
  forwarded_count INTEGER NOT NULL,
  is_verified INTEGER NOT NULL,
  session_data TEXT NOT NULL,
  PRIMARY KEY (user_id, version, room_id, session_id)
) STRICT, WITHOUT ROWID;
`,
}
