import type { Migration } from '../migrate.js'

export const secondFactors: Migration = {
  id: 44,
  name: 'second-factors',
  sql: `
-- Second factors of administrators. sealed: the secret that an authenticator app shares, encrypted. last_step: that of the last code that was taken,
-- in units of 30 seconds since 1970. failures: wrong codes since then. locked_ts: since when no code is taken; milliseconds since 1970.
CREATE TABLE second_factors (
  user_id TEXT PRIMARY KEY,
  sealed TEXT NOT NULL,
  enrolled_ts INTEGER NOT NULL,
  last_step INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  locked_ts INTEGER
) STRICT, WITHOUT ROWID;
-- Who may command the administration bot is looked up whenever it speaks.
CREATE INDEX users_admins ON users (user_id) WHERE is_admin = 1;
`,
}
