import type { Migration } from '../migrate.js'

/** Which fields of whose profiles changed when, for sliding sync (MSC4262). What is not here has not changed since this table is there. */
export const profileChanges: Migration = {
  id: 42,
  name: 'profile-changes',
  sql: `
-- One row for each field that was ever changed: a field that the profile does not have any more was removed.
CREATE TABLE profile_changes (
  user_id TEXT NOT NULL,
  field TEXT NOT NULL,
  pos INTEGER NOT NULL,
  PRIMARY KEY (user_id, field)
) STRICT, WITHOUT ROWID;
-- what changed between two positions
CREATE INDEX profile_changes_pos ON profile_changes (pos);
`,
}
