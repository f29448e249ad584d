import type { Migration } from '../migrate.js'

export const roomRepairs: Migration = {
  id: 29,
  name: 'room-repairs',
  sql: `
-- Rooms that are to be compared with what other servers have, because one server's word was taken for them or because the database
-- was restored. via: the server whose word it was, empty where that was not all of it, or for no server. due: milliseconds by the clock.
CREATE TABLE room_repairs (
  room_nid INTEGER NOT NULL,
  via TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  due INTEGER NOT NULL,
  PRIMARY KEY (room_nid)
) STRICT, WITHOUT ROWID;
`,
}
