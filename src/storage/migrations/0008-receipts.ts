import type { Migration } from '../migrate.js'

/** Read receipts: the latest of each user in each room, thread and kind. */
export const receipts: Migration = {
  id: 8,
  name: 'receipts',
  sql: `
CREATE TABLE receipts (
  room_nid INTEGER NOT NULL,
  user_id TEXT NOT NULL,
  receipt_type TEXT NOT NULL,
  thread TEXT NOT NULL,
  event_id TEXT NOT NULL,
  event_pos INTEGER NOT NULL,
  ts INTEGER NOT NULL,
  pos INTEGER NOT NULL,
  PRIMARY KEY (room_nid, user_id, receipt_type, thread)
) STRICT, WITHOUT ROWID;
-- what /sync shows of a room
CREATE INDEX receipts_pos ON receipts (room_nid, pos);
-- the rooms with news
CREATE INDEX receipts_news ON receipts (pos);
`,
}
