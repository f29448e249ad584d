import type { Migration } from '../migrate.js'

export const inviteWithdrawals: Migration = {
  id: 48,
  name: 'invite-withdrawals',
  sql: `
-- Invitations of addresses that rooms have taken back, until the server that keeps them knows it. sender: the user of this server who had invited.
CREATE TABLE invite_withdrawals (
  token TEXT NOT NULL,
  keeper TEXT NOT NULL,
  sender TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  -- when it is told next
  due_ts INTEGER NOT NULL,
  -- when the invitation is over by itself
  expires_ts INTEGER NOT NULL,
  PRIMARY KEY (token, keeper)
) STRICT, WITHOUT ROWID;
-- whom to tell now
CREATE INDEX invite_withdrawals_due ON invite_withdrawals (due_ts);
-- what is over
CREATE INDEX invite_withdrawals_expires ON invite_withdrawals (expires_ts);
`,
}
