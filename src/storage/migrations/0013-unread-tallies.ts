import type { Migration } from '../migrate.js'

/**
 * A message raises one tally of its room and thread instead of a count for each local member: see `tables/unread.ts`.
 * Counts of before stay as they are: over a tally of 0 they are what a user has beyond it.
 */
export const unreadTallies: Migration = {
  id: 13,
  name: 'unread-tallies',
  sql: `
CREATE TABLE unread_tallies (
  room_nid INTEGER NOT NULL,
  thread TEXT NOT NULL,
  notify INTEGER NOT NULL,
  highlight INTEGER NOT NULL,
  raised_rev INTEGER NOT NULL,
  PRIMARY KEY (room_nid, thread)
) STRICT, WITHOUT ROWID;
INSERT INTO unread_tallies (room_nid, thread, notify, highlight, raised_rev)
SELECT DISTINCT room_nid, thread, 0, 0, 0 FROM unread;

-- Where the tally stood when the user had read all.
ALTER TABLE unread ADD COLUMN base INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unread ADD COLUMN base_highlight INTEGER NOT NULL DEFAULT 0;
-- 1: what notifies everybody does not count for this user; \`notify\` is the whole count.
ALTER TABLE unread ADD COLUMN own INTEGER NOT NULL DEFAULT 0;
-- Of the row of thread '': the room's revision up to which nothing of any thread counts, but what rows of threads say.
ALTER TABLE unread ADD COLUMN since_rev INTEGER NOT NULL DEFAULT 0;
-- a thread's tally rises: who came in since it rose last
CREATE INDEX unread_since ON unread (room_nid, since_rev) WHERE thread = '';
`,
}
