import type { Migration } from '../migrate.js'

export const accountValidity: Migration = {
  id: 39,
  name: 'account-validity',
  sql: `
-- Until when accounts may be used, where they expire at all. expires_ts: milliseconds since 1970. reminded: of the reminders before that day, how many are
-- behind; wanted: 0 where none is to be sent. expired: 1 once the expiry was carried out. mailed_ts: when a mail was last asked for.
CREATE TABLE account_validity (
  user_id TEXT PRIMARY KEY,
  expires_ts INTEGER NOT NULL,
  reminded INTEGER NOT NULL,
  wanted INTEGER NOT NULL,
  expired INTEGER NOT NULL,
  mailed_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- The job looks for accounts that expire soon, and for those that have.
CREATE INDEX account_validity_by_day ON account_validity (expires_ts);

-- What the links of mails are good for: each for one account. used_ts: when the account was renewed, by this link or another.
CREATE TABLE account_renewals (
  token_hash TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  created_ts INTEGER NOT NULL,
  used_ts INTEGER
) STRICT, WITHOUT ROWID;
-- A renewal uses up all links of an account.
CREATE INDEX account_renewals_of ON account_renewals (user_id);
`,
}
