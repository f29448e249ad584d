import type { Migration } from '../migrate.js'

export const stickyEvents: Migration = {
  id: 34,
  name: 'sticky-events',
  sql: `
-- Events that are to reach everybody for a while, whatever a timeline leaves out; rows go when they stick no more.
CREATE TABLE sticky_events (
  event_nid INTEGER PRIMARY KEY,
  room_nid INTEGER NOT NULL,
  sender TEXT NOT NULL,
  -- of a user of this server, which brings it to servers that come later
  own INTEGER NOT NULL,
  -- milliseconds since 1970
  until_ts INTEGER NOT NULL,
  -- since when clients are told of it; NULL: not now, because its sender may not say it as the room is
  pos INTEGER
) STRICT;
-- what is new for a user's rooms
CREATE INDEX sticky_events_pos ON sticky_events (pos);
-- a sender who comes or goes
CREATE INDEX sticky_events_sender ON sticky_events (room_nid, sender);
-- what is over
CREATE INDEX sticky_events_until ON sticky_events (until_ts);

-- Milliseconds for which a delayed event sticks once it is sent; NULL: an ordinary one.
ALTER TABLE delayed_events ADD COLUMN sticky_ms INTEGER;
`,
}
