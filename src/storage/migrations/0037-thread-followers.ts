import type { Migration } from '../migrate.js'

export const threadFollowers: Migration = {
  id: 37,
  name: 'thread-followers',
  sql: `
-- who follows a thread, for each message in it
CREATE INDEX thread_subscriptions_root ON thread_subscriptions (room_id, root);
`,
}
