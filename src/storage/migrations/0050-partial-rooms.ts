import type { Migration } from '../migrate.js'

export const partialRooms: Migration = {
  id: 50,
  name: 'partial-rooms',
  sql: `
-- 1: the room was joined before its members were known, and its state is provisional. whole_pos: since when it is whole; 0: it always was.
ALTER TABLE rooms ADD COLUMN partial INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rooms ADD COLUMN whole_pos INTEGER NOT NULL DEFAULT 0;
-- whose members became known lately
CREATE INDEX rooms_whole ON rooms (whole_pos) WHERE whole_pos > 0;

-- What is to be done about each partial room. via: the server by whose word it is here; due: milliseconds since 1970.
CREATE TABLE partial_rooms (
  room_nid INTEGER PRIMARY KEY,
  via TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  due INTEGER NOT NULL
) STRICT;
-- which is tried next
CREATE INDEX partial_rooms_due ON partial_rooms (due);

-- Servers that were in the room when it was joined.
CREATE TABLE partial_room_servers (
  room_nid INTEGER NOT NULL,
  server TEXT NOT NULL,
  PRIMARY KEY (room_nid, server)
) STRICT, WITHOUT ROWID;

-- Events that took their place while the room was partial, in that order. peer_state: where predecessors are missing, what other servers have
-- there; a JSON array of [root, nid of the event that follows it or null].
CREATE TABLE partial_events (
  seq INTEGER PRIMARY KEY,
  room_nid INTEGER NOT NULL,
  event_nid INTEGER NOT NULL,
  peer_state TEXT
) STRICT;
-- what a room has to judge again
CREATE INDEX partial_events_room ON partial_events (room_nid, seq);
-- the row of one event
CREATE INDEX partial_events_event ON partial_events (event_nid);
`,
}
