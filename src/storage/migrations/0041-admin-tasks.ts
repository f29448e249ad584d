import type { Migration } from '../migrate.js'

/** Long work that administrators asked for: it goes on after a restart. */
export const adminTasks: Migration = {
  id: 41,
  name: 'admin-tasks',
  sql: `
-- action: what is done, resource: to which room or user. status: active, complete or failed. params: what was asked for; plan: what was found when it
-- began, NULL before that; result: what was done so far; all three JSON.
CREATE TABLE admin_tasks (
  id TEXT PRIMARY KEY,
  action TEXT NOT NULL,
  resource TEXT NOT NULL,
  asked_by TEXT NOT NULL,
  status TEXT NOT NULL,
  params TEXT NOT NULL,
  plan TEXT,
  result TEXT NOT NULL,
  error TEXT,
  created_ts INTEGER NOT NULL,
  changed_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- those that go on; those that ended long ago; the list, the latest first
CREATE INDEX admin_tasks_changed ON admin_tasks (status, changed_ts);
-- those of a room or a user
CREATE INDEX admin_tasks_resource ON admin_tasks (resource, created_ts);

-- whom a user invited and which rooms they joined since a moment
CREATE INDEX events_members_by_sender ON events (sender, ts, nid) WHERE type = 'm.room.member';
`,
}
