import type { Migration } from '../migrate.js'

export const accountMoves: Migration = {
  id: 47,
  name: 'account-moves',
  sql: `
-- Accounts that move to another member node, or come from one. side: source or target. step: how far it is, as services/account-moves names it. nonce: of its
-- certificate; with the target null until there is one. certificate: JSON, signed by those who have. bundle_key: of X25519, on the target the secret half, null
-- once the bundle is there; on the source the public one. place: how far the bundle is read (JSON). consent: 1 where the person was asked, 0 where an operator
-- ordered it. due_ts: when it is looked at next. failure: why the last try failed.
CREATE TABLE account_moves (
  move_id INTEGER PRIMARY KEY,
  side TEXT NOT NULL,
  old_user TEXT NOT NULL,
  new_user TEXT NOT NULL,
  step TEXT NOT NULL,
  nonce TEXT,
  certificate TEXT,
  bundle_key BLOB,
  place TEXT,
  consent INTEGER NOT NULL,
  reason TEXT NOT NULL,
  created_ts INTEGER NOT NULL,
  not_after INTEGER NOT NULL,
  due_ts INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  failure TEXT
) STRICT;
-- A certificate is good for one move. Other nodes name a move by it.
CREATE UNIQUE INDEX account_moves_nonce ON account_moves (side, nonce);
-- Whether an account moves or has moved, and where to.
CREATE INDEX account_moves_of ON account_moves (old_user);
-- A person asks after their own, old or new.
CREATE INDEX account_moves_to ON account_moves (new_user);
-- What is to be done now.
CREATE INDEX account_moves_due ON account_moves (due_ts);

-- Rooms of an account that moves. step: waiting, invited, joined, moved or left (behind); detail: why, or what stays behind in it, in words.
CREATE TABLE account_move_rooms (
  move_id INTEGER NOT NULL,
  room_id TEXT NOT NULL,
  step TEXT NOT NULL,
  detail TEXT,
  attempts INTEGER NOT NULL,
  due_ts INTEGER NOT NULL,
  PRIMARY KEY (move_id, room_id)
) STRICT, WITHOUT ROWID;
-- The rooms of a move that are to be looked at now.
CREATE INDEX account_move_rooms_due ON account_move_rooms (move_id, due_ts);
`,
}
