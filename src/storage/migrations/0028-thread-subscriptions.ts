import type { Migration } from '../migrate.js'

export const threadSubscriptions: Migration = {
  id: 28,
  name: 'thread-subscriptions',
  sql: `
-- The threads that users follow, and those that they follow no more.
CREATE TABLE thread_subscriptions (
  user_id TEXT NOT NULL,
  room_id TEXT NOT NULL,
  -- the event that the thread begins with
  root TEXT NOT NULL,
  -- when it last changed
  pos INTEGER NOT NULL,
  subscribed INTEGER NOT NULL,
  -- by the user's client, for an event in the thread
  automatic INTEGER NOT NULL,
  -- the last time that the user ended it: no event of before begins it again
  ended_pos INTEGER,
  PRIMARY KEY (user_id, room_id, root)
) STRICT, WITHOUT ROWID;
-- what changed since a sync
CREATE INDEX thread_subscriptions_pos ON thread_subscriptions (user_id, pos);
`,
}
