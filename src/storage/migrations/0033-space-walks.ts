import type { Migration } from '../migrate.js'

export const spaceWalks: Migration = {
  id: 33,
  name: 'space-walks',
  sql: `
-- Where somebody is who pages through a space: what is still to be looked at, as JSON (services/spaces/walk-text.ts). Few for each user,
-- and short-lived. expires_ts: milliseconds by the clock.
CREATE TABLE space_walks (
  token TEXT NOT NULL,
  user_id TEXT NOT NULL,
  expires_ts INTEGER NOT NULL,
  walk TEXT NOT NULL,
  PRIMARY KEY (token)
) STRICT, WITHOUT ROWID;

-- Those of one user, the oldest of which make way.
CREATE INDEX space_walks_user ON space_walks (user_id, expires_ts);
-- Those that are over.
CREATE INDEX space_walks_expires ON space_walks (expires_ts);
`,
}
