import type { Migration } from '../migrate.js'

/** Invitations of e-mail addresses that belong to this server and are nobody's yet. */
export const addressInvites: Migration = {
  id: 35,
  name: 'address-invites',
  sql: `
CREATE TABLE address_invites (
  token TEXT PRIMARY KEY,
  -- canonical
  address TEXT NOT NULL,
  room_id TEXT NOT NULL,
  -- The user of whichever server who invites.
  sender TEXT NOT NULL,
  -- The key that signs for this invitation alone: seed and public half, unpadded base64.
  seed TEXT NOT NULL,
  public_key TEXT NOT NULL,
  created_ts INTEGER NOT NULL,
  expires_ts INTEGER NOT NULL,
  -- Whose address it is now; NULL while it is nobody's.
  user_id TEXT,
  attempts INTEGER NOT NULL,
  -- When the invite of that user is asked for next; NULL: not yet, or no more.
  due_ts INTEGER
) STRICT, WITHOUT ROWID;
-- whether an address is invited; the same invitation once more
CREATE INDEX address_invites_address ON address_invites (address, room_id, sender);
-- how many one person has sent
CREATE INDEX address_invites_sender ON address_invites (sender, created_ts);
-- whether a key still counts
CREATE INDEX address_invites_key ON address_invites (public_key);
-- what is to be asked for now
CREATE INDEX address_invites_due ON address_invites (due_ts);
-- what is over
CREATE INDEX address_invites_expires ON address_invites (expires_ts);
-- addresses that accounts have been given since the last look
CREATE INDEX threepids_added ON threepids (added_ts, address);
`,
}
